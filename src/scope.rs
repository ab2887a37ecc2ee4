//! Scopes (RFC 6749 section 3.3).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

mod allowed;
pub mod openid;
mod texts;

pub use allowed::AllowedScopes;
pub(crate) use allowed::is_matched_by;
pub use texts::{InvalidText, ScopeTexts, Sentences};

/// A list of scope tokens: at least one, each once, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<String>")]
pub struct Scope(#[serde(serialize_with = "serde_dynamo::string_set::serialize")] Vec<String>);

/// The reason why a [`Scope`] is rejected. Each has its own `error_description`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeError {
    /// The text is not a list of tokens with single spaces between them.
    Malformed,
    /// A token contains a `*`, which is only valid in the lists of allowed scopes.
    Wildcard,
    /// The token at this place, from 1, is not allowed.
    NotAllowed(usize),
    /// No token is allowed.
    NoneAllowed,
    /// The request has no scope, and the client has no default scopes.
    Missing,
}

impl ScopeError {
    /// Returns the `error_description`.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Malformed => "The scope is malformed.",
            Self::Wildcard => "A requested scope must not contain a wildcard.",
            Self::NotAllowed(_) | Self::NoneAllowed => "A scope is unknown or not allowed.",
            Self::Missing => "A scope is required.",
        }
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.description())
    }
}

/// A scope token that a record cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidScope {
    /// The token.
    pub token: String,
    /// The reason.
    pub error: ScopeError,
}

impl fmt::Display for InvalidScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, error } = self;
        match error {
            _ if token.contains(' ') => {
                write!(formatter, "the scope {token:?} contains a space; list each scope separately")
            }
            ScopeError::Wildcard => {
                write!(formatter, "the scope {token:?} has a * in the wrong place; only an allowed scope may end in *")
            }
            _ => write!(formatter, "the scope {token:?} is empty or has an invalid character (RFC 6749 section 3.3)"),
        }
    }
}

impl Scope {
    /// Parses the scope of a request: tokens of NQCHAR with single spaces between them (RFC 6749 appendix A.4). Keeps
    /// one of a repeated token.
    ///
    /// # Errors
    /// [`ScopeError::Malformed`] and [`ScopeError::Wildcard`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut tokens: Vec<String> = Vec::new();
        for token in text.split(' ') {
            if token.is_empty() || !token.bytes().all(is_nqchar) {
                return Err(ScopeError::Malformed);
            }
            // Rejected at any position: a resource server that expands wildcards must not receive one.
            if token.contains('*') {
                return Err(ScopeError::Wildcard);
            }
            if !tokens.iter().any(|known| known == token) {
                tokens.push(token.to_owned());
            }
        }
        Ok(Self(tokens))
    }

    /// Returns the tokens, in order.
    pub fn tokens(&self) -> &[String] {
        &self.0
    }

    /// Returns true if the scope has this token.
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|known| known == token)
    }

    /// Returns the scope unchanged if every token is allowed.
    ///
    /// # Errors
    /// [`ScopeError::NotAllowed`]
    pub fn allowed_by(self, allowed: &AllowedScopes) -> Result<Self, ScopeError> {
        self.check(|token| allowed.allows(token))
    }

    /// Returns the scope unchanged if every token is in `other`.
    ///
    /// # Errors
    /// [`ScopeError::NotAllowed`]
    pub fn within(self, other: &Self) -> Result<Self, ScopeError> {
        self.check(|token| other.contains(token))
    }

    fn check(self, is_allowed: impl Fn(&str) -> bool) -> Result<Self, ScopeError> {
        match self.0.iter().position(|token| !is_allowed(token)) {
            Some(index) => Err(ScopeError::NotAllowed(index + 1)),
            None => Ok(self),
        }
    }

    /// Adds the tokens of another scope.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        for token in &other.0 {
            if !self.0.contains(token) {
                self.0.push(token.clone());
            }
        }
        self
    }

    /// Removes the tokens that are not allowed.
    ///
    /// # Errors
    /// [`ScopeError::NoneAllowed`] if no token is left.
    pub fn narrowed_to(mut self, allowed: &AllowedScopes) -> Result<Self, ScopeError> {
        self.0.retain(|token| allowed.allows(token));
        if self.0.is_empty() { Err(ScopeError::NoneAllowed) } else { Ok(self) }
    }
}

/// Returns true for an `NQCHAR` (RFC 6749 appendix A).
fn is_nqchar(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" ")?;
            }
            formatter.write_str(token)?;
        }
        Ok(())
    }
}

/// Converts a stored set, which has no order.
impl TryFrom<BTreeSet<String>> for Scope {
    type Error = InvalidScope;

    fn try_from(tokens: BTreeSet<String>) -> Result<Self, InvalidScope> {
        let error = |token: &str| match Self::parse(token) {
            Ok(_) if token.contains(' ') => Some(ScopeError::Malformed),
            parsed => parsed.err(),
        };
        let invalid = |token: &str| Some(InvalidScope { token: token.to_owned(), error: error(token)? });
        // An empty set is not a scope either.
        match tokens.iter().map(String::as_str).find_map(invalid).or_else(|| invalid("").filter(|_| tokens.is_empty()))
        {
            Some(invalid) => Err(invalid),
            None => Ok(Self(tokens.into_iter().collect())),
        }
    }
}
