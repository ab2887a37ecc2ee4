//! `GET /healthz`: shows monitors if this process can sign tokens. Does not call DynamoDB.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::app::App;
use crate::error::Error;

#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
}

/// Returns `ok` if there are signing keys, and 503 otherwise.
pub(super) async fn get(State(app): State<Arc<App>>) -> Result<Json<Health>, Error> {
    app.keyring.current().await?;
    Ok(Json(Health { status: "ok" }))
}
