//! `/oauth/logout` (OpenID Connect RP-Initiated Logout 1.0): a user signs out of this browser.

use axum::response::{AppendHeaders, IntoResponse, Response};
use url::form_urlencoded::Serializer;

use super::authorize::done;
use super::cookies;
use super::failure::{Failure, redirect};
use super::pages::{Page, SignOut, SignedOut};
use super::visit::{Body, Visit};
use crate::error::Error;
use crate::http::request::form;
use crate::params::{Grammar, Param, Params};

const ID_TOKEN_HINT: Param = Param::new("id_token_hint", 4096, Grammar::Text);
const CLIENT_ID: Param = Param::new("client_id", 256, Grammar::Vschar);
const POST_LOGOUT_REDIRECT_URI: Param = Param::new("post_logout_redirect_uri", 2048, Grammar::Text);
const STATE: Param = Param::new("state", 2048, Grammar::Vschar);
const UI_LOCALES: Param = Param::new("ui_locales", 256, Grammar::Text);
/// The parameters, in the order of the canonical query.
const PARAMS: [Param; 5] = [ID_TOKEN_HINT, CLIENT_ID, POST_LOGOUT_REDIRECT_URI, STATE, UI_LOCALES];

fn defined(name: &str) -> Option<Param> {
    PARAMS.into_iter().find(|param| param.name() == name)
}

/// Returns the canonical query of a request to this endpoint.
fn canonical(mut params: Params) -> String {
    let pairs = PARAMS.into_iter().filter_map(|param| Some((param.name(), params.take(param)?)));
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn read(text: &[u8]) -> Result<String, Error> {
    form::read(text, defined, "The request is not well-formed.").map(canonical)
}

/// Signs the user out, or shows a page that requires a click: any site can send a browser here.
pub(super) async fn get(visit: Visit) -> Result<Response, Failure> {
    let query = read(visit.query.as_bytes())?;
    let Some(presented) = visit.presented().await? else {
        return Ok(done((AppendHeaders(cookies::clear()), SignedOut { view: &visit.view }.response()).into_response()));
    };
    let keys = visit.app.keyring.current().await.map_err(Error::from)?;
    let confirm = keys.account_keys.value(presented.cookie.id(), "");
    Ok(done(SignOut { view: &visit.view, query: &query, confirm: &confirm }.response()))
}

/// Handles a request that the client sent as a form: the GET that follows has the session cookie.
pub(super) async fn post(visit: Visit, body: Body) -> Result<Response, Failure> {
    let query = read(&visit.form_text(body)?)?;
    Ok(done(redirect(&location(&visit, &query))))
}

/// Returns the location of a request with this query.
pub(super) fn location(visit: &Visit, query: &str) -> String {
    let (base, separator) = (visit.view.base(), if query.is_empty() { "" } else { "?" });
    format!("{base}/oauth/logout{separator}{query}")
}
