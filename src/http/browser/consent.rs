//! The consent page, and `POST /oauth/consent`: the user allows or denies what a client requests.

use axum::response::Response;

use super::failure::Failure;
use super::issue::issue;
use super::pages::{Consent, Keep, Outside, Page, ScopeLine, View};
use super::requested::Requested;
use super::responses::done;
use super::visit::{Visit, Visitor};
use crate::client::HttpsUrl;
use crate::consent::{self, Grant, Period};
use crate::error::Error;
use crate::http::request::body::BufferedRequest;
use crate::params::{Defined, Param, Params};
use crate::scope::{Scope, ScopeTexts};

const CONFIRM: Param = Param::unlimited("confirm");
const DECISION: Param = Param::unlimited("decision");
const FOR: Param = Param::unlimited("for");
const DEFINED: Defined = Defined(&[&[CONFIRM, DECISION, FOR]]);

/// Returns the consent page. `lacks_period` is true after a form without a valid period.
///
/// # Errors
/// Server errors.
pub(super) async fn show(
    visit: &Visit,
    requested: &Requested,
    (visitor, scope): (&Visitor, &Scope),
    lacks_period: bool,
) -> Result<Response, Failure> {
    let (keys, texts) = tokio::join!(visit.app.keyring.current(), visit.app.scope_texts());
    let (keys, texts) = (keys?, texts?);
    let (request, client) = (&requested.request, &requested.client);
    let query = requested.query();
    let other_account_query = request.query().with_login().map(|query| query.to_string());
    let consent = visitor.owner.consent(&client.client_id).filter(|consent| !consent.has_ended(visit.now));
    let page = Consent {
        view: &visit.view,
        client: requested.shown_name(),
        returns_to: request.return_address.redirect_uri.target(),
        user: Outside(visitor.session.username.as_str()),
        query: &query,
        other_account_query: other_account_query.as_deref(),
        scopes: scope_lines(&visit.view, &texts, scope, |token| consent.is_some_and(|consent| !consent.has(token))),
        confirm: &keys.consent_keys.value(visitor.cookie.id(), &query),
        keep: keep(consent),
        client_uri: client.client_uri.as_ref().map(HttpsUrl::as_str),
        policy_uri: client.policy_uri.as_ref().map(HttpsUrl::as_str),
        tos_uri: client.tos_uri.as_ref().map(HttpsUrl::as_str),
        lacks_period,
    };
    Ok(done(page.response()))
}

fn keep(consent: Option<&consent::Consent>) -> Keep {
    match consent.map(|consent| consent.until) {
        None => Keep::NotOffered,
        Some(None) => Keep::WithoutEnd,
        Some(Some(until)) => Keep::Until(until),
    }
}

/// Returns a line for each scope, with the operator's text in the language of the page.
pub(super) fn scope_lines<'a>(
    view: &View,
    texts: &'a ScopeTexts,
    scope: &'a Scope,
    is_new: impl Fn(&str) -> bool,
) -> Vec<ScopeLine<'a>> {
    let line = |token: &'a String| ScopeLine {
        token: Outside(token),
        text: texts.of(token).and_then(|sentences| sentences.get(view.language())).map(|text| Outside(text)),
        is_new: is_new(token),
    };
    scope.tokens().iter().map(line).collect()
}

/// Handles the form of the page.
pub(super) async fn post(visit: Visit, received: BufferedRequest) -> Result<Response, Failure> {
    let form = received.form(DEFINED)?;
    if visit.query.is_empty() {
        return Err(Error::invalid_request("The form has no authorization request.").into());
    }
    let (requested, presented) = tokio::join!(Requested::check(&visit, visit.query.as_bytes()), visit.presented());
    let requested = requested?;
    let visitor = visit.visitor(presented?).await?;
    decide(&visit, &requested, (form, visitor)).await
}

async fn decide(
    visit: &Visit,
    requested: &Requested,
    (mut form, visitor): (Params, Option<Visitor>),
) -> Result<Response, Failure> {
    // Another tab may have changed the user since the page was shown.
    let Some(visitor) = visitor.filter(|visitor| requested.accepts(visitor, visit.now)) else {
        return Ok(done(requested.again(visit)));
    };
    let keys = visit.app.keyring.current().await?;
    let confirm = form.take(CONFIRM).unwrap_or_default();
    if !keys.consent_keys.accept(&confirm, visitor.cookie.id(), &requested.query()) {
        return Ok(done(requested.again(visit)));
    }
    let scope = requested.scope(visit, &visitor)?;
    let period = form.take(FOR).as_deref().and_then(Period::parse);
    let issued = match (form.take(DECISION).as_deref(), period) {
        (Some("deny"), _) => return Err(requested.reject(visit, Error::access_denied())),
        (Some("grant"), Some(period)) => {
            let grant = |_: Option<&_>| Grant { name: requested.name(), scope: &scope, period, is_seen: true };
            issue(visit, requested, (&visitor, &scope), grant).await?
        }
        _ => None,
    };
    match issued {
        Some(response) => Ok(response),
        None => show(visit, requested, (&visitor, &scope), true).await,
    }
}
