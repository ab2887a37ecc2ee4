//! Redirect URIs (RFC 6749 section 3.1.2): the addresses of a client to which the browser returns. A requested URI is
//! compared with the registered ones byte for byte, because two parsers rarely understand an unusual URI in the same way.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use url::form_urlencoded::Serializer;

mod form;

/// The largest number of redirect URIs of a client.
pub const MAX_REDIRECT_URIS: usize = 20;
/// The limit of a redirect URI in bytes.
pub const MAX_REDIRECT_URI_BYTES: usize = 2048;

/// A redirect URI that may be registered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);

/// The redirect URIs of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "BTreeSet<String>")]
pub struct RedirectUris(#[serde(serialize_with = "serde_dynamo::string_set::serialize")] BTreeSet<RedirectUri>);

/// The reason why a redirect URI is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectUriError {
    /// There are more than [`MAX_REDIRECT_URIS`] URIs.
    TooMany,
    /// This URI is too long, or has a form or a character that is not allowed. The second text is the reason.
    Malformed(String, &'static str),
}

impl fmt::Display for RedirectUriError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(formatter, "a client has at most {MAX_REDIRECT_URIS} redirect URIs"),
            Self::Malformed(uri, reason) => write!(
                formatter,
                "the redirect URI {uri:?} is not allowed: {reason}; write https://host/path, http://127.0.0.1/path for \
                 an application on the user's own machine, or com.example.app:/path for a phone"
            ),
        }
    }
}

impl RedirectUri {
    /// Checks a URI.
    ///
    /// # Errors
    /// [`RedirectUriError::Malformed`]
    pub fn parse(uri: String) -> Result<Self, RedirectUriError> {
        match form::problem(&uri) {
            Some(reason) => Err(RedirectUriError::Malformed(uri, reason)),
            None => Ok(Self(uri)),
        }
    }

    /// Returns the URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if a program on the user's own device may receive the response: the URI is a loopback address or has a
    /// private-use scheme (RFC 8252 section 7). Such a URI does not prove which program it is.
    pub fn is_native(&self) -> bool {
        !self.0.starts_with(form::HTTPS)
    }

    /// Returns the host with its port, or the private-use scheme: the part of the URI that people can compare.
    pub fn target(&self) -> &str {
        match self.0.split_once("://") {
            Some(("https" | "http", rest)) => rest.split(['/', '?']).next().unwrap_or(rest),
            _ => self.0.split(':').next().unwrap_or(&self.0),
        }
    }

    /// Returns the URI with the parameters of a response, form-encoded, in this order (RFC 6749 section 4.1.2).
    pub fn with_response<'a>(&self, response: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let separator = if self.0.contains('?') { '&' } else { '?' };
        let query = Serializer::new(String::new()).extend_pairs(response).finish();
        format!("{}{separator}{query}", self.0)
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = RedirectUriError;

    fn try_from(uri: String) -> Result<Self, RedirectUriError> {
        Self::parse(uri)
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.0
    }
}

impl RedirectUris {
    /// Checks each URI.
    ///
    /// # Errors
    /// [`RedirectUriError`] of the first URI that is not allowed.
    pub fn parse(uris: BTreeSet<String>) -> Result<Self, RedirectUriError> {
        if uris.len() > MAX_REDIRECT_URIS {
            return Err(RedirectUriError::TooMany);
        }
        uris.into_iter().map(RedirectUri::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the URIs, sorted.
    pub fn uris(&self) -> &BTreeSet<RedirectUri> {
        &self.0
    }

    /// Returns true if there are no URIs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a requested URI if it is registered byte for byte, or on `127.0.0.1` or `[::1]` with any port (RFC 8252
    /// section 7.3): a program on the user's own machine cannot choose its port in advance.
    pub fn matching(&self, requested: &str) -> Option<RedirectUri> {
        let port_is_open = |registered: &RedirectUri| {
            form::without_port(requested).is_some_and(|uri| form::without_port(&registered.0) == Some(uri))
        };
        let on_any_port = || self.0.iter().any(port_is_open).then(|| RedirectUri::parse(requested.to_owned()).ok());
        self.exact(requested).or_else(|| on_any_port().flatten())
    }

    /// Returns a requested URI if it is registered byte for byte.
    pub fn exact(&self, requested: &str) -> Option<RedirectUri> {
        self.0.iter().find(|registered| registered.0 == requested).cloned()
    }
}

impl TryFrom<BTreeSet<String>> for RedirectUris {
    type Error = RedirectUriError;

    fn try_from(uris: BTreeSet<String>) -> Result<Self, RedirectUriError> {
        Self::parse(uris)
    }
}
