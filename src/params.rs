//! The parameters of a token request, from a body of either form: each name once, each value within its limit and
//! grammar.

use crate::error::Error;

const MAX_PARAMETERS: usize = 64;
const MAX_NAME_BYTES: usize = 64;
const MAX_SCOPE_TOKENS: usize = 100;

/// A parameter that the token endpoint defines. Others are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// `grant_type` (RFC 6749 section 4)
    GrantType,
    /// `client_id` (RFC 6749 section 2.2)
    ClientId,
    /// `client_secret` (RFC 6749 section 2.3.1)
    ClientSecret,
    /// `username` (RFC 6749 section 4.3.2)
    Username,
    /// `password` (RFC 6749 section 4.3.2)
    Password,
    /// `scope` (RFC 6749 section 3.3)
    Scope,
    /// `refresh_token` (RFC 6749 section 6)
    RefreshToken,
    /// `code` (RFC 6749 section 4.1.3); checked like the others, but no grant uses it yet
    Code,
    /// `redirect_uri` (RFC 6749 section 4.1.3); the same
    RedirectUri,
    /// `code_verifier` (RFC 7636 section 4.5); the same
    CodeVerifier,
}

impl Name {
    const ALL: [(&'static str, Self); 10] = [
        ("grant_type", Self::GrantType),
        ("client_id", Self::ClientId),
        ("client_secret", Self::ClientSecret),
        ("username", Self::Username),
        ("password", Self::Password),
        ("scope", Self::Scope),
        ("refresh_token", Self::RefreshToken),
        ("code", Self::Code),
        ("redirect_uri", Self::RedirectUri),
        ("code_verifier", Self::CodeVerifier),
    ];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(text, known)| (text == name).then_some(known))
    }
}

/// Rejects a value that is over the limit of its parameter or outside its grammar (RFC 6749 appendix A).
///
/// [`Scope::parse`](crate::scope::Scope::parse) checks the grammar of a scope, later in the order of checks, because
/// its error is `invalid_scope`. A malformed refresh token is rejected like one that we did not make.
///
/// # Errors
/// `invalid_request`
pub fn check(name: Name, value: &str) -> Result<(), Error> {
    let (limit, too_long) = match name {
        // An unknown grant type is `unsupported_grant_type`, whatever its length. The values of the others are not used.
        Name::GrantType | Name::Code | Name::RedirectUri | Name::CodeVerifier => return Ok(()),
        Name::ClientId => (256, "The client_id is too long."),
        Name::ClientSecret => (1024, "The client_secret is too long."),
        Name::Username => (1024, "The username is too long."),
        Name::Password => (4096, "The password is too long."),
        Name::Scope => (4096, "The scope is too long."),
        Name::RefreshToken => (1024, "The refresh_token is too long."),
    };
    if value.len() > limit {
        return Err(Error::invalid_request(too_long));
    }
    match name {
        Name::ClientId | Name::ClientSecret if !value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) => {
            Err(Error::invalid_request("The client_id or client_secret has a character that is not allowed."))
        }
        Name::Username | Name::Password if value.contains(['\0', '\r', '\n']) => {
            Err(Error::invalid_request("The username or password has a character that is not allowed."))
        }
        Name::Scope if value.split(' ').filter(|token| !token.is_empty()).count() > MAX_SCOPE_TOKENS => {
            Err(Error::invalid_request("The scope has too many tokens."))
        }
        _ => Ok(()),
    }
}

/// The parameters of one body or query. An empty value counts as absent. Has no `Debug`: it contains secrets.
#[derive(Default)]
pub struct Params {
    values: Vec<(Name, String)>,
    count: usize,
}

impl Params {
    /// Returns true if a parameter of this name is defined.
    pub fn defines(name: &str) -> bool {
        Name::parse(name).is_some()
    }

    /// Returns true if there are no defined parameters, not even with an empty value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Adds a parameter as it was received; `None` is a name without a value (JSON `null`). A username loses its outer
    /// spaces, so that one of only spaces counts as absent.
    ///
    /// # Errors
    /// `invalid_request` if a defined parameter is repeated, or if the parameter is over a limit or outside its
    /// grammar.
    pub fn insert(&mut self, name: &str, value: Option<String>) -> Result<(), Error> {
        self.count += 1;
        if self.count > MAX_PARAMETERS {
            return Err(Error::invalid_request("There are too many parameters."));
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(Error::invalid_request("The name of a parameter is too long."));
        }
        let Some(name) = Name::parse(name) else {
            return Ok(());
        };
        // A missing value is kept as an empty one until `take`, so that a repeated name is detected.
        let value = value.unwrap_or_default();
        check(name, &value)?;
        let value = if name == Name::Username { value.trim_matches(' ').to_owned() } else { value };
        if self.values.iter().any(|(known, _)| *known == name) {
            return Err(Error::invalid_request("A parameter is repeated."));
        }
        self.values.push((name, value));
        Ok(())
    }

    /// Removes and returns a parameter. Returns `None` if it was absent, empty or taken before.
    pub fn take(&mut self, name: Name) -> Option<String> {
        let position = self.values.iter().position(|(known, _)| *known == name)?;
        let (_, value) = self.values.swap_remove(position);
        (!value.is_empty()).then_some(value)
    }
}
