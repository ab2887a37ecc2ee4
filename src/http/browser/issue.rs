//! Step 13 of an authorization request: the consent is stored, then the code is issued.

use axum::Extension;
use axum::response::{IntoResponse, Response};

use super::failure::Failure;
use super::pages::ErrorPage;
use super::requested::Requested;
use super::responses::redirect;
use super::visit::{Visit, Visitor};
use crate::consent::{Consent, Grant, Owner};
use crate::error::Error;
use crate::grant::authorization_code::{Granted, begin};
use crate::http::decision::Decision;
use crate::scope::Scope;
use crate::store::ConsentKey;

/// The result of a grant.
enum Allowed {
    /// The consent, as it is stored.
    Consent(Consent),
    /// The period is not offered for the stored consent.
    NotOffered,
    /// The user has allowed access to the largest number of clients.
    Full,
}

/// Stores the consent of a user, and issues a code for the scope. `grant` returns the grant for the stored consent. Returns
/// `None` if its period is not offered.
///
/// # Errors
/// An error page; server errors. Then no code was issued.
pub(super) async fn issue<'a>(
    visit: &Visit,
    requested: &Requested,
    (visitor, scope): (&Visitor, &Scope),
    grant: impl Fn(Option<&Consent>) -> Grant<'a>,
) -> Result<Option<Response>, Failure> {
    let client_id = requested.client.client_id.as_str();
    let key = ConsentKey { user_id: &visitor.session.user_id, client_id };
    let allow = |owner: &Owner| {
        let found = owner.consent(client_id);
        if found.is_none() && owner.is_full() {
            return (Allowed::Full, None);
        }
        let Some(new) = Consent::granted(found, grant(found), visit.now) else {
            return (Allowed::NotOffered, None);
        };
        let changed = (found != Some(&new)).then(|| new.clone());
        (Allowed::Consent(new), changed)
    };
    let consent = match visit.write_consent(key, &visitor.owner, allow).await? {
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
        user: &visitor.user,
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
