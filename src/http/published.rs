//! Public documents, which caches may store (RFC 9111) and revalidate by entity tag.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::{cors, only, paths};
use crate::app::App;
use crate::encoding::sha256;
use crate::error::Error;
use crate::keys::STALE_IF_ERROR;

mod jwks;
mod metadata;

/// Builds the routes, for a server with this issuer.
pub(super) fn router(issuer: &str) -> Router<Arc<App>> {
    let routes = |routes: MethodRouter<Arc<App>>| only("GET,HEAD", routes).layer(map_response(cors::for_everyone));
    // The path of an issuer may contain a colon, which axum 0.7 used for captures.
    let router = Router::new()
        .without_v07_checks()
        .route(paths::JWKS, routes(get(jwks::get)))
        .route(paths::OPENID_CONFIGURATION, routes(get(metadata::get)))
        .route(paths::AUTHORIZATION_SERVER, routes(get(metadata::get)));
    match metadata::path_of(issuer) {
        "" => router,
        path => router.route(&format!("{}{path}", paths::AUTHORIZATION_SERVER), routes(get(metadata::get))),
    }
}

/// Returns the JSON document, or 304 if the caller has it already (RFC 9110 section 13.1.2). Equal documents have equal
/// entity tags.
///
/// # Errors
/// `server_error`, which cannot occur, because the headers are valid.
fn document(request: &HeaderMap, json: &str, max_age: u32) -> Result<Response, Error> {
    let etag = format!("\"{}\"", sha256(json));
    let header = |text: &str| {
        HeaderValue::from_str(text).map_err(|_| Error::server_error("a header of a document is not valid"))
    };
    let cache_control = format!("public, max-age={max_age}, stale-if-error={STALE_IF_ERROR}");
    let headers = [(ETAG, header(&etag)?), (CACHE_CONTROL, header(&cache_control)?)];
    if has_etag(request, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let content_type = HeaderValue::from_static("application/json");
    Ok((headers, [(CONTENT_TYPE, content_type)], json.to_owned()).into_response())
}

/// Returns true if `If-None-Match` contains this entity tag, by weak comparison (RFC 9110 section 13.1.2).
fn has_etag(request: &HeaderMap, etag: &str) -> bool {
    request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    })
}
