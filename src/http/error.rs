//! Error responses: status, headers and JSON of an [`Error`] (RFC 6749 section 5.2), and the decision for the log.

use std::sync::Arc;

use axum::Json;
use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::decision::Decision;
use crate::error::{Code, Description, Error};
use crate::random::fill_random;

#[derive(Serialize)]
struct Body {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<Description>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let code = self.code();
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Json(Body { error: code.as_str(), error_description: self.description() });
        let mut response = (status, body).into_response();
        let header = match code {
            Code::InvalidClient => {
                Some((WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"oauth\", charset=\"UTF-8\"")))
            }
            Code::TooManyAttempts { retry_after } => Some((RETRY_AFTER, HeaderValue::from(retry_after))),
            Code::TemporarilyUnavailable => Some((RETRY_AFTER, HeaderValue::from(retry_after()))),
            Code::MethodNotAllowed { allow } => Some((ALLOW, HeaderValue::from_static(allow))),
            _ => None,
        };
        response.headers_mut().extend(header);
        response.extensions_mut().insert(Decision::NotIssued(Arc::new(self)));
        response
    }
}

/// Returns 2 to 5 seconds at random, so that clients do not all retry in the same second after an outage.
fn retry_after() -> u16 {
    let mut random = [0];
    fill_random(&mut random);
    2 + u16::from(random[0] % 4)
}
