//! Browser origins that may read the responses to a client.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// The largest number of origins of a client.
pub const MAX_ALLOWED_ORIGINS: usize = 20;

/// The origins of a client, each exactly as a browser sends it in the header `Origin` (RFC 6454 section 6.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "BTreeSet<String>")]
pub struct AllowedOrigins(#[serde(serialize_with = "serde_dynamo::string_set::serialize")] BTreeSet<String>);

/// The reason why a set of origins is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// There are more than [`MAX_ALLOWED_ORIGINS`] origins.
    TooMany,
    /// This entry is not an origin as a browser sends it.
    Malformed(String),
}

impl fmt::Display for OriginError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(formatter, "a client has at most {MAX_ALLOWED_ORIGINS} allowed origins"),
            Self::Malformed(origin) => write!(
                formatter,
                "the origin {origin:?} is not one that a browser sends: write https://host[:port], or http:// with \
                 localhost or 127.0.0.1, in lower case, without a default port, a path, a final slash or a wildcard"
            ),
        }
    }
}

impl AllowedOrigins {
    /// Checks each entry.
    ///
    /// # Errors
    /// [`OriginError`] of the first entry that is not valid.
    pub fn parse(origins: BTreeSet<String>) -> Result<Self, OriginError> {
        if origins.len() > MAX_ALLOWED_ORIGINS {
            return Err(OriginError::TooMany);
        }
        match origins.iter().find(|origin| !is_allowed(origin)) {
            Some(origin) => Err(OriginError::Malformed(origin.clone())),
            None => Ok(Self(origins)),
        }
    }

    /// Returns the entries, sorted.
    pub fn origins(&self) -> &BTreeSet<String> {
        &self.0
    }

    /// Returns true if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the value of a header `Origin` is one of the entries, byte for byte.
    pub fn contains(&self, origin: &str) -> bool {
        self.0.contains(origin)
    }
}

/// Returns true if a browser sends this text as the origin of a page, and if the page was loaded securely: by TLS, or
/// from the user's own machine. A URL parser accepts `*` in a host name, but no browser expands it.
fn is_allowed(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let is_safe = match url.scheme() {
        "https" => true,
        "http" => matches!(url.host_str(), Some("localhost" | "127.0.0.1")),
        _ => false,
    };
    is_safe && !text.contains('*') && url.origin().ascii_serialization() == text
}

impl TryFrom<BTreeSet<String>> for AllowedOrigins {
    type Error = OriginError;

    fn try_from(origins: BTreeSet<String>) -> Result<Self, OriginError> {
        Self::parse(origins)
    }
}
