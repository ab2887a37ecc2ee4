//! The pages: HTML that is rendered on the server, without script.
//!
//! A page is a struct with everything that it shows. A handler gets the [`View`] of its request from the extensions, fills
//! the struct, and returns its response:
//!
//! ```text
//! let page = Login { view: &view, client: Some(Outside(name)), query: &q, username: Outside(""), error: None };
//! page.response()
//! ```
//!
//! | page | struct |
//! |---|---|
//! | `login` | [`Login`], with a [`LoginError`] |
//! | `consent` | [`Consent`], with one [`ScopeLine`] for each scope |
//! | `account` | [`Account`], with one [`AppLine`] for each client |
//! | `sign-out`, `signed-out` | [`SignOut`], [`SignedOut`] |
//! | `error` | [`ErrorPage`]; the layer of the routes renders it for the response of [`ErrorPage::because`], and for errors |
//!
//! `templates/` has the HTML and the style, `texts/` the texts of each language. Text from outside is [`Outside`], which
//! removes control and format characters; the templates escape it.

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::error::Error;

mod account;
mod consent;
mod error;
mod language;
mod login;
mod look;
mod outside;
mod sign_out;
mod texts;

pub use account::{Account, AppLine};
pub use consent::{Consent, Keep, ScopeLine};
pub use error::ErrorPage;
pub(in crate::http) use language::languages;
pub use login::{Login, LoginError};
pub use look::{Look, View};
pub use outside::Outside;
pub use sign_out::{SignOut, SignedOut};

/// An error in a form.
pub struct Problem {
    /// The name of the error, in `data-error`.
    name: &'static str,
    /// The id of the field that has to change.
    field: String,
    text: String,
}

/// A page.
pub trait Page: Template {
    /// Returns the view of the request.
    fn view(&self) -> &View;

    /// Returns the name of the page, in `data-page`.
    fn name(&self) -> &'static str;

    /// Returns the title, without the brand.
    fn title(&self) -> &'static str;

    /// Returns the error in the form of the page.
    fn problem(&self) -> Option<Problem> {
        None
    }

    /// Returns the name of the error, in `data-error`.
    fn error_name(&self) -> Option<&'static str> {
        self.problem().map(|problem| problem.name)
    }

    /// Returns the status of the response.
    fn status(&self) -> StatusCode {
        if self.problem().is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
    }

    /// Returns the content security policy.
    fn policy(&self) -> &HeaderValue {
        self.view().policy()
    }

    /// Returns the seconds after which the browser may send the form again, if they are known.
    fn retry_after(&self) -> Option<u32> {
        None
    }

    /// Renders the page.
    fn response(&self) -> Response {
        let Ok(html) = self.render() else {
            return Error::server_error("a page cannot be rendered").into_response();
        };
        let fixed = [
            (CONTENT_TYPE, HTML),
            (REFERRER_POLICY, "same-origin"),
            (X_FRAME_OPTIONS, "DENY"),
            (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
            (CACHE_CONTROL, "no-store"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_ROBOTS_TAG, "noindex"),
        ];
        let mut response = (self.status(), fixed, html).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, self.policy().clone());
        if self.view().origin().starts_with("https:") {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The media type of a page.
const HTML: &str = "text/html; charset=utf-8";
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");
