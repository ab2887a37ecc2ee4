//! The issue of a code: the beginning of a login by code.

use crate::app::App;
use crate::authorization::AuthorizationRequest;
use crate::consent::Consent;
use crate::error::Error;
use crate::grant::issue::new_family;
use crate::refresh_token::{Authorization, AuthorizationCode, CODE_TTL, Family, FamilyId};
use crate::scope::Scope;
use crate::session::{Session, SessionId};
use crate::token::Login;
use crate::user::User;

/// The access that a signed-in user allowed a client.
pub struct Granted<'a> {
    /// The client.
    pub client_id: &'a str,
    /// The request, which the code is bound to.
    pub request: &'a AuthorizationRequest,
    /// The scope of the request that the user may have.
    pub scope: Scope,
    /// The user.
    pub user: &'a User,
    /// The browser session of the user.
    pub session: (SessionId, &'a Session),
    /// The consent, as it is stored.
    pub consent: &'a Consent,
}

/// Issues a code. Its family expires with the code, unless the code is exchanged.
///
/// # Errors
/// Server errors. Then no code exists.
pub async fn begin(app: &App, granted: Granted<'_>) -> Result<String, Error> {
    let Granted { client_id, request, scope, user, session: (session_id, session), consent } = granted;
    let (keys, now) = (app.keyring.current().await?, app.clock.now());
    let code = AuthorizationCode(FamilyId::generate());
    tracing::Span::current().record("session", code.0.log_id());
    let latest = now.saturating_add(app.config.lifetimes.refresh_token_max.into());
    let ends_at = latest.min(consent.until.unwrap_or(u64::MAX));
    let login = Login { user, at: session.auth_time, family: code.0, ends_at };
    let family = Family {
        expires_at: now.saturating_add(CODE_TTL).min(ends_at),
        resource: request.resource.clone(),
        authorization: Some(Box::new(Authorization {
            redirect_uri: request.return_address.redirect_uri.as_str().to_owned(),
            code_challenge: request.code_challenge.clone(),
            nonce: request.nonce().map(ToOwned::to_owned),
            consent: consent.id.clone(),
            session: session_id.key(),
        })),
        ..new_family(client_id, login, scope, now)
    };
    app.store.begin_refresh_family(code.0, &family).await?;
    Ok(code.mint(&keys.refresh_token_keys))
}
