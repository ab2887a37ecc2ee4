//! `/oauth/authorize` (RFC 6749 section 3.1, OpenID Connect Core section 3.1.2): steps 10 to 13 of a request.

use axum::Extension;
use axum::response::Response;

use super::consent;
use super::failure::Failure;
use super::issue::issue;
use super::pages::View;
use super::requested::Requested;
use super::responses::{done, login_page, to_account};
use super::visit::{Visit, Visitor};
use crate::consent::{Consent, Facts, Grant, PageDue, Period};
use crate::error::Error;
use crate::http::request::body::BufferedRequest;

/// Handles a request that the client sent by a link or a redirect.
pub(super) async fn get(visit: Visit) -> Result<Response, Failure> {
    let (requested, presented) = tokio::join!(Requested::check(&visit, visit.query.as_bytes()), visit.presented());
    let (requested, presented) = (requested?, presented?);
    let visitor = if requested.may_need_consent() {
        visit.visitor_and_texts(presented).await?
    } else {
        visit.visitor(presented).await?
    };
    decide(&visit, &requested, visitor.filter(|visitor| requested.accepts(visitor, visit.now))).await
}

/// Handles a request that the client sent as a form: the GET that follows has the session cookie, which browsers do not
/// send with a POST from another site.
pub(super) async fn post(mut visit: Visit, received: BufferedRequest) -> Result<Response, (Extension<View>, Failure)> {
    let requested = from_form(&mut visit, received).await;
    requested.map(|requested| done(requested.again(&visit))).map_err(|failure| (Extension(visit.view), failure))
}

async fn from_form(visit: &mut Visit, received: BufferedRequest) -> Result<Requested, Failure> {
    if !visit.query.is_empty() {
        return Err(Error::invalid_request("A POST has its parameters in the body.").into());
    }
    let text = visit.request_text(received)?;
    Requested::check(visit, &text).await
}

/// Handles a reload of a page that was the response to a form: its query is the request.
pub(super) async fn again(visit: Visit) -> Result<Response, Failure> {
    if visit.query.is_empty() {
        return Ok(to_account(&visit));
    }
    let requested = Requested::check(&visit, visit.query.as_bytes()).await?;
    Ok(done(requested.again(&visit)))
}

/// Steps 10 to 13. `visitor` is the user, if the request accepts the login.
async fn decide(visit: &Visit, requested: &Requested, visitor: Option<Visitor>) -> Result<Response, Failure> {
    let is_silent = requested.request.prompt.none;
    let Some(visitor) = visitor else {
        if is_silent {
            return Err(requested.reject(visit, Error::login_required()));
        }
        let username = requested.request.login_hint().unwrap_or_default();
        return Ok(login_page(visit, Some(requested), username, None));
    };
    let scope = requested.scope(visit, &visitor)?;
    let facts = Facts {
        prompts_consent: requested.request.prompt.consent,
        first_party: requested.client.first_party,
        scope: &scope,
        is_native: requested.request.return_address.redirect_uri.is_native(),
    };
    let consent = visitor.owner.consent(&requested.client.client_id);
    match facts.page_due(consent, visit.now) {
        Some(PageDue::Consent) if is_silent => Err(requested.reject(visit, Error::consent_required())),
        Some(PageDue::Interaction) if is_silent => Err(requested.reject(visit, Error::interaction_required())),
        Some(_) => consent::show(visit, requested, (&visitor, &scope), false).await,
        None => {
            // Without the page, a grant keeps the end date that the user set meanwhile.
            let grant = |found: Option<&Consent>| {
                let period = consent.map_or_else(|| Period::preselected(found, visit.now), |_| Period::Keep);
                Grant { name: requested.name(), scope: &scope, period, is_seen: false }
            };
            let issued = issue(visit, requested, (&visitor, &scope), grant).await?;
            // The user removed the consent meanwhile.
            Ok(issued.unwrap_or_else(|| done(requested.again(visit))))
        }
    }
}
