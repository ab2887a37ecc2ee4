//! The HTTP API: the routes, and the layers of every response.

use std::any::Any;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, PRAGMA, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{Next, from_fn, map_request, map_request_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Extension, Router};
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::config::Limits;
use crate::error::Error;

pub mod browser;
mod cors;
mod decision;
mod error;
mod health;
mod oauth;
mod paths;
mod published;
pub mod request;

/// The origin of a request, according to the gateway. Headers are not used, because any caller can send them. The
/// server of the router puts this into the extensions of the request.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The gateway's id of the request.
    pub request_id: String,
    /// The address of the caller.
    pub source: String,
}

/// The certificate of the caller as PEM, if the gateway required one. No header contains it, because any caller can send
/// headers (S-1024). The server of the router puts this into the extensions of the request.
#[derive(Clone, Debug)]
pub struct ClientCertificate(pub String);

/// Marks a request that was not well-formed when it was received: its method, a header or its body is not what HTTP can
/// represent. The server of the router puts this into the extensions of the request, and the response is 400.
#[derive(Clone, Copy, Debug)]
pub struct Malformed;

/// Builds the routes, and the layers around all of them.
///
/// Layers that belong together are one tuple, the outermost first. With each request, axum clones everything inside each
/// call of `layer`.
pub fn router(app: Arc<App>) -> Router {
    let pages = match &app.config.pages {
        Some(pages) => browser::router(&app.config, pages).merge(oauth::with_pages(&app)),
        None => oauth::without_pages(),
    };
    published::router(&app.config.issuer)
        .merge(pages)
        .merge(oauth::router(&app))
        .route("/healthz", only("GET", get(health::get)))
        .fallback((async || Error::not_found()).layer(map_request(well_formed)))
        .layer((
            from_fn(decision::log),
            map_request_with_state(app.clone(), reload_keys),
            map_response(headers),
            Extension(app.config.limits),
        ))
        .with_state(app)
}

/// Completes the routes of one path: every other method is 405, a panic is 500, and a late response is 503. axum serves
/// HEAD for each GET; a path that does not list HEAD rejects it.
fn only(methods: &'static str, routes: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    let rejected = async move || Error::method_not_allowed(methods);
    let routes = if methods.contains("HEAD") { routes } else { routes.head(rejected) };
    let layers = (map_request(well_formed), from_fn(deadline), CatchPanicLayer::custom(panicked));
    routes.fallback(rejected).layer(layers)
}

/// Rejects a request that is [`Malformed`]. Runs inside the layers of the path, so that the response has their headers.
async fn well_formed(request: Request) -> Result<Request, Error> {
    match request.extensions().get() {
        Some(Malformed) => Err(Error::invalid_request("The request is not well-formed HTTP.")),
        None => Ok(request),
    }
}

/// Reloads the signing keys if that is due, beside the request, which may be one to an unknown path.
async fn reload_keys(State(app): State<Arc<App>>, request: Request) -> Request {
    app.keyring.reload_if_due();
    request
}

/// Ends a request that takes too long. What must happen for every response is in the layers outside this one, because
/// the deadline drops the handler at any `await`.
async fn deadline(Extension(limits): Extension<Limits>, request: Request, next: Next) -> Result<Response, Error> {
    let late = |_| Error::temporarily_unavailable("a dependency did not respond in time");
    timeout(limits.request, next.run(request)).await.map_err(late)
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
