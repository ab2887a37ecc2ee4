//! The HTTP API: the routes, and the layers of every response.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, PRAGMA, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{from_fn, map_request, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::error::Error;

mod accept;
mod body;
mod client_auth;
mod cors;
mod decision;
mod error;
mod health;
mod jwks;
mod media_type;
mod metadata;
mod published;
mod token;

/// The origin of a request, according to the gateway. Headers are not used, because any caller can send them. The
/// server of the router puts this into the extensions of the request.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The gateway's id of the request.
    pub request_id: String,
    /// The address of the caller.
    pub source: String,
}

/// Marks a request that was not well-formed when it was received: its method, a header or its body is not what HTTP can
/// represent. The server of the router puts this into the extensions of the request, and the response is 400.
#[derive(Clone, Copy, Debug)]
pub struct Malformed;

/// Builds the routes, and the layers around all of them.
pub fn router(app: Arc<App>) -> Router {
    let token = post(token::post).options(cors::preflight);
    let no_login_pages = async || Error::unsupported_response_type();
    // The path of an issuer may contain a colon, which axum 0.7 used for captures.
    let mut router = Router::new()
        .without_v07_checks()
        .route("/oauth/token", only(cors::METHODS, token).layer(from_fn(cors::by_origin)))
        .route("/oauth/authorize", only("GET,POST", get(no_login_pages).post(no_login_pages)))
        .route("/.well-known/jwks.json", document(get(jwks::get)))
        .route(metadata::OPENID_CONFIGURATION, document(get(metadata::get)))
        .route(metadata::AUTHORIZATION_SERVER, document(get(metadata::get)))
        .route("/healthz", only("GET", get(health::get)));
    let path = metadata::path_of(&app.config.issuer);
    if !path.is_empty() {
        router = router.route(&format!("{}{path}", metadata::AUTHORIZATION_SERVER), document(get(metadata::get)));
    }
    router
        .fallback((async || Error::not_found()).layer(map_request(well_formed)))
        .layer(DefaultBodyLimit::max(body::MAX_BYTES))
        .layer(map_response(headers))
        .layer(from_fn(decision::log))
        .with_state(app)
}

/// Completes the routes of one path: every other method is 405, and a panic is 500. axum serves HEAD for each GET; a
/// path that does not list HEAD rejects it.
fn only(methods: &'static str, routes: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    let rejected = async move || Error::method_not_allowed(methods);
    let routes = if methods.contains("HEAD") { routes } else { routes.head(rejected) };
    routes.fallback(rejected).layer(CatchPanicLayer::custom(panicked)).layer(map_request(well_formed))
}

/// Completes the routes of a public document.
fn document(routes: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    only("GET,HEAD", routes).layer(map_response(cors::for_everyone))
}

/// Rejects a request that is [`Malformed`]. Runs inside the layers of the path, so that the response has their headers.
async fn well_formed(request: Request) -> Result<Request, Error> {
    match request.extensions().get() {
        Some(Malformed) => Err(Error::invalid_request("The request is not well-formed HTTP.")),
        None => Ok(request),
    }
}

/// Converts a panic to a 500 response, so that the execution environment survives (S-103). The message of the panic is
/// not logged, because it may quote anything.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Error::server_error("a panic; the line before this says where").into_response()
}

/// Adds the headers of every response (RFC 6749 section 5.1). A response that caches may store has its own
/// `Cache-Control`.
async fn headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
