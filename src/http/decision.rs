//! The log line of a request: one for each decision, written in one place when the response is ready.
//!
//! Handlers and errors put a [`Decision`] into the extensions of the response. Other fields of the request are recorded
//! in its span. A response without a decision, such as a public document, has no line.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument;
use tracing::field::Empty;

use super::Origin;
use crate::error::Error;

/// The decision about a request.
#[derive(Clone)]
pub(super) enum Decision {
    /// A token was issued.
    Issued,
    /// The request was rejected, or failed because of a server error.
    NotIssued(Arc<Error>),
}

impl Decision {
    fn log(&self, status: u16, total_ms: u64) {
        let Self::NotIssued(error) = self else {
            tracing::info!(outcome = "issued", status, total_ms);
            return;
        };
        let (error, reason) = (error.code().as_str(), &*error.reason());
        if status >= 500 {
            tracing::error!(outcome = "failed", status, total_ms, error, reason);
        } else {
            tracing::info!(outcome = "rejected", status, total_ms, error, reason);
        }
    }
}

/// Opens the span of a request, and logs the decision when the response is ready.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let Origin { request_id, source } = request.extensions().get().cloned().unwrap_or_default();
    let span = tracing::info_span!(
        "request",
        request_id,
        source,
        // Absent if the path does not exist: an unknown path may contain anything.
        route = request.extensions().get().map(MatchedPath::as_str),
        grant = Empty,
        client_id = Empty,
        user = Empty,
        version = Empty,
        kid = Empty,
        lane = Empty,
        failures = Empty,
        retry_after = Empty,
        risk = Empty
    );
    let response = next.run(request).instrument(span.clone()).await;
    if let Some(decision) = response.extensions().get::<Decision>() {
        let total_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        span.in_scope(|| decision.log(response.status().as_u16(), total_ms));
    }
    response
}
