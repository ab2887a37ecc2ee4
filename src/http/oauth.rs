//! The endpoints that clients call (RFC 6749 section 3).

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use super::{cors, only};
use crate::app::App;
use crate::error::Error;

mod cookie;
mod token;

/// Builds the routes.
pub(super) fn router() -> Router<Arc<App>> {
    let token = post(token::post).options(cors::preflight);
    Router::new().route("/oauth/token", only(cors::METHODS, token).layer(from_fn(cors::by_origin)))
}

/// Builds the routes of a deployment without login pages. The metadata of every server has an authorization endpoint.
pub(super) fn without_pages() -> Router<Arc<App>> {
    let no_login_pages = async || Error::unsupported_response_type("This server has no login pages.");
    Router::new().route("/oauth/authorize", only("GET,POST", get(no_login_pages).post(no_login_pages)))
}
