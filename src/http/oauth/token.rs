//! `POST /oauth/token` (RFC 6749 section 3.2). The first check that fails decides the error:
//!
//! 1. The size of the body, its encoding and its type; no parameter is in the query.
//! 2. `Accept` names a version of the token.
//! 3. The parameters are well-formed. There is at most one client authentication. The grant type is supported.
//! 4. The client proves itself. If its token is bound to a key, the request proves the key. An assertion is used up.
//! 5. The client may use the grant, and may have a token of the version. Its cookie is not repeated.
//! 6. The steps of the grant.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Extension, Json};

use super::binding;
use super::cookie::{self, Cookie};
use super::post::Post;
use crate::app::App;
use crate::client::GrantType;
use crate::client_auth::{self, authenticate};
use crate::error::Error;
use crate::grant::issue::Issued;
use crate::grant::{
    self, Caller, GRANT_TYPE, Request, authorization_code, client_credentials, password, refresh_token,
};
use crate::http::cors::Page;
use crate::http::decision::Decision;
use crate::http::paths;
use crate::http::request::accept::token_version;
use crate::http::request::body::BufferedRequest;
use crate::params::Defined;
use crate::token::TokenVersion;

const DEFINED: Defined = Defined(&[
    client_auth::PARAMS,
    &[GRANT_TYPE],
    authorization_code::PARAMS,
    client_credentials::PARAMS,
    password::PARAMS,
    refresh_token::PARAMS,
]);

/// Handles a token request.
pub(super) async fn post(
    State(app): State<Arc<App>>,
    Extension(page): Extension<Page>,
    received: BufferedRequest,
) -> Result<Response, Error> {
    let post = Post::receive(&app, received, DEFINED)?;
    let version = token_version(post.headers())?;
    let (mut params, credentials) = post.params()?;
    let grant_type = grant::take_grant_type(&app, &mut params)?;
    let span = tracing::Span::current();
    span.record("grant", grant_type.as_str());
    span.record("version", version.number());

    let authenticated = async {
        let proven = authenticate(&app, credentials, post.context(page.origin(), paths::TOKEN)).await?;
        let key = binding::key_of_token(&app, &post, proven.client(), version).await;
        let cnf = key.inspect_err(|_| page.let_read(proven.client()))?;
        let client = proven.use_up(&app).await?;
        page.let_read(&client);
        if !client.may_use(grant_type) {
            return Err(Error::unauthorized_client());
        }
        if version == TokenVersion::V1 && client.gets_id_tokens() {
            return Err(Error::invalid_request("This client gets tokens of version 2 only."));
        }
        let mut cookie = Cookie::of(&client);
        if let Some(cookie) = cookie.as_mut().filter(|_| grant_type == GrantType::RefreshToken) {
            cookie.read(post.headers())?;
        }
        let presented = cookie.as_ref().and_then(Cookie::presented);
        Ok((Caller { client, addresses: post.addresses(), version, cookie: presented, cnf }, cookie))
    };
    // The records of the request are read while the client is authenticated, to save a round trip.
    let (authenticated, request) = tokio::join!(authenticated, Request::read(&app, grant_type, &mut params));
    let (caller, cookie) = authenticated?;
    let issued = match request {
        // Boxed, because the future contains several records.
        Ok(request) => Box::pin(request.issue(&app, &caller)).await,
        Err(error) => Err(error),
    };
    Ok(respond(issued, cookie))
}

/// Builds the response. `cookie` is that of the authenticated client: the refresh token is sent in it, and not in the
/// body.
fn respond(issued: Result<Issued, Error>, cookie: Option<Cookie>) -> Response {
    match issued {
        Ok(mut issued) => {
            let set = cookie.and_then(|cookie| {
                let (refresh_token, expires_in) = issued.take_refresh_token()?;
                cookie.set(&refresh_token, expires_in)
            });
            (AppendHeaders(set), Extension(Decision::Issued), Json(issued)).into_response()
        }
        Err(error) => cookie::rejected(error, cookie),
    }
}
