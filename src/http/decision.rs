//! The log line of a request: one for each decision, written in one place when the response is ready.
//!
//! Handlers and errors put a [`Decision`] into the extensions of the response. Other fields of the request are recorded
//! in its span. A response without a decision, such as a public document, has no line.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use tracing::field::Empty;

use super::Origin;
use crate::durations::{self, Durations};
use crate::error::Error;

/// The decision about a request.
#[derive(Clone)]
pub(super) enum Decision {
    /// A token was issued.
    Issued,
    /// A token was revoked or introspected, or used at the userinfo endpoint.
    Done {
        /// The reason why nothing was revoked, or why the token is not active.
        reason: Option<&'static str>,
    },
    /// The request was rejected, or failed because of a server error.
    NotIssued(Arc<Error>),
}

impl Decision {
    fn log(&self, event: Option<&str>, status: u16, durations: Durations) {
        let Durations { hash_ms, store_ms, total_ms } = durations;
        let error = match self {
            Self::Issued => return tracing::info!(event, outcome = "issued", status, hash_ms, store_ms, total_ms),
            Self::Done { reason } => {
                return tracing::info!(event, outcome = "done", status, reason, hash_ms, store_ms, total_ms);
            }
            Self::NotIssued(error) => error,
        };
        let (is_server_error, error, reason) = (error.code().status() >= 500, error.code().as_str(), &*error.reason());
        if is_server_error {
            tracing::error!(event, outcome = "failed", status, error, reason, hash_ms, store_ms, total_ms);
        } else {
            tracing::info!(event, outcome = "rejected", status, error, reason, hash_ms, store_ms, total_ms);
        }
    }
}

/// Returns the event of a decision at this route: the name of the endpoint, so that no new route lacks one. The health
/// check and the public documents decide nothing.
fn event(route: &str) -> Option<&str> {
    let mut segments = route.split('/').skip(1);
    match segments.next() {
        Some("oauth") => segments.next(),
        Some("healthz" | ".well-known") => None,
        first => first,
    }
}

/// Opens the span of a request, and logs the decision when the response is ready.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let origin: Option<&Origin> = request.extensions().get();
    let (request_id, source) = origin.map(|origin| (&*origin.request_id, &*origin.source)).unwrap_or_default();
    // Absent if the path does not exist: an unknown path may contain anything.
    let matched: Option<MatchedPath> = request.extensions().get().cloned();
    let route = matched.as_ref().map(MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        request_id,
        source,
        route,
        grant = Empty,
        version = Empty,
        client_id = Empty,
        secret_id = Empty,
        legacy_audience = Empty,
        user = Empty,
        user_source = Empty,
        session = Empty,
        jti = Empty,
        jkt = Empty,
        kid = Empty,
        risk = Empty,
        upgraded = Empty,
        lane = Empty,
        failures = Empty,
        retry_after = Empty
    );
    let (response, durations) = durations::of(next.run(request).instrument(span.clone())).await;
    if let Some(decision) = response.extensions().get::<Decision>() {
        span.in_scope(|| decision.log(route.and_then(event), response.status().as_u16(), durations));
    }
    response
}
