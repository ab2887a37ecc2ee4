//! The state of a login, and the rules that decide if a refresh token is valid.

use serde::{Deserialize, Serialize};

use super::Authorization;
use crate::confirmation::Confirmation;
use crate::scope::Scope;
use crate::user::Username;

/// The reason of [`Standing::Undecided`], for the log.
pub const CLOCK_IS_BEHIND: &str = "the clock is behind the last use of the refresh token";

/// The reason of [`Standing::Foreign`], for the log.
pub const FOREIGN: &str = "the refresh token was issued to another client";

/// The state of a login, one item of the table `grants`. Times are in seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// The client that the login was issued to.
    pub client_id: String,
    /// The user that logged in.
    pub username: Username,
    /// The user's stable identifier. The username may later belong to another user.
    pub user_id: String,
    /// The user's `session_generation` when the login read the user. Absent in families of builds before it existed.
    #[serde(default)]
    pub session_generation: Option<u64>,
    /// The scopes that the login granted.
    pub scopes: Scope,
    /// The token version of the login, for statistics. Each request chooses its own version.
    pub version: u8,
    /// The time at which the password was verified.
    pub auth_time: u64,
    /// The generation of the one active refresh token.
    pub generation: u32,
    /// The time at which that generation was made.
    pub rotated_at: u64,
    /// A random value of the request that made that generation. It identifies a write that is sent again because its
    /// response was lost.
    pub rotated_by: String,
    /// True if the login was ended before it expired.
    pub revoked: bool,
    /// The end of the login, even if it is refreshed again.
    pub absolute_expires_at: u64,
    /// The end of the login if it is not refreshed again.
    pub expires_at: u64,
    /// The audience of the login's tokens, if the login named a resource.
    pub resource: Option<String>,
    /// The key that the refresh tokens are bound to, if the client is public and proved a key at the login or at the exchange
    /// of its code.
    pub cnf: Option<Confirmation>,
    /// The authorization request and the records that a login by code depends on. Absent in logins by password.
    pub authorization: Option<Box<Authorization>>,
}

/// The status of a refresh token, which follows from the state of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The refresh token is the active one.
    Active,
    /// The refresh token was used within the grace, and its successor was not used. The client lost the response and
    /// retries, or a second tab of the client uses the same token.
    Retried,
    /// The refresh token was used longer ago than the grace, or its successor was used too: a token replay.
    Replayed,
    /// The refresh token is ahead of its family: the table was rolled back to an earlier state.
    RolledBack,
    /// According to our clock, the refresh token was used in the future. Until the clock is right, we cannot
    /// distinguish a retry, which must not end the login, from a replay, which must not get a token.
    Undecided,
    /// The refresh token was issued to another client. Presenting it changes nothing.
    Foreign,
    /// The refresh token is not valid, and presenting it changes nothing. The reason is for the log.
    Invalid(&'static str),
}

/// The result of a rotation whose condition failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostRotation {
    /// The successor is active: this write was sent twice, or another request rotated the token within the grace.
    SuccessorIsActive,
    /// The refresh token is not valid any more. The reason is for the log.
    Rejected(&'static str),
    /// The state does not show if the refresh token is valid. The reason is for the log.
    Undecided(&'static str),
}

/// A refresh token of a family, as a client presents it.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The generation of the token.
    pub generation: u32,
    /// The client that presents the token.
    pub client_id: &'a str,
    /// The time at which the client presents the token, in seconds since the epoch.
    pub at: u64,
}

/// The generation that a use of the active refresh token makes: all that its one write compares and changes.
#[derive(Clone)]
pub struct NextGeneration<'a> {
    /// The client that uses the token. It is compared.
    pub client_id: &'a str,
    /// The time of the use.
    pub rotated_at: u64,
    /// A random value of the request that uses the token.
    pub rotated_by: String,
    /// The end of the login if it is not refreshed again.
    pub expires_at: u64,
    /// The key that the refresh tokens are bound to from now on. `None` does not change the key.
    pub cnf: Option<Confirmation>,
}

impl Family {
    /// Judges a refresh token of this family. A retry is accepted for `grace` seconds; 0 accepts none.
    pub fn standing(&self, presented: Presented<'_>, grace: u32) -> Standing {
        let Presented { generation, client_id, at: now } = presented;
        if self.client_id != client_id {
            return Standing::Foreign;
        }
        if let Some(reason) = self.end(now) {
            return Standing::Invalid(reason);
        }
        let grace = u64::from(grace);
        if generation == self.generation {
            Standing::Active
        } else if generation > self.generation {
            Standing::RolledBack
        } else if generation + 1 < self.generation || grace == 0 {
            Standing::Replayed
        } else if now.saturating_add(grace) < self.rotated_at {
            Standing::Undecided
        } else if now.saturating_sub(self.rotated_at) <= grace {
            // The difference may also be a little negative, because the clocks of execution environments differ.
            Standing::Retried
        } else {
            Standing::Replayed
        }
    }

    /// Returns true if this state is the result of the write of `next`, even though its condition failed: the SDK sends a
    /// write again when its response is lost.
    pub fn is_written_by(&self, next: &NextGeneration<'_>) -> bool {
        self.rotated_by == next.rotated_by && !self.revoked
    }

    /// Judges the state that the write of `next` found when its condition failed. The request read the
    /// generation `used` as the active one, so it is not a replay, and no result ends the login.
    pub fn after_lost_rotation(&self, used: u32, next: &NextGeneration<'_>, grace: u32) -> LostRotation {
        if self.is_written_by(next) {
            return LostRotation::SuccessorIsActive;
        }
        let presented = Presented { generation: used, client_id: next.client_id, at: next.rotated_at };
        match self.standing(presented, grace) {
            Standing::Retried => LostRotation::SuccessorIsActive,
            Standing::Replayed | Standing::RolledBack => {
                LostRotation::Rejected("another request used the refresh token meanwhile")
            }
            Standing::Foreign => LostRotation::Rejected(FOREIGN),
            Standing::Invalid(reason) => LostRotation::Rejected(reason),
            Standing::Undecided => LostRotation::Undecided(CLOCK_IS_BEHIND),
            Standing::Active => LostRotation::Undecided("the condition failed for the active refresh token"),
        }
    }
}
