//! The scopes that a client or a user may have.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::openid;
use super::{InvalidScope, Scope, ScopeError};

/// The scopes that a client or a user may have: exact tokens, or prefixes followed by `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<String>")]
pub struct AllowedScopes(#[serde(serialize_with = "serde_dynamo::string_set::serialize")] BTreeSet<String>);

/// Converts a stored set.
impl TryFrom<BTreeSet<String>> for AllowedScopes {
    type Error = InvalidScope;

    fn try_from(tokens: BTreeSet<String>) -> Result<Self, InvalidScope> {
        Self::parse(tokens)
    }
}

impl AllowedScopes {
    /// Checks tokens that may end in `*`, but must not contain another `*`.
    ///
    /// # Errors
    /// [`InvalidScope`] for the first token that is not valid.
    pub fn parse(tokens: BTreeSet<String>) -> Result<Self, InvalidScope> {
        let error = |token: &str| {
            let exact = token.strip_suffix('*').unwrap_or(token);
            match Scope::parse(exact) {
                // Allows all scopes.
                _ if token == "*" => None,
                Ok(scope) if scope.0.len() == 1 => None,
                Err(ScopeError::Wildcard) => Some(ScopeError::Wildcard),
                _ => Some(ScopeError::Malformed),
            }
        };
        match tokens.iter().find_map(|token| Some(InvalidScope { token: token.clone(), error: error(token)? })) {
            Some(error) => Err(error),
            None => Ok(Self(tokens)),
        }
    }

    /// Adds the scopes of OpenID Connect.
    #[must_use]
    pub fn with_openid(&self) -> Self {
        Self(self.0.iter().cloned().chain(openid::SCOPES.map(ToOwned::to_owned)).collect())
    }

    /// Returns the tokens, sorted.
    pub fn tokens(&self) -> &BTreeSet<String> {
        &self.0
    }

    /// Returns true if no token is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if a requested token is allowed. `legacy:*` allows `legacy:` followed by at least one character.
    pub fn allows(&self, token: &str) -> bool {
        self.0.iter().any(|allowed| is_matched_by(allowed, token))
    }
}

/// Returns true if the text equals an entry of a record, or is longer than its prefix before `*`.
pub(crate) fn is_matched_by(entry: &str, text: &str) -> bool {
    match entry.strip_suffix('*') {
        Some(prefix) => text.len() > prefix.len() && text.starts_with(prefix),
        None => text == entry,
    }
}
