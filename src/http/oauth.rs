//! The endpoints that clients call (RFC 6749 section 3).

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{MethodRouter, get, post};

use super::{cors, only};
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
    let of_pages = |routes: MethodRouter<Arc<App>>| {
        only(cors::METHODS, routes.options(cors::preflight)).layer(from_fn(cors::by_origin))
    };
    let challenged = |routes: MethodRouter<Arc<App>>| routes.layer(from_fn(cors::challenge));
    let token = challenged(of_pages(post(token::post)));
    Router::new()
        .route(token::PATH, token.layer(from_fn_with_state(app.clone(), binding::add_nonce)))
        .route(revoke::PATH, challenged(of_pages(post(revoke::post))))
        .route(introspect::PATH, challenged(only("POST", post(introspect::post))))
}

/// Builds the routes of a deployment with login pages.
pub(super) fn with_pages(app: &Arc<App>) -> Router<Arc<App>> {
    let routes = get(userinfo::handle).post(userinfo::handle).options(cors::preflight_for_everyone);
    let routes = only(cors::METHODS_FOR_EVERYONE, routes).layer(map_response(userinfo::headers));
    let routes = routes.layer(map_response(cors::for_everyone));
    Router::new().route(userinfo::PATH, routes.layer(from_fn_with_state(app.clone(), binding::add_nonce)))
}

/// Builds the routes of a deployment without login pages. The metadata of every server has an authorization endpoint.
pub(super) fn without_pages() -> Router<Arc<App>> {
    let no_login_pages = async || Error::unsupported_response_type("This server has no login pages.");
    Router::new().route("/oauth/authorize", only("GET,POST", get(no_login_pages).post(no_login_pages)))
}
