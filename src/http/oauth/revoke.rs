//! `POST /oauth/revoke` (RFC 7009). The first check that fails decides the error. The one write comes last.
//!
//! A client with a cookie may omit the token. Then the login of the cookie ends, and the cookie is deleted.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};

use super::cookie::{self, Cookie};
use super::post::Post;
use super::presented::{self, NOT_OURS, Presented, TOKEN};
use crate::app::App;
use crate::client::Client;
use crate::client_auth::{self, authenticate};
use crate::error::Error;
use crate::grant::records::LoginRecords;
use crate::http::cors::Page;
use crate::http::decision::Decision;
use crate::http::paths;
use crate::http::request::body::BufferedRequest;
use crate::introspection::{Evidence, active};
use crate::params::{Defined, Param};
use crate::refresh_token::Family;
use crate::revocation::{Effect, RevokedToken, effect, owner};

/// `all_sessions`, an extension: `true` ends all logins of the token's user.
const ALL_SESSIONS: Param = Param::unlimited("all_sessions");

const DEFINED: Defined = Defined(&[client_auth::PARAMS, presented::PARAMS, &[ALL_SESSIONS]]);

/// Handles a revocation.
pub(super) async fn post(
    State(app): State<Arc<App>>,
    Extension(page): Extension<Page>,
    received: BufferedRequest,
) -> Result<Response, Error> {
    let post = Post::receive(&app, received, DEFINED)?;
    let (mut params, credentials) = post.params()?;
    let (token, all_sessions) = (params.take(TOKEN), params.take(ALL_SESSIONS));
    let client = async {
        let context = post.context(page.origin(), paths::REVOKE);
        let client = authenticate(&app, credentials, context).await?.use_up(&app).await?;
        page.let_read(&client);
        Ok::<_, Error>(client)
    };
    let (client, found) = tokio::join!(client, find(&app, token.as_deref().unwrap_or_default()));
    let client = client?;
    let cookie = if token.is_none() { Some(used_cookie(&client, post.headers())?) } else { None };
    let all_sessions = match all_sessions.as_deref() {
        None => false,
        Some("true") => true,
        Some(_) => return Err(Error::invalid_request("The all_sessions is not true.")),
    };
    let found = match cookie.as_ref().and_then(Cookie::presented) {
        Some(token) => find(&app, &token).await,
        None => found,
    };
    Ok(match end(&app, &client, found, all_sessions).await {
        Ok(reason) => {
            let cleared = AppendHeaders(cookie.and_then(|cookie| cookie.clear()));
            (cleared, Extension(Decision::Done { reason }), StatusCode::OK).into_response()
        }
        Err(error) => cookie::rejected(error, cookie),
    })
}

/// Returns the cookie that stands for a missing token. It is read after the client is authenticated.
fn used_cookie(client: &Client, headers: &HeaderMap) -> Result<Cookie, Error> {
    let mut cookie = Cookie::of(client).ok_or(TOKEN.missing())?;
    cookie.read(headers)?;
    if cookie.presented().is_none() { Err(TOKEN.missing()) } else { Ok(cookie) }
}

/// A token that we made with the family of its login, or nothing.
type Found = Result<Option<(Presented, Option<Family>)>, Error>;

/// Ends what a token stands for. Returns the reason if there is nothing to end.
async fn end(app: &App, client: &Client, found: Found, all_sessions: bool) -> Result<Option<&'static str>, Error> {
    let Some((presented, family)) = found? else {
        return Ok(Some(NOT_OURS));
    };
    presented.record(family.as_ref());
    revoke(app, client, (&presented, family.as_ref()), all_sessions).await
}

/// Verifies the token and reads the family of its login.
async fn find(app: &App, text: &str) -> Found {
    let Some(presented) = Presented::verify(app, text).await? else {
        return Ok(None);
    };
    let family = presented.family(app).await?;
    Ok(Some((presented, family)))
}

/// Revokes a token of the client. Returns the reason if there is nothing to end.
async fn revoke(
    app: &App,
    client: &Client,
    (presented, family): (&Presented, Option<&Family>),
    all_sessions: bool,
) -> Result<Option<&'static str>, Error> {
    let (token, now) = (&presented.token, app.clock.now());
    if owner(token, family).is_some_and(|owner| owner != client.client_id) {
        tracing::Span::current().record("risk", "foreign_token");
        let reason = "a token that was issued to another client";
        return Err(Error::invalid_grant("The token was issued to another client.", reason));
    }
    if all_sessions {
        let records = LoginRecords::read(&app.store, family, now).await?;
        let evidence = Evidence { token, family, records: records.with(Some(client)), revoked: None };
        // The login of the token ends with the others, so there is no second write that could fail.
        if let (Some(user), Ok(_)) = (evidence.records.user, active(evidence, &app.config.issuer, now)) {
            app.store.end_sessions(user.username.as_str(), 1).await?;
            return Ok(None);
        }
    }
    match effect(token, family, now) {
        Effect::Nothing(reason) => return Ok(Some(reason)),
        Effect::EndsLogin(family) => app.store.revoke_refresh_family(family).await?,
        Effect::EndsToken(token) => app.store.revoke_token(&token.token_id, &RevokedToken::of(token)).await?,
    }
    Ok(None)
}
