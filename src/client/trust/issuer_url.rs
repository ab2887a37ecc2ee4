//! URLs of issuers.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// The largest length of a URL in bytes.
const MAX_BYTES: usize = 512;
/// The starts of `http` URLs of this machine, for local runs.
const LOOPBACK: [&str; 3] = ["http://127.0.0.1", "http://[::1]", "http://localhost"];

/// The URL of an issuer, exactly as its tokens have it in `iss`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct IssuerUrl(String);

/// The error of a text that is not the URL of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnIssuer;

impl fmt::Display for NotAnIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the issuer is not an https URL of at most {MAX_BYTES} printable ASCII characters without a user name, a query \
             and a fragment; write it exactly as the tokens have it in iss"
        )
    }
}

impl IssuerUrl {
    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IssuerUrl {
    type Error = NotAnIssuer;

    fn try_from(text: String) -> Result<Self, NotAnIssuer> {
        let is_loopback = LOOPBACK.iter().filter_map(|start| text.strip_prefix(start));
        let has_known_start = text.starts_with("https://")
            || is_loopback.into_iter().any(|rest| rest.is_empty() || rest.starts_with([':', '/']));
        let is_valid = has_known_start
            && text.len() <= MAX_BYTES
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !br#""<>\?#"#.contains(&byte))
            && Url::parse(&text).is_ok_and(|url| url.username().is_empty() && url.password().is_none())
            && !has_user_name(&text);
        if is_valid { Ok(Self(text)) } else { Err(NotAnIssuer) }
    }
}

/// Returns true for an `@` before the path: also for an empty user name, which a parser does not show.
fn has_user_name(url: &str) -> bool {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    after_scheme.split('/').next().is_some_and(|authority| authority.contains('@'))
}
