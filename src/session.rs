//! Browser sessions: the cookie, the record, the rules that decide if a user is signed in, and the proof that a form is from
//! a page of the same session. Pure: no store, no clock.
//!
//! ```text
//! __Host-session = base64url( id:16  secret:32 )
//! ```
//!
//! The item of a session contains hashes of both parts, so a copy of the table is not enough to sign in. Each login makes a new
//! secret; the id stays if the same user logs in again, so a later sign-out ends everything that these logins began.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::encoding::sha256;
use crate::random::fill_random;
use crate::user::{User, Username};

mod confirm;

pub use confirm::ConfirmKeys;

const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
/// The seconds after which a use of the session is written again.
const SEEN_INTERVAL: u64 = 300;
/// The bytes of a hash that become `sid`.
const SID_BYTES: usize = 16;
/// The authentication method of a password (RFC 8176).
const PASSWORD: &str = "pwd";

/// The id of a session: 128 random bits, which only its browser and the running request know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionId([u8; ID_BYTES]);

impl SessionId {
    /// Returns the key of the session's item: `session#` and a hash of the id.
    pub fn key(self) -> String {
        format!("session#{}", sha256(self.0))
    }

    /// Returns the bits of the id.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The value of the session cookie. Has no `Debug`, because it contains a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCookie {
    id: SessionId,
    secret: [u8; SECRET_BYTES],
}

impl SessionCookie {
    /// Generates the cookie of a new session.
    pub fn generate() -> Self {
        let mut id = [0; ID_BYTES];
        fill_random(&mut id);
        Self::for_session(SessionId(id))
    }

    /// Generates a cookie for a session that exists, with a new secret.
    pub fn for_session(id: SessionId) -> Self {
        let mut secret = [0; SECRET_BYTES];
        fill_random(&mut secret);
        Self { id, secret }
    }

    /// Parses a value. Returns `None` unless it has the form of our values.
    pub fn parse(value: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (id, secret) = bytes.split_first_chunk()?;
        Some(Self { id: SessionId(*id), secret: secret.try_into().ok()? })
    }

    /// Returns the id of the session.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Returns the stored form of the secret. 256 random bits need no slow hash.
    fn secret_hash(&self) -> String {
        sha256(self.secret)
    }
}

/// Formats the value of the cookie: 64 characters.
impl fmt::Display for SessionCookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode([self.id.as_bytes(), &self.secret[..]].concat()))
    }
}

/// Returns the claim `sid` of a session for a client (OpenID Connect Front-Channel Logout 1.0 section 3). It is different
/// for each client, so that two clients cannot compare theirs.
pub fn sid(session_key: &str, client_id: &str) -> String {
    let hash = digest(&SHA256, [session_key, "\0", client_id].concat().as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..SID_BYTES).unwrap_or_default())
}

/// The lifetimes that decide when a session ends, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct SessionLifetimes {
    /// The time after the last use.
    pub idle: u32,
    /// The time after the login, even if the session is in use.
    pub max: u32,
    /// The longest lifetime of a refresh token family, for which the item stays after its end.
    pub family: u32,
}

/// A browser session, one item of the table `grants`. Times are in seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The hash of the cookie's secret.
    pub secret_hash: String,
    /// The user that is signed in.
    pub username: Username,
    /// The user's stable identifier.
    pub user_id: String,
    /// The user's `session_generation` when the login read the user.
    pub session_generation: u64,
    /// The time at which the password was verified.
    pub auth_time: u64,
    /// The authentication methods of the login (RFC 8176).
    pub amr: Vec<String>,
    /// The time of the last use that was written.
    pub seen_at: u64,
    /// The end of the session if it is not used again.
    pub idle_expires_at: u64,
    /// The end of the session, even if it is in use.
    pub absolute_expires_at: u64,
    /// True if the user signed out, or another user signed in with the same browser.
    pub ended: bool,
    /// The time at which DynamoDB may delete the item. No family of the session exists then.
    pub expires_at: u64,
}

impl Session {
    /// Builds the session of a login with this cookie.
    pub fn begin(cookie: &SessionCookie, user: &User, now: u64, lifetimes: SessionLifetimes) -> Self {
        let absolute_expires_at = now.saturating_add(lifetimes.max.into());
        Self {
            secret_hash: cookie.secret_hash(),
            username: user.username.clone(),
            user_id: user.user_id.clone(),
            session_generation: user.session_generation,
            auth_time: now,
            amr: vec![PASSWORD.to_owned()],
            seen_at: now,
            idle_expires_at: now.saturating_add(lifetimes.idle.into()).min(absolute_expires_at),
            absolute_expires_at,
            ended: false,
            expires_at: absolute_expires_at.saturating_add(lifetimes.family.into()),
        }
    }

    /// Returns true if the cookie has the secret of the session, and the session was not ended. Its ends may have passed.
    pub fn is_of(&self, cookie: &SessionCookie) -> bool {
        let is_right = verify_slices_are_equal(self.secret_hash.as_bytes(), cookie.secret_hash().as_bytes()).is_ok();
        is_right && !self.ended
    }

    /// Returns true if neither end has passed at `now`.
    pub const fn is_current(&self, now: u64) -> bool {
        now < self.idle_expires_at && now < self.absolute_expires_at
    }

    /// Returns true if the user is signed in at `now` with this cookie. `user` is the record of the session's username.
    pub fn is_signed_in(&self, cookie: &SessionCookie, user: &User, now: u64) -> bool {
        self.is_of(cookie)
            && self.is_current(now)
            && self.is_for(user)
            && user.session_generation == self.session_generation
    }

    /// Returns true if the session belongs to this enabled user.
    pub fn is_for(&self, user: &User) -> bool {
        user.enabled && user.user_id == self.user_id && user.username == self.username
    }

    /// Returns true if more than `max_age` seconds have passed since the login at `now`.
    pub const fn is_older_than(&self, max_age: u64, now: u64) -> bool {
        now.saturating_sub(self.auth_time) > max_age
    }

    /// Returns the new idle end, if the last use that was written is so old that this one has to be written too.
    pub fn extension(&self, now: u64, lifetimes: SessionLifetimes) -> Option<u64> {
        let is_due = now.saturating_sub(self.seen_at) > SEEN_INTERVAL;
        is_due.then(|| now.saturating_add(lifetimes.idle.into()).min(self.absolute_expires_at))
    }
}
