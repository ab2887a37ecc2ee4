//! The error of a request of a browser: a page, or a redirect to the client.

use std::sync::Arc;

use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::pages::ErrorPage;
use crate::authorization::ReturnAddress;
use crate::error::Error;
use crate::http::decision::Decision;
use crate::store::StoreError;

/// The error of a request.
pub(super) enum Failure {
    /// The page of the error's status.
    Error(Error),
    /// This page. Only the log contains the error.
    Page(ErrorPage, Error),
    /// A redirect to this URL of the client.
    Redirect(String, Error),
}

impl Failure {
    /// Returns the redirect with an error to a proven address.
    pub fn redirect(address: &ReturnAddress, error: Error, issuer: &str) -> Self {
        Self::Redirect(address.with_error(&error, issuer), error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Error(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Error(error) => error.into_response(),
            Self::Page(page, error) => page.because(error).into_response(),
            Self::Redirect(location, error) => {
                let mut response = redirect(&location);
                response.extensions_mut().insert(Decision::NotIssued(Arc::new(error)));
                response
            }
        }
    }
}

/// Returns a redirect. 303 always becomes a GET, so no form is sent a second time (RFC 9700 section 4.12).
pub(super) fn redirect(location: &str) -> Response {
    match HeaderValue::try_from(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(_) => Error::server_error("the location of a redirect is not a header value").into_response(),
    }
}
