//! The cookie with the refresh token of a browser application (RFC 6265 section 4). Only a client whose record has
//! `refresh_token_cookie` has one.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{AppendHeaders, IntoResponse, Response};

use crate::client::Client;
use crate::error::{Code, Error};
use crate::http::request::cookies;

/// The beginning of the name. A browser accepts a cookie with this prefix only from a response of this host over TLS, and
/// not from a script or from a sibling domain. Older browsers treat it as `__Host-`.
const PREFIX: &str = "__Host-Http-countersign-";

/// The cookie of a client. Has no `Debug`: it contains a refresh token.
pub(super) struct Cookie {
    name: String,
    presented: Option<String>,
}

impl Cookie {
    /// Returns the cookie of a client, if it has one. The caller has authenticated the client and checked its origin.
    pub(super) fn of(client: &Client) -> Option<Self> {
        client.refresh_token_cookie.then(|| Self { name: format!("{PREFIX}{}", client.client_id), presented: None })
    }

    /// Reads the value that a request presents. A value that is not text is not a refresh token, like any other text.
    ///
    /// # Errors
    /// `invalid_request` if the request presents the cookie twice.
    pub(super) fn read(&mut self, headers: &HeaderMap) -> Result<(), Error> {
        let mut values = cookies::values(headers, &self.name);
        self.presented = values.next().map(Into::into);
        if values.next().is_some() {
            return Err(Error::invalid_request("The cookie is repeated."));
        }
        Ok(())
    }

    /// Returns the value that the request presents, if [`read`](Self::read) found one.
    pub(super) fn presented(&self) -> Option<String> {
        self.presented.clone()
    }

    /// Returns the header that stores a refresh token for this number of seconds.
    pub(super) fn set(&self, refresh_token: &str, max_age: u64) -> Option<(HeaderName, HeaderValue)> {
        let cookie =
            format!("{}={refresh_token}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={max_age}", self.name);
        // Always a header value: the id of such a client and our tokens consist of letters, digits, `-` and `_`.
        let mut value = HeaderValue::try_from(cookie).ok()?;
        value.set_sensitive(true);
        Some((SET_COOKIE, value))
    }

    /// Returns the header that deletes the cookie.
    pub(super) fn clear(&self) -> Option<(HeaderName, HeaderValue)> {
        self.set("", 0)
    }
}

/// Builds an error response. An `invalid_grant` about the token that the cookie presents deletes the cookie; all other
/// errors leave it.
pub(super) fn rejected(error: Error, cookie: Option<Cookie>) -> Response {
    let cookie = cookie.filter(|cookie| error.code() == Code::InvalidGrant && cookie.presented().is_some());
    (AppendHeaders(cookie.and_then(|cookie| cookie.clear())), error).into_response()
}
