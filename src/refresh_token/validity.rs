//! The one rule that decides if a login is valid. All endpoints use it.

use super::Family;
use crate::client::Client;
use crate::user::User;

/// The records that a login depends on, each as it was read. `None` if the record does not exist.
#[derive(Clone, Copy)]
pub struct Records<'a> {
    /// The client that the login was issued to.
    pub client: Option<&'a Client>,
    /// The user with the username of the login.
    pub user: Option<&'a User>,
}

impl Family {
    /// Returns the reason why the login is over, according to the family only: it was revoked, or it has expired.
    pub fn end(&self, now: u64) -> Option<&'static str> {
        if self.revoked {
            return Some("the login was revoked");
        }
        let has_expired = now >= self.expires_at || now >= self.absolute_expires_at;
        has_expired.then_some("the login has expired")
    }

    /// Checks if the login is valid at `now`. Returns its user.
    ///
    /// # Errors
    /// The reason why the login is not valid, for the log.
    pub fn valid_user<'a>(&self, records: Records<'a>, now: u64) -> Result<&'a User, &'static str> {
        if let Some(reason) = self.end(now) {
            return Err(reason);
        }
        match records.client {
            None => return Err("the client does not exist any more"),
            Some(client) if client.client_id != self.client_id => return Err("the login belongs to another client"),
            Some(client) if !client.enabled => return Err("disabled client"),
            Some(_) => {}
        }
        match records.user {
            None => Err("the user does not exist any more"),
            Some(user) if user.user_id != self.user_id => Err("the username belongs to another user now"),
            Some(user) if !user.enabled => Err("disabled user"),
            Some(user) if self.session_generation != Some(user.session_generation) => {
                Err("the user was logged out everywhere")
            }
            Some(user) => Ok(user),
        }
    }
}
