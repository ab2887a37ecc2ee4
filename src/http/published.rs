//! Public documents, which caches may store (RFC 9111) and revalidate by entity tag.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;

/// Seconds after `max-age` during which a cache may serve a document that it cannot revalidate (RFC 5861 section 4).
///
/// No verifier may miss a key that signs (S-505). A key is public for at least 9,000 s before it signs. Of these, 900 s
/// may pass before a process loads it, and 900 s more before a cache revalidates (`KEYS_MAX_AGE` is at most 900). The
/// remaining 7,200 s are also the time for which API Gateway's authorizers cache keys.
const STALE_IF_ERROR: u32 = 7_200;

/// Returns the JSON document, or 304 if the caller has it already (RFC 9110 section 13.1.2). Equal documents have equal
/// entity tags.
///
/// # Errors
/// `server_error`, which cannot occur, because the headers are valid.
pub(super) fn answer(request: &HeaderMap, json: &str, max_age: u32) -> Result<Response, Error> {
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest(&SHA256, json.as_bytes())));
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
