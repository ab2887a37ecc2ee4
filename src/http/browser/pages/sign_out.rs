//! The pages `sign-out` and `signed-out`.

use askama::Template;

use super::{Page, View};

/// The question if the user wants to sign out.
#[derive(Template)]
#[template(path = "sign-out.html")]
pub struct SignOut<'a> {
    /// The view of the request.
    pub view: &'a View,
    /// The canonical query of the logout request. May be empty.
    pub query: &'a str,
    /// The proof that this page contained the form.
    pub confirm: &'a str,
}

/// The confirmation that the user is signed out.
#[derive(Template)]
#[template(path = "signed-out.html")]
pub struct SignedOut<'a> {
    /// The view of the request.
    pub view: &'a View,
}

impl Page for SignOut<'_> {
    fn view(&self) -> &View {
        self.view
    }

    fn name(&self) -> &'static str {
        "sign-out"
    }

    fn title(&self) -> &'static str {
        self.view.texts().sign_out.button
    }
}

impl Page for SignedOut<'_> {
    fn view(&self) -> &View {
        self.view
    }

    fn name(&self) -> &'static str {
        "signed-out"
    }

    fn title(&self) -> &'static str {
        self.view.texts().sign_out.done.heading
    }
}
