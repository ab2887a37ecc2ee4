//! The cookie of the browser session (RFC 6265). Browsers keep a cookie with this prefix only if this host set it, for all
//! paths, over TLS or on a loopback address.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::request::cookies::values;
use crate::session::SessionCookie;

const NAME: &str = "__Host-session";

/// Returns the cookie that a request presents, if it presents exactly one, of our form.
pub(super) fn presented(headers: &HeaderMap) -> Option<SessionCookie> {
    let mut values = values(headers, NAME);
    let value = values.next().filter(|_| values.next().is_none())?;
    SessionCookie::parse(&value)
}

/// Returns the header that stores a cookie until the browser closes.
pub(super) fn set(cookie: &SessionCookie) -> Option<(HeaderName, HeaderValue)> {
    header(&cookie.to_string(), "")
}

/// Returns the header that deletes the cookie.
pub(super) fn clear() -> Option<(HeaderName, HeaderValue)> {
    header("", "; Max-Age=0")
}

fn header(value: &str, lifetime: &str) -> Option<(HeaderName, HeaderValue)> {
    // Always a header value: our values are base64url.
    let mut cookie =
        HeaderValue::try_from(format!("{NAME}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{lifetime}")).ok()?;
    cookie.set_sensitive(true);
    Some((SET_COOKIE, cookie))
}
