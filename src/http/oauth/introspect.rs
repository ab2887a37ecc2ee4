//! `POST /oauth/introspect` (RFC 7662). The first check that fails decides the error. Writes nothing.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;

use super::post::Post;
use super::presented::{self, NOT_OURS, Presented, TOKEN};
use crate::app::App;
use crate::client::Client;
use crate::client_auth::{self, authenticate};
use crate::error::Error;
use crate::grant::records::StoredLogin;
use crate::http::decision::Decision;
use crate::http::paths;
use crate::http::request::body::BufferedRequest;
use crate::introspection::{Evidence, active, may_see};
use crate::params::Defined;
use crate::revocation::RevokedToken;
use crate::store::StoreError;
use crate::token::presented::PresentedToken;
use crate::token::verify::Holder;

const DEFINED: Defined = Defined(&[client_auth::PARAMS, presented::PARAMS]);

/// A token that we made, and the records that it names.
struct Found {
    presented: Presented,
    /// The client that an access token was issued to.
    client: Option<Client>,
    login: Option<StoredLogin>,
    revoked: Option<RevokedToken>,
}

/// Handles an introspection.
pub(super) async fn post(State(app): State<Arc<App>>, received: BufferedRequest) -> Result<Response, Error> {
    let post = Post::receive(&app, received, DEFINED)?;
    let (mut params, credentials) = post.params()?;
    let token = params.require(TOKEN);
    let context = post.context(None, paths::INTROSPECT);
    let caller = async { authenticate(&app, credentials, context).await?.use_up(&app).await };
    let (caller, found) = tokio::join!(caller, find(&app, token.as_deref().unwrap_or_default()));
    let caller = caller?;
    if caller.is_public() {
        return Err(Error::invalid_client("a client without a credential"));
    }
    token?;
    let Some(Found { presented, client, login, revoked }) = found? else {
        return Ok(inactive(NOT_OURS));
    };
    let (family, records) = StoredLogin::split(login);
    let (token, family) = (&presented.token, family.as_ref());
    presented.record(family);
    if !may_see(&caller, token, family) {
        return Ok(inactive("a token that the caller may not see"));
    }
    let client = match token {
        PresentedToken::Access(_) => client.as_ref(),
        // Only the client of a refresh token may see it.
        PresentedToken::Refresh(_) => Some(&caller),
    };
    let records = records?;
    let evidence = Evidence { token, family, records: records.with(client), revoked: revoked.as_ref() };
    match active(evidence, &app.config.issuer, app.clock.now()) {
        Ok(active) => Ok((Extension(Decision::Done { reason: None }), Json(active)).into_response()),
        Err(reason) => Ok(inactive(reason)),
    }
}

/// Returns the response for every token that is not active for the caller (section 2.2). The reason is only logged.
fn inactive(reason: &'static str) -> Response {
    #[derive(Serialize)]
    struct Inactive {
        active: bool,
    }
    (Extension(Decision::Done { reason: Some(reason) }), Json(Inactive { active: false })).into_response()
}

/// Verifies the token and reads the records that it names, concurrently.
async fn find(app: &App, text: &str) -> Result<Option<Found>, Error> {
    let Some(presented) = Presented::verify(app, text).await? else {
        return Ok(None);
    };
    let records = tokio::try_join!(issuing_client(app, &presented), presented.login(app), revoked(app, &presented));
    let (client, login, revoked) = records?;
    Ok(Some(Found { presented, client, login, revoked }))
}

async fn issuing_client(app: &App, presented: &Presented) -> Result<Option<Client>, StoreError> {
    match &presented.token {
        PresentedToken::Access(token) => app.store.client(&token.client_id).await,
        PresentedToken::Refresh(_) => Ok(None),
    }
}

/// Reads the record of a revocation, which only tokens of services have.
async fn revoked(app: &App, presented: &Presented) -> Result<Option<RevokedToken>, StoreError> {
    match &presented.token {
        PresentedToken::Access(token) if token.holder == Holder::Service => {
            app.store.revoked_token(&token.token_id).await
        }
        _ => Ok(None),
    }
}
