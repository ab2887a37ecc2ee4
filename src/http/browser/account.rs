//! `/account`: the clients that have access to the user's account, and the forms that limit and end it.

use axum::response::{AppendHeaders, IntoResponse, Response};

use super::consent::scope_lines;
use super::cookies;
use super::failure::Failure;
use super::logout::{self, LogoutRequest};
use super::pages::{Account, AppLine, Outside, Page};
use super::responses::{done, login_page, redirect, to_account};
use super::visit::{Visit, Visitor};
use crate::consent::{Consent, Owner};
use crate::date::Date;
use crate::http::request::body::BufferedRequest;
use crate::params::{Defined, Param, Params};
use crate::scope::ScopeTexts;
use crate::store::ConsentKey;

const CONFIRM: Param = Param::unlimited("confirm");
const CLIENT_ID: Param = Param::unlimited("client_id");
const UNTIL: Param = Param::unlimited("until");
const DEFINED: Defined = Defined(&[&[CONFIRM, CLIENT_ID, UNTIL]]);

/// The latest end date, in years from today.
const MAX_YEARS: u64 = 10;

/// Shows the page, or the login page.
pub(super) async fn get(visit: Visit) -> Result<Response, Failure> {
    match visit.visitor_and_texts(visit.presented().await?).await? {
        Some(visitor) => show(&visit, &visitor, None).await,
        None => Ok(login_page(&visit, None, "", None)),
    }
}

/// `invalid_until` is the client whose new end date is not valid.
async fn show(visit: &Visit, visitor: &Visitor, invalid_until: Option<&str>) -> Result<Response, Failure> {
    let (keys, texts) = tokio::join!(visit.app.keyring.current(), visit.app.scope_texts());
    let (keys, texts) = (keys?, texts?);
    let apps = visitor.owner.consents.iter();
    let apps = apps.map(|(client_id, consent)| app_line(visit, &texts, (client_id, consent)));
    let page = Account {
        view: &visit.view,
        user: Outside(visitor.session.username.as_str()),
        confirm: &keys.account_keys.value(visitor.cookie.id(), ""),
        apps: apps.collect(),
        invalid_until,
    };
    Ok(done(page.response()))
}

fn app_line<'a>(visit: &Visit, texts: &'a ScopeTexts, (client_id, consent): (&'a str, &'a Consent)) -> AppLine<'a> {
    AppLine {
        client_id,
        name: Outside(&consent.name),
        scopes: scope_lines(&visit.view, texts, &consent.scopes, |_| false),
        since: consent.since,
        used_on: consent.used_on,
        until: consent.until,
        has_ended: consent.has_ended(visit.now),
    }
}

/// Returns the user of a form, if the user is signed in and a page of the same session contained the form.
async fn proven(visit: &Visit, form: &mut Params) -> Result<Option<Visitor>, Failure> {
    let presented = visit.presented().await?;
    let Some(visitor) = visit.visitor(presented).await? else {
        return Ok(None);
    };
    let keys = visit.app.keyring.current().await?;
    let confirm = form.take(CONFIRM).unwrap_or_default();
    Ok(keys.account_keys.accept(&confirm, visitor.cookie.id(), "").then_some(visitor))
}

/// Removes the access of a client, and with it all logins of the client.
pub(super) async fn remove(visit: Visit, received: BufferedRequest) -> Result<Response, Failure> {
    let mut form = received.form(DEFINED)?;
    let Some(visitor) = proven(&visit, &mut form).await? else {
        return Ok(to_account(&visit));
    };
    let client_id = form.take(CLIENT_ID).unwrap_or_default();
    if let Some(consent) = visitor.owner.consent(&client_id) {
        let key = ConsentKey { user_id: &visitor.session.user_id, client_id: &client_id };
        visit.app.store.remove_consent(key, consent).await?;
    }
    Ok(to_account(&visit))
}

/// Sets or removes the end date of a client's access.
pub(super) async fn limit(visit: Visit, received: BufferedRequest) -> Result<Response, Failure> {
    let mut form = received.form(DEFINED)?;
    let Some(visitor) = proven(&visit, &mut form).await? else {
        return Ok(to_account(&visit));
    };
    let client_id = form.take(CLIENT_ID).unwrap_or_default();
    let last_day = match form.take(UNTIL).map(|text| date(&text, visit.now)) {
        None => None,
        Some(Some(date)) => Some(date),
        Some(None) => return show(&visit, &visitor, Some(&client_id)).await,
    };
    let key = ConsentKey { user_id: &visitor.session.user_id, client_id: &client_id };
    let limited = |owner: &Owner| {
        // The form has only the date of the present end, which may be earlier than the end of that day.
        let changed = owner.consent(&client_id).filter(|consent| consent.until.map(Date::of) != last_day);
        ((), changed.and_then(|consent| consent.limited(last_day.map(Date::last_second), visit.now)))
    };
    visit.write_consent(key, &visitor.owner, limited).await?;
    Ok(to_account(&visit))
}

/// Returns a date from today to ten years ahead.
fn date(text: &str, now: u64) -> Option<Date> {
    let (date, today) = (Date::parse(text)?, Date::of(now));
    (today..=today.in_years(MAX_YEARS)).contains(&date).then_some(date)
}

/// Signs the user out of this browser.
pub(super) async fn sign_out(visit: Visit, received: BufferedRequest) -> Result<Response, Failure> {
    let mut form = received.form(DEFINED)?;
    let request = LogoutRequest::read(&visit, visit.query.as_bytes()).await?;
    let (target, presented) = tokio::try_join!(request.target(&visit), visit.presented())?;
    let keys = visit.app.keyring.current().await?;
    let confirm = form.take(CONFIRM).unwrap_or_default();
    let presented = presented.filter(|presented| keys.account_keys.accept(&confirm, presented.cookie.id(), ""));
    match presented {
        Some(presented) => {
            visit.app.store.end_session(&presented.cookie.id().key()).await?;
            Ok(request.signed_out(target, redirect(&logout::location(&visit, ""))))
        }
        None if visit.query.is_empty() => Ok(to_account(&visit)),
        None => Ok(done(redirect(&logout::location(&visit, request.query())))),
    }
}

/// Ends all sessions and logins of the user.
pub(super) async fn sign_out_everywhere(visit: Visit, received: BufferedRequest) -> Result<Response, Failure> {
    let mut form = received.form(DEFINED)?;
    let Some(visitor) = proven(&visit, &mut form).await? else {
        return Ok(to_account(&visit));
    };
    visit.app.store.end_sessions(visitor.session.username.as_str(), 1).await?;
    let response = redirect(&logout::location(&visit, ""));
    Ok(done((AppendHeaders(cookies::clear()), response).into_response()))
}
