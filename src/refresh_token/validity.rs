//! The one rule that decides if a login is valid. All endpoints use it.

use super::{Authorization, Family};
use crate::client::{Client, GrantType};
use crate::consent::Consent;
use crate::scope::{Scope, ScopeError, openid};
use crate::session::Session;
use crate::user::User;

/// The records that a login depends on, each as it was read. `None` if the record does not exist.
#[derive(Clone, Copy, Default)]
pub struct Records<'a> {
    /// The client that the login was issued to.
    pub client: Option<&'a Client>,
    /// The user with the username of the login.
    pub user: Option<&'a User>,
    /// The consent of the user for the client. Only logins by code depend on it.
    pub consent: Option<&'a Consent>,
    /// The browser session in which the code was issued. Only logins by code depend on it.
    pub session: Option<&'a Session>,
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

    /// Returns the time at which the login ends, however often it is refreshed: the end of the family, or the earlier end
    /// date that the user set for the client.
    pub fn last_end(&self, consent: Option<&Consent>) -> u64 {
        let until = consent.and_then(|consent| consent.until);
        self.absolute_expires_at.min(until.unwrap_or(u64::MAX))
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
        let user = match records.user {
            None => Err("the user does not exist any more"),
            Some(user) if user.user_id != self.user_id => Err("the username belongs to another user now"),
            Some(user) if !user.enabled => Err("disabled user"),
            Some(user) if self.session_generation != Some(user.session_generation) => {
                Err("the user was logged out everywhere")
            }
            Some(user) => Ok(user),
        }?;
        self.authorization.as_deref().map_or(Ok(()), |authorization| self.check(authorization, records, now))?;
        Ok(user)
    }

    /// Returns the part of a scope of this login that the client and the user may still have.
    ///
    /// # Errors
    /// [`ScopeError::NoneAllowed`] if no token is left.
    pub fn scope_left(&self, scope: &Scope, client: &Client, user: &User) -> Result<Scope, ScopeError> {
        let scope = scope.clone().narrowed_to(&client.scopes)?;
        if self.authorization.is_some() { user.scope_of_code(scope) } else { user.scope(scope, false) }
    }

    /// Checks the further conditions of a login by code.
    fn check(&self, authorization: &Authorization, records: Records<'_>, now: u64) -> Result<(), &'static str> {
        let client = records.client.filter(|client| client.may_use(GrantType::AuthorizationCode));
        let client = client.ok_or("the client may not use codes any more")?;
        match records.consent {
            None => return Err("the user removed the client"),
            Some(consent) if !consent.permits(&authorization.consent, now) => {
                return Err("the consent of the login has ended");
            }
            Some(_) => {}
        }
        let offline_access = openid::OFFLINE_ACCESS;
        let has_offline_access = self.scopes.contains(offline_access) && client.scopes.allows(offline_access);
        match records.session {
            _ if has_offline_access => Ok(()),
            None => Err("the browser session of the login does not exist any more"),
            Some(session) if session.ended => Err("the user signed out"),
            Some(_) => Ok(()),
        }
    }
}
