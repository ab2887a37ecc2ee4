//! Scopes: what a token is good for (RFC 6749 section 3.3).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A list of scope tokens: at least one, each once, in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<String>")]
pub struct Scope(Vec<String>);

/// Why there is no [`Scope`]; each is one sentence on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeError {
    /// Not a list of tokens with single spaces between them.
    Malformed,
    /// A token holds a `*`, which only the list of a client may.
    Wildcard,
    /// A token is not among those allowed.
    NotAllowed,
    /// None was asked for, and there is none to fall back on.
    Missing,
}

impl ScopeError {
    /// The sentence for `error_description`.
    pub fn description(self) -> &'static str {
        match self {
            Self::Malformed => "The scope is malformed.",
            Self::Wildcard => "A scope cannot be asked for by wildcard.",
            Self::NotAllowed => "A scope is unknown or not allowed.",
            Self::Missing => "A scope is required.",
        }
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.description())
    }
}

impl Scope {
    /// Reads a request's scope: tokens of NQCHAR with single spaces between them (RFC 6749 appendix A.4). A repeated
    /// token collapses.
    ///
    /// # Errors
    /// [`ScopeError::Malformed`] and [`ScopeError::Wildcard`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut tokens: Vec<String> = Vec::new();
        for token in text.split(' ') {
            if token.is_empty() || !token.bytes().all(is_nqchar) {
                return Err(ScopeError::Malformed);
            }
            // Anywhere in it: a resource server that reads wildcards must not be handed one.
            if token.contains('*') {
                return Err(ScopeError::Wildcard);
            }
            if !tokens.iter().any(|known| known == token) {
                tokens.push(token.to_owned());
            }
        }
        Ok(Self(tokens))
    }

    /// The tokens, in order.
    pub fn tokens(&self) -> &[String] {
        &self.0
    }

    /// Itself, if every token is allowed.
    ///
    /// # Errors
    /// [`ScopeError::NotAllowed`]
    pub fn allowed_by(self, allowed: &AllowedScopes) -> Result<Self, ScopeError> {
        if self.0.iter().all(|token| allowed.allows(token)) { Ok(self) } else { Err(ScopeError::NotAllowed) }
    }

    /// Itself, if every token is in `other`.
    ///
    /// # Errors
    /// [`ScopeError::NotAllowed`]
    pub fn within(self, other: &Self) -> Result<Self, ScopeError> {
        if self.0.iter().all(|token| other.0.contains(token)) { Ok(self) } else { Err(ScopeError::NotAllowed) }
    }

    /// Those tokens of it that are allowed.
    ///
    /// # Errors
    /// [`ScopeError::NotAllowed`] if none is.
    pub fn narrowed_to(mut self, allowed: &AllowedScopes) -> Result<Self, ScopeError> {
        self.0.retain(|token| allowed.allows(token));
        if self.0.is_empty() { Err(ScopeError::NotAllowed) } else { Ok(self) }
    }
}

/// `NQCHAR` of RFC 6749 appendix A.
fn is_nqchar(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" "))
    }
}

/// From a stored set, whose order does not matter.
impl TryFrom<BTreeSet<String>> for Scope {
    type Error = ScopeError;

    fn try_from(tokens: BTreeSet<String>) -> Result<Self, ScopeError> {
        let count = tokens.len();
        let scope = Self::parse(&Vec::from_iter(tokens).join(" "))?;
        if scope.0.len() == count { Ok(scope) } else { Err(ScopeError::Malformed) }
    }
}

/// The scopes that a client or a user may have: exact, or a prefix that ends in `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeSet<String>")]
pub struct AllowedScopes(BTreeSet<String>);

/// From a stored set.
impl TryFrom<BTreeSet<String>> for AllowedScopes {
    type Error = ScopeError;

    fn try_from(tokens: BTreeSet<String>) -> Result<Self, ScopeError> {
        Self::parse(tokens).map_err(|(_, error)| error)
    }
}

impl AllowedScopes {
    /// Takes tokens that may end in `*`, but hold none elsewhere.
    ///
    /// # Errors
    /// The first token that is none, with what is wrong with it.
    pub fn parse(tokens: BTreeSet<String>) -> Result<Self, (String, ScopeError)> {
        let fault = |token: &str| {
            let exact = token.strip_suffix('*').unwrap_or(token);
            match Scope::parse(exact) {
                // All of them.
                _ if token == "*" => None,
                Ok(scope) if scope.0.len() == 1 => None,
                Err(ScopeError::Wildcard) => Some(ScopeError::Wildcard),
                _ => Some(ScopeError::Malformed),
            }
        };
        match tokens.iter().find_map(|token| fault(token).map(|fault| (token.clone(), fault))) {
            Some(fault) => Err(fault),
            None => Ok(Self(tokens)),
        }
    }

    /// The tokens, in the order of their letters.
    pub fn tokens(&self) -> &BTreeSet<String> {
        &self.0
    }

    /// Whether a token of a request is among them. `legacy:*` allows `legacy:` and at least one more character.
    pub fn allows(&self, token: &str) -> bool {
        self.0.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(prefix) => token.len() > prefix.len() && token.starts_with(prefix),
            None => token == allowed,
        })
    }
}
