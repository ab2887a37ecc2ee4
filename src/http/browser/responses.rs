//! The responses that the steps have in common: redirects and the login page.

use axum::Extension;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::pages::{Login, LoginError, Outside, Page};
use super::requested::Requested;
use super::visit::Visit;
use crate::error::Error;
use crate::http::decision::Decision;
use crate::http::paths;

/// Returns a redirect. 303 always becomes a GET, so no form is sent a second time (RFC 9700 section 4.12).
pub(super) fn redirect(location: &str) -> Response {
    match HeaderValue::try_from(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(_) => Error::server_error("the location of a redirect is not a header value").into_response(),
    }
}

/// Returns the redirect to the account page, as the end of a step.
pub(super) fn to_account(visit: &Visit) -> Response {
    done(redirect(&format!("{}{}", visit.view.base(), paths::ACCOUNT)))
}

/// Returns the login page. Without a request it leads to the account page.
pub(super) fn login_page(
    visit: &Visit,
    requested: Option<&Requested>,
    username: &str,
    error: Option<LoginError>,
) -> Response {
    let page = Login {
        view: &visit.view,
        client: requested.map(Requested::shown_name),
        query: &requested.map(Requested::query).unwrap_or_default(),
        username: Outside(username),
        error,
    };
    done(page.response())
}

/// Marks a response as the end of a step that issued nothing.
pub(super) fn done(response: Response) -> Response {
    (Extension(Decision::Done { reason: None }), response).into_response()
}
