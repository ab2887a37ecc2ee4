//! Addresses of pages, which our pages link to.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// The largest length of a URL in bytes.
const MAX_LENGTH: usize = 2_048;

/// An `https` URL of a page, exactly as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct HttpsUrl(String);

/// The error of a text that is not an `https` URL, or that hides its host behind a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHttps;

impl fmt::Display for NotHttps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the URL is not an https URL of at most {MAX_LENGTH} printable ASCII characters without a user name; write \
             https://host/path"
        )
    }
}

impl HttpsUrl {
    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HttpsUrl {
    type Error = NotHttps;

    fn try_from(text: String) -> Result<Self, NotHttps> {
        let is_url = |url: Url| url.username().is_empty() && url.password().is_none();
        let is_valid = text.len() <= MAX_LENGTH
            && text.starts_with("https://")
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !br#""<>\"#.contains(&byte))
            && Url::parse(&text).is_ok_and(is_url);
        if is_valid { Ok(Self(text)) } else { Err(NotHttps) }
    }
}
