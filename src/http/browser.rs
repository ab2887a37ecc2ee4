//! The paths that a user's browser calls: the layer of their routes, and the check of their forms. `pages` has the HTML.

use std::mem;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN, REFERRER_POLICY, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};

use super::{only, paths};
use crate::app::App;
use crate::config::{Config, Pages};
use crate::error::Error;
use crate::session::SessionLifetimes;

mod account;
mod authorize;
mod consent;
mod cookies;
mod failure;
mod issue;
mod login;
mod logout;
pub mod pages;
mod requested;
mod responses;
mod silent;
mod visit;

use pages::{ErrorPage, Look, View};
use silent::SilentAddress;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Builds the routes of the login pages.
pub(super) fn router(config: &Config, pages: &Pages) -> Router<Arc<App>> {
    let lifetimes = SessionLifetimes {
        idle: pages.session_idle,
        max: pages.session_max,
        family: config.lifetimes.refresh_token_max,
    };
    let of_our_forms = |routes: MethodRouter<Arc<App>>| only("POST", routes.layer(from_fn(our_form)));
    let again = get(authorize::again);
    let routes = Router::new()
        .route(paths::AUTHORIZE, only("GET,POST", get(authorize::get).post(authorize::post)))
        .route("/oauth/login", only("GET,POST", again.clone().merge(post(login::post).layer(from_fn(our_form)))))
        .route("/oauth/consent", only("GET,POST", again.merge(post(consent::post).layer(from_fn(our_form)))))
        .route(paths::LOGOUT, only("GET,POST", get(logout::get).post(logout::post)))
        .route(paths::ACCOUNT, only("GET", get(account::get)))
        .route("/account/remove", of_our_forms(post(account::remove)))
        .route("/account/limit", of_our_forms(post(account::limit)))
        .route("/account/sign-out", of_our_forms(post(account::sign_out)))
        .route("/account/sign-out-everywhere", of_our_forms(post(account::sign_out_everywhere)))
        .layer(Extension(lifetimes));
    with_pages(routes, Arc::new(Look::new(pages, &config.issuer)))
}

/// Puts the [`View`] of each request into its extensions. Turns errors into error pages or into redirects to the client,
/// except those of unknown methods. Adds the headers of redirects.
pub fn with_pages<S: Clone + Send + Sync + 'static>(routes: Router<S>, look: Arc<Look>) -> Router<S> {
    routes.layer(from_fn_with_state(look, as_page))
}

async fn as_page(State(look): State<Arc<Look>>, mut request: Request, next: Next) -> Response {
    let view = View::new(&look, request.uri().query().unwrap_or_default().as_bytes(), request.headers());
    request.extensions_mut().insert(view.clone());
    let silent = SilentAddress::default();
    request.extensions_mut().insert(silent.clone());
    let mut response = silent.redirected(next.run(request).await);
    if let Some(page) = error_page(&response) {
        let mut rendered = page.response(response.extensions().get().unwrap_or(&view));
        // The decision for the log.
        *rendered.extensions_mut() = mem::take(response.extensions_mut());
        rendered.headers_mut().extend(response.headers_mut().remove(RETRY_AFTER).map(|value| (RETRY_AFTER, value)));
        return rendered;
    }
    if response.status().is_redirection() {
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    }
    response
}

/// Returns the page for the response, if it is an error that is not a page yet.
fn error_page(response: &Response) -> Option<ErrorPage> {
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|media_type| media_type == "application/json");
    let by_status = || ErrorPage::of_status(response.status()).filter(|_| is_json);
    response.extensions().get().copied().or_else(by_status)
}

/// Rejects a form that is not from one of our own pages, before its body is read (S-812). The layer of each route that
/// has a form.
pub async fn our_form(Extension(view): Extension<View>, request: Request, next: Next) -> Response {
    if is_from(view.origin(), request.headers()) {
        return next.run(request).await;
    }
    ErrorPage::CrossSite.because(Error::invalid_request("The form is not from a page of this origin."))
}

/// Returns true if a page of this origin sent the request: by Fetch Metadata, or by `Origin` in browsers without it.
fn is_from(origin: &str, headers: &HeaderMap) -> bool {
    let only = |name: &HeaderName, expected: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().is_some_and(|value| value == expected) && values.next().is_none()
    };
    if headers.contains_key(SEC_FETCH_SITE) { only(&SEC_FETCH_SITE, "same-origin") } else { only(&ORIGIN, origin) }
}
