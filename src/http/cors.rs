//! Cross-origin requests from browsers (CORS, Fetch standard section 3.2).
//!
//! A page may read a response at the token or revocation endpoint only if the client is authenticated and lists the page's
//! origin. A preflight request does not name a client, so every origin is approved. That is safe, because a form POST needs
//! no preflight either. Browsers send and store the cookie of a client only if the responses allow credentials.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION, ORIGIN, VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::client::Client;
use crate::error::Error;

/// The methods of a path that browsers may call from an origin of the client.
pub(super) const METHODS: &str = "POST,OPTIONS";
/// The methods of the path that browsers may call from every origin: userinfo.
pub(super) const METHODS_FOR_EVERYONE: &str = "GET,POST,OPTIONS";

/// The page that sent a request, if one did. The handler and [`by_origin`] share it, so that the page can also read the
/// response of a handler that exceeded its deadline.
#[derive(Clone)]
pub(super) struct Page {
    origin: Option<HeaderValue>,
    readable: Arc<OnceLock<Readable>>,
}

/// The page may read the response.
#[derive(Clone, Copy)]
struct Readable {
    /// True if the request may contain cookies.
    with_credentials: bool,
}

impl Page {
    /// Returns the origin of the page.
    pub(super) fn origin(&self) -> Option<&str> {
        self.origin.as_ref().and_then(|origin| origin.to_str().ok())
    }

    /// Lets the page read the response if its origin is one of the client's. The caller has authenticated the client.
    pub(super) fn let_read(&self, client: &Client) {
        if self.origin().is_some_and(|origin| client.allowed_origins.contains(origin)) {
            self.readable.get_or_init(|| Readable { with_credentials: client.refresh_token_cookie });
        }
    }
}

/// Approves a preflight request, whatever its origin. Any other `OPTIONS` is 405.
pub(super) async fn preflight(request: HeaderMap) -> Response {
    let Some(origin) = origin_of_preflight(&request) else {
        return Error::method_not_allowed(METHODS).into_response();
    };
    let of_origin = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()),
        (ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")),
    ];
    (of_origin, approval("POST")).into_response()
}

/// Approves a preflight request for a path that every page may read. Any other `OPTIONS` is 405.
pub(super) async fn preflight_for_everyone(request: HeaderMap) -> Response {
    match origin_of_preflight(&request) {
        Some(_) => approval("GET, POST").into_response(),
        None => Error::method_not_allowed(METHODS_FOR_EVERYONE).into_response(),
    }
}

fn origin_of_preflight(request: &HeaderMap) -> Option<&HeaderValue> {
    request.get(ORIGIN).filter(|_| request.contains_key(ACCESS_CONTROL_REQUEST_METHOD))
}

fn approval(methods: &'static str) -> impl IntoResponse {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, methods),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, accept, dpop"),
        (ACCESS_CONTROL_MAX_AGE, "7200"),
    ];
    (StatusCode::NO_CONTENT, headers)
}

/// Marks every response of a path as dependent on `Origin`, and adds the headers that let the page read it.
pub(super) async fn by_origin(mut request: Request, next: Next) -> Response {
    let page = Page { origin: request.headers().get(ORIGIN).cloned(), readable: Arc::default() };
    request.extensions_mut().insert(page.clone());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = page.origin else {
        return response;
    };
    if let Some(Readable { with_credentials }) = page.readable.get() {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After, DPoP-Nonce"));
        if *with_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    response
}

/// Replaces the Basic challenge of a response if the request is one of a page that did not use Basic: Chromium would open
/// its login dialog, and the page would get no response.
pub(super) async fn challenge(request: Request, next: Next) -> Response {
    let is_of_page = request.headers().contains_key(ORIGIN) && !uses_basic(request.headers());
    let mut response = next.run(request).await;
    if is_of_page && let Some(challenge) = response.headers_mut().get_mut(WWW_AUTHENTICATE) {
        *challenge = HeaderValue::from_static("Bearer realm=\"oauth\"");
    }
    response
}

fn uses_basic(request: &HeaderMap) -> bool {
    let scheme =
        |value: &HeaderValue| value.as_bytes().split(|byte| *byte == b' ').next().map(<[u8]>::to_ascii_lowercase);
    request.get_all(AUTHORIZATION).iter().any(|value| scheme(value).as_deref() == Some(b"basic"))
}

/// Lets every page read every response of a path.
pub(super) async fn for_everyone(mut response: Response) -> Response {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
