//! The page `error`.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::texts::{Message, Texts};
use super::{Page, View};
use crate::error::Error;

/// An error page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPage {
    /// `client`: the client is unknown or disabled.
    Client,
    /// `redirect_uri`: the redirect URI is not registered.
    RedirectUri,
    /// `request`: the request cannot be decoded.
    Request,
    /// `cross_site`: the form is not from one of our pages.
    CrossSite,
    /// `applications`: the user has allowed access to the largest number of clients.
    Applications,
    /// `unavailable`: a dependency is down.
    Unavailable,
    /// `server_error`: a bug, or a deployment or record that is not valid.
    ServerError,
}

impl ErrorPage {
    /// Returns the page for the JSON error of a layer or a handler, by its status. `None` for errors that stay in JSON:
    /// the path or the method does not exist.
    pub(in crate::http::browser) fn of_status(status: StatusCode) -> Option<Self> {
        match status {
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Some(Self::Request),
            StatusCode::SERVICE_UNAVAILABLE => Some(Self::Unavailable),
            StatusCode::INTERNAL_SERVER_ERROR => Some(Self::ServerError),
            _ => None,
        }
    }

    /// Builds the response of a handler that ends with this page. The layer of the routes renders the page, in the language
    /// of the request. Only the log contains `error`.
    pub fn because(self, error: Error) -> Response {
        let mut response = error.into_response();
        response.extensions_mut().insert(self);
        response
    }

    const fn row(self) -> (&'static str, StatusCode) {
        match self {
            Self::Client => ("client", StatusCode::BAD_REQUEST),
            Self::RedirectUri => ("redirect_uri", StatusCode::BAD_REQUEST),
            Self::Request => ("request", StatusCode::BAD_REQUEST),
            Self::CrossSite => ("cross_site", StatusCode::FORBIDDEN),
            Self::Applications => ("applications", StatusCode::BAD_REQUEST),
            Self::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
            Self::ServerError => ("server_error", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn message(self, texts: &Texts) -> &Message {
        let errors = &texts.errors;
        match self {
            Self::Client => &errors.client,
            Self::RedirectUri => &errors.redirect_uri,
            Self::Request => &errors.request,
            Self::CrossSite => &errors.cross_site,
            Self::Applications => &errors.applications,
            Self::Unavailable => &errors.unavailable,
            Self::ServerError => &errors.server_error,
        }
    }

    fn links_to_account(self) -> bool {
        self == Self::Applications
    }

    /// Renders the page.
    pub(in crate::http::browser) fn response(self, view: &View) -> Response {
        ErrorTemplate { view, page: self }.response()
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorTemplate<'a> {
    view: &'a View,
    page: ErrorPage,
}

impl Page for ErrorTemplate<'_> {
    fn view(&self) -> &View {
        self.view
    }

    fn name(&self) -> &'static str {
        "error"
    }

    fn title(&self) -> &'static str {
        self.page.message(self.view.texts()).heading
    }

    fn error_name(&self) -> Option<&'static str> {
        Some(self.page.row().0)
    }

    fn status(&self) -> StatusCode {
        self.page.row().1
    }
}
