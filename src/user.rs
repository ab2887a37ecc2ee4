//! Users, on whose behalf first-party applications request tokens.

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use serde::{Deserialize, Serialize};

use crate::password_hash::Hash;
use crate::scope::{AllowedScopes, Scope, ScopeError};

mod claims;

pub use claims::{CLAIMS, Claim, ClaimError, ClaimForm, Claims};

/// The step of the session generation after a restore of the table of users. It skips the numbers that were in use
/// before the restore.
pub const STEP_AFTER_RESTORE: u64 = 1_000;

/// A username in the form in which usernames are compared: `UsernameCaseMapped` of RFC 8265 section 3.3. It is read from a
/// record as it is stored, also if an operator wrote another form into the table; only [`parse`](Self::parse) makes new
/// ones.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Username(String);

impl Username {
    /// Returns a username in its form for comparison, without spaces before and after it; `None` if no account can have
    /// that name. A form that the profile would change again (RFC 8264 section 7) is rejected: the profile does not
    /// know the lower case of a few letters.
    pub fn parse(text: &str) -> Option<Self> {
        let form = UsernameCaseMapped::enforce(text.trim_matches(' ')).ok()?;
        let again = UsernameCaseMapped::enforce(form.as_ref()).ok()?;
        (form == again).then(|| Self(form.to_string()))
    }

    /// Returns the username as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user, one item of the table `users`.
#[derive(Debug, Deserialize, Serialize)]
pub struct User {
    /// The username.
    pub username: Username,
    /// The stable identifier that becomes `sub`; never used again for another user.
    pub user_id: String,
    /// The hash of the password. A user without a hash cannot log in with a password.
    pub password_hash: Option<Hash>,
    /// The scopes that tokens for this user may have. Absent means all that the client may have. An empty set cannot be
    /// stored.
    pub scopes: Option<AllowedScopes>,
    /// The claim `dealer` of tokens of version 1.
    pub dealer: Option<serde_json::Map<String, serde_json::Value>>,
    /// The claims about the user for OpenID Connect. Absent means none.
    #[serde(default, skip_serializing_if = "Claims::is_empty")]
    pub claims: Claims,
    /// False if no tokens are issued for this user.
    pub enabled: bool,
    /// Incremented to log the user out everywhere. A login is valid only if its `session_generation` equals this one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub session_generation: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl User {
    /// Ends all logins that read the user before this change is stored. Later logins stay valid. `step` is 1; after a
    /// restore of the table it is [`STEP_AFTER_RESTORE`].
    pub fn end_sessions(&mut self, step: u64) {
        self.session_generation = self.session_generation.saturating_add(step);
    }

    /// Returns the part of a scope that the user may have. A requested scope must be allowed completely; default scopes
    /// are narrowed to the allowed ones.
    ///
    /// # Errors
    /// [`ScopeError::NotAllowed`], [`ScopeError::NoneAllowed`]
    pub fn scope(&self, scope: Scope, is_requested: bool) -> Result<Scope, ScopeError> {
        match &self.scopes {
            None => Ok(scope),
            Some(allowed) if is_requested => scope.allowed_by(allowed),
            Some(allowed) => scope.narrowed_to(allowed),
        }
    }

    /// Returns the part of the scope of a login by code that the user may have. The scopes of OpenID Connect are about the
    /// login itself, so every user may have them.
    ///
    /// # Errors
    /// [`ScopeError::NoneAllowed`] if no token is left.
    pub fn scope_of_code(&self, scope: Scope) -> Result<Scope, ScopeError> {
        match &self.scopes {
            None => Ok(scope),
            Some(allowed) => scope.narrowed_to(&allowed.with_openid()),
        }
    }
}
