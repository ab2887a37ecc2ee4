//! Step 13 of an authorization request: the consent is stored, then the code is issued.

use axum::Extension;
use axum::response::{IntoResponse, Response};

use super::failure::Failure;
use super::pages::ErrorPage;
use super::requested::Requested;
use super::responses::redirect;
use super::visit::{Visit, Visitor};
use crate::consent::{Consent, Grant, Owner, Period};
use crate::error::Error;
use crate::grant::authorization_code::{Granted, begin};
use crate::http::decision::Decision;
use crate::scope::Scope;
use crate::store::{ConsentKey, StoreError};

/// The result of a grant.
enum Allowed {
    /// The consent, as it is stored.
    Consent(Consent),
    /// The period is not offered for the stored consent.
    NotOffered,
    /// The user has allowed access to the largest number of clients.
    Full,
}

/// Stores the consent of a user, and issues a code for the scope. `period` returns the period of the grant for the stored
/// consent. Returns `None` if it is not offered.
///
/// # Errors
/// An error page; server errors. Then no code was issued.
pub(super) async fn issue(
    visit: &Visit,
    requested: &Requested,
    (visitor, scope): (&Visitor, &Scope),
    period: impl Fn(Option<&Consent>) -> Period,
) -> Result<Option<Response>, Failure> {
    let client_id = requested.client.client_id.as_str();
    let key = ConsentKey { user_id: &visitor.session.user_id, client_id };
    let grant = |found: Option<&Consent>| Grant { name: requested.name(), scope, period: period(found) };
    let consent = match allow(visit, key, &visitor.owner, &grant).await? {
        Allowed::Consent(consent) => consent,
        Allowed::NotOffered => return Ok(None),
        Allowed::Full if requested.request.prompt.none => {
            return Err(requested.reject(visit, Error::interaction_required()));
        }
        Allowed::Full => {
            let reason = Error::invalid_request("The user has allowed access to too many clients.");
            return Err(Failure::Page(ErrorPage::Applications, reason));
        }
    };
    let session = &visitor.session;
    let session_id = visitor.cookie.id();
    let granted = Granted {
        client_id,
        request: &requested.request,
        scope: scope.clone(),
        session: (session_id, session),
        consent: &consent,
    };
    let extend = async {
        if let Some(end) = session.extension(visit.now, visit.lifetimes) {
            // The code does not depend on it: the next use tries again.
            let _ = visit.app.store.extend_session(&session_id.key(), visit.now, end).await;
        }
    };
    let (code, ()) = tokio::join!(begin(&visit.app, granted), extend);
    let location = requested.request.return_address.with_code(&code?, &visit.app.config.issuer);
    Ok(Some((Extension(Decision::Issued), redirect(&location)).into_response()))
}

/// Stores a consent, if it changes. If another request changes it meanwhile, it is read again once.
async fn allow<'a>(
    visit: &Visit,
    key: ConsentKey<'_>,
    owner: &Owner,
    grant: &impl Fn(Option<&Consent>) -> Grant<'a>,
) -> Result<Allowed, Failure> {
    let store = &visit.app.store;
    if let Some(allowed) = write(visit, key, owner, grant).await? {
        return Ok(allowed);
    }
    let owner = store.owner(key.user_id).await?;
    let changed = || Error::temporarily_unavailable("other requests changed the consent");
    write(visit, key, &owner, grant).await?.ok_or_else(|| changed().into())
}

/// Returns `None` if another request changed the consent since it was read.
async fn write<'a>(
    visit: &Visit,
    key: ConsentKey<'_>,
    owner: &Owner,
    grant: &impl Fn(Option<&Consent>) -> Grant<'a>,
) -> Result<Option<Allowed>, StoreError> {
    let found = owner.consent(key.client_id);
    if found.is_none() && owner.is_full() {
        return Ok(Some(Allowed::Full));
    }
    let Some(new) = Consent::granted(found, grant(found), visit.now) else {
        return Ok(Some(Allowed::NotOffered));
    };
    let is_stored = found == Some(&new) || visit.app.store.put_consent(key, owner, &new).await?;
    Ok(is_stored.then_some(Allowed::Consent(new)))
}
