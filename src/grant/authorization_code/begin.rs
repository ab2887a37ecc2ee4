//! The issue of a code: the beginning of a login by code.

use crate::app::App;
use crate::authorization::AuthorizationRequest;
use crate::consent::Consent;
use crate::error::Error;
use crate::random::random_id;
use crate::refresh_token::{Authorization, AuthorizationCode, CODE_TTL, Family, FamilyId};
use crate::scope::Scope;
use crate::session::{Session, SessionId};
use crate::token::TokenVersion;

/// The access that a signed-in user allowed a client.
pub struct Granted<'a> {
    /// The client.
    pub client_id: &'a str,
    /// The request, which the code is bound to.
    pub request: &'a AuthorizationRequest,
    /// The scope of the request that the user may have.
    pub scope: Scope,
    /// The browser session.
    pub session: (SessionId, &'a Session),
    /// The consent, as it is stored.
    pub consent: &'a Consent,
}

/// Issues a code. Its family expires with the code, unless the code is exchanged.
///
/// # Errors
/// Server errors. Then no code exists.
pub async fn begin(app: &App, granted: Granted<'_>) -> Result<String, Error> {
    let Granted { client_id, request, scope, session: (session_id, session), consent } = granted;
    let (keys, now) = (app.keyring.current().await?, app.clock.now());
    let code = AuthorizationCode(FamilyId::generate());
    tracing::Span::current().record("session", code.0.log_id());
    let latest = now.saturating_add(u64::from(app.config.lifetimes.refresh_token_max));
    let absolute_expires_at = latest.min(consent.until.unwrap_or(u64::MAX));
    let family = Family {
        client_id: client_id.to_owned(),
        username: session.username.clone(),
        user_id: session.user_id.clone(),
        session_generation: Some(session.session_generation),
        scopes: scope,
        version: TokenVersion::V2.number(),
        auth_time: session.auth_time,
        generation: 0,
        rotated_at: now,
        rotated_by: random_id(),
        revoked: false,
        absolute_expires_at,
        expires_at: now.saturating_add(CODE_TTL).min(absolute_expires_at),
        resource: request.resource.clone(),
        cnf: None,
        authorization: Some(Box::new(Authorization {
            redirect_uri: request.return_address.redirect_uri.as_str().to_owned(),
            code_challenge: request.code_challenge.clone(),
            nonce: request.nonce().map(ToOwned::to_owned),
            consent: consent.id.clone(),
            session: session_id.key(),
        })),
    };
    app.store.begin_refresh_family(code.0, &family).await?;
    Ok(code.mint(&keys.refresh_token_keys))
}
