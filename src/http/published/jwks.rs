//! `GET /.well-known/jwks.json`: the public keys that verify tokens (RFC 7517 section 5).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::document;
use crate::app::App;
use crate::error::Error;

/// Returns the last good set, even during an outage of Secrets Manager.
pub(super) async fn get(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Error> {
    let keys = app.keyring.current().await?;
    document(&headers, &keys.jwks, app.config.keys.max_age)
}
