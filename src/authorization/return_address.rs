//! The address to which the browser returns with the response.

use std::fmt;

use crate::error::Error;
use crate::redirect_uri::RedirectUri;

/// The redirect URI of a request, proven to be the client's, and the `state` that each response returns.
#[derive(Clone)]
pub struct ReturnAddress {
    /// The redirect URI, as it was requested.
    pub redirect_uri: RedirectUri,
    /// The `state` of the request.
    pub state: Option<String>,
}

/// Shows no `state`, which is for the client.
impl fmt::Debug for ReturnAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReturnAddress").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

impl ReturnAddress {
    /// Returns the URL of a successful response (RFC 6749 section 4.1.2), with the issuer (RFC 9207).
    pub fn with_code(&self, code: &str, issuer: &str) -> String {
        self.with([Some(("code", code)), None], issuer)
    }

    /// Returns the URL of an error response (RFC 6749 section 4.1.2.1), with the issuer (RFC 9207).
    pub fn with_error(&self, error: &Error, issuer: &str) -> String {
        let description = error.description().map(|description| description.to_string());
        let description = description.as_deref().map(|text| ("error_description", text));
        self.with([Some(("error", error.code().as_str())), description], issuer)
    }

    fn with(&self, result: [Option<(&str, &str)>; 2], issuer: &str) -> String {
        let state = self.state.as_deref().map(|state| ("state", state));
        self.redirect_uri.with_response(result.into_iter().flatten().chain(state).chain([("iss", issuer)]))
    }
}
