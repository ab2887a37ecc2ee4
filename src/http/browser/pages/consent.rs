//! The page `consent`.

use askama::Template;

use super::texts::Around;
use super::{Outside, Page, Problem, View};
use crate::consent::Period;

/// The form in which the user allows or denies a client access.
#[derive(Template)]
#[template(path = "consent.html")]
pub struct Consent<'a> {
    /// The view of the request.
    pub view: &'a View,
    /// The name of the client, or its id if it has none.
    pub client: Outside<'a>,
    /// The host or the private-use scheme of the redirect URI.
    pub returns_to: &'a str,
    /// The username.
    pub user: Outside<'a>,
    /// The canonical query of the authorization request.
    pub query: &'a str,
    /// The canonical query with `login` added to `prompt`. `None` if it is too long; then the page has no link for another
    /// account.
    pub other_account_query: Option<&'a str>,
    /// The scopes of the request.
    pub scopes: Vec<ScopeLine<'a>>,
    /// The proof that this page contained the form.
    pub confirm: &'a str,
    /// The option that keeps the end of an existing consent.
    pub keep: Keep,
    /// The `client_uri` of the client.
    pub client_uri: Option<&'a str>,
    /// The `policy_uri` of the client.
    pub policy_uri: Option<&'a str>,
    /// The `tos_uri` of the client.
    pub tos_uri: Option<&'a str>,
    /// True if the form had no valid `for`.
    pub lacks_period: bool,
}

/// The option `keep` of the field `for`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// There is no consent that could be kept.
    NotOffered,
    /// The consent has no end.
    WithoutEnd,
    /// The consent ends at this time, in seconds since the epoch.
    Until(u64),
}

/// A scope of a client.
#[derive(Clone, Copy, Debug)]
pub struct ScopeLine<'a> {
    /// The token of the scope.
    pub token: Outside<'a>,
    /// The operator's text in the language of the page. Without it, the built-in text or the token is shown.
    pub text: Option<Outside<'a>>,
    /// True if the user has not allowed the scope before.
    pub is_new: bool,
}

impl ScopeLine<'_> {
    pub(super) fn shown_text(&self, view: &View) -> Option<Outside<'_>> {
        self.text.or_else(|| view.texts().scope(self.token.0).map(Outside))
    }
}

impl Consent<'_> {
    /// Returns the options of the field `for`. The first one is preselected.
    fn periods(&self) -> Vec<(String, String)> {
        let (all, texts) = (self.view.texts(), &self.view.texts().consent);
        let keep = match self.keep {
            Keep::NotOffered => None,
            Keep::WithoutEnd => Some(texts.keep_without_end.to_owned()),
            Keep::Until(time) => Some(format!("{}{}{}", texts.keep_until.0, all.date(time), texts.keep_until.1)),
        };
        let others = [texts.without_end, texts.hour, texts.day, texts.month, texts.year].map(ToOwned::to_owned);
        let options = keep.map(|text| (Period::Keep, text)).into_iter().chain(Period::OFFERED.into_iter().zip(others));
        options.map(|(period, text)| (period.value(), text)).collect()
    }

    /// Returns the client's links: the text around each, its URL, and the text around the client's name in it.
    fn links(&self) -> Vec<(Around, &str, Around)> {
        let texts = &self.view.texts().consent;
        let links = [
            (texts.visit, self.client_uri, texts.website),
            (texts.read, self.policy_uri, texts.policy),
            (texts.read, self.tos_uri, texts.terms),
        ];
        links.into_iter().filter_map(|(around, url, text)| Some((around, url?, text))).collect()
    }
}

impl Page for Consent<'_> {
    fn view(&self) -> &View {
        self.view
    }

    fn name(&self) -> &'static str {
        "consent"
    }

    fn title(&self) -> &'static str {
        self.view.texts().consent.title
    }

    fn problem(&self) -> Option<Problem> {
        let text = self.view.texts().form_errors.period.to_owned();
        self.lacks_period.then(|| Problem { name: "for", field: "for".to_owned(), text })
    }
}
