//! `POST /oauth/token` (RFC 6749 section 3.2). The first check that fails decides the error.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use tokio::time::timeout;

use super::accept::token_version;
use super::body::{ContentType, check_encoding, check_query};
use super::client_auth::{authenticate, credentials};
use super::cors;
use super::decision::Decision;
use crate::app::App;
use crate::error::Error;
use crate::grant::{self, Caller};

/// The limit for all calls of a request together, after which the response is 503 (S-704). Each call has a shorter
/// timeout, but a request makes several calls.
const DEADLINE: Duration = Duration::from_millis(3_800);

/// Handles a token request.
pub(super) async fn post(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    app.keyring.reload_if_due();

    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::BodyTooLarge,
        _ => Error::InvalidRequest("The body cannot be read."),
    })?;
    check_encoding(&headers)?;
    let content_type = ContentType::of(&headers)?;
    check_query(&query.unwrap_or_default())?;
    let version = token_version(&headers)?;
    let mut params = content_type.read(&body)?;
    let credentials = credentials(&headers, &mut params)?;
    let grant_type = grant::take_grant_type(&mut params)?;
    let span = tracing::Span::current();
    span.record("grant", grant_type.as_str());
    span.record("version", version.number());

    // Set when the client is authenticated, and sent with every response from then on: a token or an error.
    let mut readable = None;
    let authenticated = async {
        let client = authenticate(&app, credentials).await?;
        readable = cors::readable(&headers, &client);
        if !client.grant_types.contains(&grant_type) {
            return Err(Error::UnauthorizedClient);
        }
        Ok(Caller { client, version })
    };
    let issued = grant::run(&app, grant_type, params, authenticated);
    let late = |_| Error::TemporarilyUnavailable("a dependency did not respond in time".to_owned());
    let issued = timeout(DEADLINE, issued).await.map_err(late).flatten();
    let issued = issued.map(|issued| (Extension(Decision::Issued), Json(issued)));
    Ok((readable, issued).into_response())
}
