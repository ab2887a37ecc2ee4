//! The error of a request of a browser: a page, or a redirect to the client.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};

use super::pages::ErrorPage;
use super::responses::redirect;
use crate::authorization::ReturnAddress;
use crate::error::Error;
use crate::http::decision::Decision;

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

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Error(error) => error.into_response(),
            Self::Page(page, error) => page.because(error),
            Self::Redirect(location, error) => {
                let mut response = redirect(&location);
                response.extensions_mut().insert(Decision::NotIssued(Arc::new(error)));
                response
            }
        }
    }
}
