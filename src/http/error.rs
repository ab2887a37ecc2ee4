//! Error responses: status, headers and JSON of an [`Error`] (RFC 6749 section 5.2), and the decision for the log.

use std::sync::Arc;

use axum::Json;
use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::decision::Decision;
use crate::error::Error;
use crate::random::fill_random;

#[derive(Serialize)]
struct Body {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'static str>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Json(Body { error: self.code(), error_description: self.description() });
        let mut response = (status, body).into_response();
        match &self {
            Self::InvalidClient(_) => {
                let challenge = HeaderValue::from_static("Basic realm=\"oauth\", charset=\"UTF-8\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            Self::TemporarilyUnavailable(_) => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after()));
            }
            Self::MethodNotAllowed(methods) => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
            }
            _ => {}
        }
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
