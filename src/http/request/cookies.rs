//! The cookies of a request (RFC 6265 section 4.2).

use std::borrow::Cow;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

/// Returns the values of the cookies with this name. A name is compared byte for byte.
pub fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(String::from_utf8_lossy)
    })
}
