//! The endpoints that clients call (RFC 6749 section 3).

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{MethodRouter, get, post};

use super::{cors, only, paths};
use crate::app::App;
use crate::error::Error;

mod binding;
mod cookie;
mod introspect;
mod post;
mod presented;
mod revoke;
mod token;
mod userinfo;

/// Builds the routes.
pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let of_pages = |routes: MethodRouter<Arc<App>>| only(cors::METHODS, routes.options(cors::preflight));
    let (challenge, by_origin) = (from_fn(cors::challenge), from_fn(cors::by_origin));
    let add_nonce = from_fn_with_state(app.clone(), binding::add_nonce);
    Router::new()
        .route(paths::TOKEN, of_pages(post(token::post)).layer((add_nonce, challenge.clone(), by_origin.clone())))
        .route(paths::REVOKE, of_pages(post(revoke::post)).layer((challenge.clone(), by_origin)))
        .route(paths::INTROSPECT, only("POST", post(introspect::post)).layer(challenge))
}

/// Builds the routes of a deployment with login pages.
pub(super) fn with_pages(app: &Arc<App>) -> Router<Arc<App>> {
    let routes = get(userinfo::handle).post(userinfo::handle).options(cors::preflight_for_everyone);
    let add_nonce = from_fn_with_state(app.clone(), binding::add_nonce);
    let layers = (add_nonce, map_response(cors::for_everyone), map_response(userinfo::headers));
    Router::new().route(paths::USERINFO, only(cors::METHODS_FOR_EVERYONE, routes).layer(layers))
}

/// Builds the routes of a deployment without login pages. The metadata of every server has an authorization endpoint.
pub(super) fn without_pages() -> Router<Arc<App>> {
    let no_login_pages = async || Error::unsupported_response_type("This server has no login pages.");
    Router::new().route(paths::AUTHORIZE, only("GET,POST", get(no_login_pages).post(no_login_pages)))
}
