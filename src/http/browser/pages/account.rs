//! The page `account`.

use askama::Template;
use axum::http::HeaderValue;

use super::texts::Around;
use super::{Outside, Page, Problem, ScopeLine, View};
use crate::date::Date;

/// The user's page: the clients that have access, and the forms that limit and end it.
#[derive(Template)]
#[template(path = "account.html")]
pub struct Account<'a> {
    /// The view of the request.
    pub view: &'a View,
    /// The username.
    pub user: Outside<'a>,
    /// The proof that this page contained the forms.
    pub confirm: &'a str,
    /// The clients.
    pub apps: Vec<AppLine<'a>>,
    /// The id of the client whose new end date is not valid.
    pub invalid_until: Option<&'a str>,
}

/// A client with access. Times are in seconds since the epoch.
#[derive(Clone, Debug)]
pub struct AppLine<'a> {
    /// The client's id.
    pub client_id: &'a str,
    /// The client's name at the time of the consent.
    pub name: Outside<'a>,
    /// The scopes of the consent.
    pub scopes: Vec<ScopeLine<'a>>,
    /// The time of the consent.
    pub since: u64,
    /// The day of the last use.
    pub used_on: Option<u64>,
    /// The end of the consent.
    pub until: Option<u64>,
    /// True if the end has passed.
    pub has_ended: bool,
}

impl AppLine<'_> {
    /// Returns the sentences about the time of the consent.
    fn history(&self, view: &View) -> String {
        let texts = view.texts();
        let sentence = |(Around(before, after), time)| format!("{before}{}{after}", texts.date(time));
        let dates = [
            (texts.account.since, Some(self.since)),
            (texts.account.used_on, self.used_on),
            (texts.account.ended, self.until.filter(|_| self.has_ended)),
        ];
        let dates = dates.into_iter().filter_map(|(text, time)| Some(sentence((text, time?))));
        dates.collect::<Vec<_>>().join(" ")
    }

    fn end_date(&self) -> Option<Date> {
        self.until.map(Date::of)
    }
}

impl Account<'_> {
    fn marks(&self, app: &AppLine<'_>) -> bool {
        self.invalid_until == Some(app.client_id)
    }
}

impl Page for Account<'_> {
    fn view(&self) -> &View {
        self.view
    }

    fn name(&self) -> &'static str {
        "account"
    }

    fn title(&self) -> &'static str {
        self.view.texts().your_account
    }

    fn problem(&self) -> Option<Problem> {
        let client = self.invalid_until?;
        let place = self.apps.iter().position(|app| app.client_id == client).map_or(1, |place| place + 1);
        let text = self.view.texts().form_errors.until.to_owned();
        Some(Problem { name: "until", field: format!("until-{place}"), text })
    }

    fn policy(&self) -> &HeaderValue {
        self.view.account_policy()
    }
}
