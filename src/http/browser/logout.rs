//! `/oauth/logout` (OpenID Connect RP-Initiated Logout 1.0): a user signs out of this browser.

use axum::Extension;
use axum::response::{AppendHeaders, IntoResponse, Response};
use url::form_urlencoded::Serializer;

use super::cookies;
use super::failure::Failure;
use super::pages::{Page, SignOut, SignedOut, View};
use super::responses::{done, redirect};
use super::visit::Visit;
use crate::error::Error;
use crate::http::decision::Decision;
use crate::http::paths;
use crate::http::request::body::BufferedRequest;
use crate::http::request::form;
use crate::params::{Defined, Grammar, Param};
use crate::session::sid;
use crate::token::verify::{IdTokenHint, verify_hint};

const ID_TOKEN_HINT: Param = Param::new("id_token_hint", 4096, Grammar::Text);
const CLIENT_ID: Param = Param::new("client_id", 256, Grammar::Vschar);
const POST_LOGOUT_REDIRECT_URI: Param = Param::new("post_logout_redirect_uri", 2048, Grammar::Text);
const STATE: Param = Param::new("state", 2048, Grammar::Vschar);
const UI_LOCALES: Param = Param::new("ui_locales", 256, Grammar::Text);
/// The parameters, in the order of the canonical query.
const PARAMS: [Param; 5] = [ID_TOKEN_HINT, CLIENT_ID, POST_LOGOUT_REDIRECT_URI, STATE, UI_LOCALES];
const DEFINED: Defined = Defined(&[&PARAMS]);

/// A request to sign out.
pub(super) struct LogoutRequest {
    query: String,
    hint: Option<IdTokenHint>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    state: Option<String>,
}

impl LogoutRequest {
    /// Reads a query or a form. A hint that is not an ID token, or that is one of another client, counts as absent.
    ///
    /// # Errors
    /// `invalid_request`; server errors.
    pub async fn read(visit: &Visit, text: &[u8]) -> Result<Self, Error> {
        let mut params = form::read(text, DEFINED, "The request is not well-formed.")?;
        let values = PARAMS.map(|param| params.take(param));
        let pairs = PARAMS.iter().zip(&values).filter_map(|(param, value)| Some((param.name(), value.as_deref()?)));
        let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let [hint, client_id, redirect_uri, state, _] = values;
        let hint = match hint {
            Some(hint) => {
                let keys = visit.app.keyring.current().await?;
                verify_hint(&hint, &visit.app.config.issuer, &keys.public_keys)
            }
            None => None,
        };
        let hint = hint.filter(|hint| client_id.as_ref().is_none_or(|client_id| *client_id == hint.client_id));
        Ok(Self { query, hint, client_id, redirect_uri, state })
    }

    /// Returns the canonical query.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Returns the location after the sign-out, if the client that the request names has registered it. It is dropped
    /// otherwise, because a user who wants to leave should not get an error.
    ///
    /// # Errors
    /// Server errors.
    pub async fn target(&self, visit: &Visit) -> Result<Option<String>, Error> {
        let client_id = self.hint.as_ref().map(|hint| &hint.client_id).or(self.client_id.as_ref());
        let (Some(client_id), Some(requested)) = (client_id, &self.redirect_uri) else {
            return Ok(None);
        };
        let Some(client) = visit.app.store.client(client_id).await?.filter(|client| client.enabled) else {
            return Ok(None);
        };
        let Some(uri) = client.post_logout_redirect_uris.exact(requested) else {
            return Ok(None);
        };
        tracing::Span::current().record("client_id", &client.client_id);
        Ok(Some(match &self.state {
            Some(state) => uri.with_response([("state", state.as_str())]),
            None => uri.as_str().to_owned(),
        }))
    }

    /// Returns the response after the sign-out, which deletes the cookie: a redirect to the target, or to `otherwise`.
    pub fn signed_out(&self, target: Option<String>, otherwise: Response) -> Response {
        let is_dropped = self.redirect_uri.is_some() && target.is_none();
        let reason = is_dropped.then_some("the post_logout_redirect_uri is not registered for the client");
        let response = target.map_or(otherwise, |target| redirect(&target));
        (AppendHeaders(cookies::clear()), Extension(Decision::Done { reason }), response).into_response()
    }
}

/// Signs the user out if the client proves by its hint that it belongs to this session. Otherwise shows a page that
/// requires a click, because any site can send a browser here.
pub(super) async fn get(visit: Visit) -> Result<Response, Failure> {
    let request = LogoutRequest::read(&visit, visit.query.as_bytes()).await?;
    let (target, presented) = tokio::try_join!(request.target(&visit), visit.presented())?;
    let page = || SignedOut { view: &visit.view }.response();
    let Some(presented) = presented else {
        return Ok(request.signed_out(target, page()));
    };
    let key = presented.cookie.id().key();
    if request.hint.as_ref().is_some_and(|hint| hint.sid == sid(&key, &hint.client_id)) {
        visit.app.store.end_session(&key).await?;
        return Ok(request.signed_out(target, page()));
    }
    let keys = visit.app.keyring.current().await?;
    let confirm = keys.account_keys.value(presented.cookie.id(), "");
    Ok(done(SignOut { view: &visit.view, query: &request.query, confirm: &confirm }.response()))
}

/// Handles a request that the client sent as a form: the GET that follows has the session cookie.
pub(super) async fn post(mut visit: Visit, received: BufferedRequest) -> Result<Response, (Extension<View>, Failure)> {
    let request = from_form(&mut visit, received).await;
    request
        .map(|request| done(redirect(&location(&visit, &request.query))))
        .map_err(|error| (Extension(visit.view), error.into()))
}

async fn from_form(visit: &mut Visit, received: BufferedRequest) -> Result<LogoutRequest, Error> {
    let text = visit.request_text(received)?;
    LogoutRequest::read(visit, &text).await
}

/// Returns the location of a request with this query.
pub(super) fn location(visit: &Visit, query: &str) -> String {
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{}{}{separator}{query}", visit.view.base(), paths::LOGOUT)
}
