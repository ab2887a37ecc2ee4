//! The page `login`.

use askama::Template;
use axum::http::StatusCode;

use super::{Outside, Page, Problem, View};

/// The form with username and password, on one page, as password managers need it.
#[derive(Template)]
#[template(path = "login.html")]
pub struct Login<'a> {
    /// The view of the request.
    pub view: &'a View,
    /// The name of the client, or its id if it has none. `None` at the account page.
    pub client: Option<Outside<'a>>,
    /// The canonical query of the authorization request. Empty at the account page.
    pub query: &'a str,
    /// The username for its field, as a client or a user sent it.
    pub username: Outside<'a>,
    /// The error of the last attempt.
    pub error: Option<LoginError>,
}

/// A rejected login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// `missing`: the form has no username or no password.
    Missing,
    /// `credentials`: the username or the password is wrong.
    Credentials,
    /// `throttled`: another attempt is allowed later.
    Throttled {
        /// The seconds until the next attempt is allowed.
        retry_after: u32,
    },
    /// `other_account`: the client expects another user.
    OtherAccount,
}

/// The limit of the content of the username's field, in bytes of HTML. A caller can send much longer ones, and the page
/// would have any size.
const MAX_USERNAME_BYTES: usize = 1024;

impl Login<'_> {
    /// Returns the content of the username's field. A username that is too long is not repeated.
    fn shown_username(&self) -> Outside<'_> {
        let html_bytes = |byte| if b"&<>\"'".contains(&byte) { "&#38;".len() } else { 1 };
        let size: usize = self.username.0.bytes().map(html_bytes).sum();
        Outside(if size <= MAX_USERNAME_BYTES { self.username.0 } else { "" })
    }

    fn marks_username(&self) -> bool {
        self.error.is_some() && !self.lacks_only_password()
    }

    fn marks_password(&self) -> bool {
        self.error.is_some_and(|error| error != LoginError::OtherAccount)
    }

    fn lacks_only_password(&self) -> bool {
        self.error == Some(LoginError::Missing) && !self.shown_username().0.is_empty()
    }
}

impl Page for Login<'_> {
    fn view(&self) -> &View {
        self.view
    }

    fn name(&self) -> &'static str {
        "login"
    }

    fn title(&self) -> &'static str {
        self.view.texts().login.heading
    }

    fn problem(&self) -> Option<Problem> {
        let errors = &self.view.texts().form_errors;
        let (name, text) = match self.error? {
            LoginError::Missing => ("missing", errors.missing.to_owned()),
            LoginError::Credentials => ("credentials", errors.credentials.to_owned()),
            LoginError::Throttled { retry_after } => ("throttled", self.view.texts().throttled(retry_after)),
            LoginError::OtherAccount => ("other_account", errors.other_account.to_owned()),
        };
        let field = if self.lacks_only_password() { "password" } else { "username" };
        Some(Problem { name, field: field.to_owned(), text })
    }

    fn status(&self) -> StatusCode {
        match self.error {
            None => StatusCode::OK,
            Some(LoginError::Throttled { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self.error {
            Some(LoginError::Throttled { retry_after }) => Some(retry_after),
            _ => None,
        }
    }
}
