//! `/oauth/userinfo` (OpenID Connect Core section 5.3), with an access token as RFC 6750 says. Writes nothing.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{VARY, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::post::{self, Body};
use super::presented::{NOT_OURS, Presented};
use crate::app::App;
use crate::error::{Code, Error};
use crate::grant::records::StoredLogin;
use crate::http::decision::Decision;
use crate::http::request::authorization::{SeveralHeaders, authorization};
use crate::http::request::body::{ContentType, check_encoding};
use crate::http::request::form::{self, check_query};
use crate::params::Param;
use crate::token::presented::PresentedToken;
use crate::userinfo::{Denied, user_info};

/// `access_token` (RFC 6750 section 2.2), in the body of a POST only. Any text, because a text that is not a token is
/// `invalid_token`.
const ACCESS_TOKEN: Param = Param::unlimited("access_token");
const TWO_TOKENS: Error = Error::invalid_request("There is more than one access token.");

/// Returns the parameter of this name, if the endpoint defines it.
fn defined(name: &str) -> Option<Param> {
    (name == ACCESS_TOKEN.name()).then_some(ACCESS_TOKEN)
}

/// Handles a request. The first check that fails decides the error.
pub(super) async fn handle(State(app): State<Arc<App>>, parts: Parts, body: Body) -> Result<Response, Error> {
    let text = access_token(&parts, &post::bytes(body)?)?;
    let presented = Presented::verify(&app, &text).await?.ok_or(Error::invalid_token(NOT_OURS))?;
    let PresentedToken::Access(token) = &presented.token else {
        return Err(Error::invalid_token("a refresh token"));
    };
    tracing::Span::current().record("client_id", &token.client_id);
    let (client, login) = tokio::try_join!(app.store.client(&token.client_id), presented.login(&app))?;
    let (family, records) = StoredLogin::split(login);
    presented.record(family.as_ref());
    match user_info(token, family.as_ref(), records?.with(client.as_ref()), app.clock.now()) {
        Ok(user_info) => Ok((Extension(Decision::Done { reason: None }), Json(user_info)).into_response()),
        Err(Denied::InvalidToken(reason)) => Err(Error::invalid_token(reason)),
        Err(Denied::InsufficientScope) => Err(Error::insufficient_scope()),
    }
}

/// Returns the access token of a request: in `Authorization: Bearer`, or in a form (RFC 6750 section 2).
fn access_token(parts: &Parts, body: &Bytes) -> Result<String, Error> {
    check_query(parts.uri.query().unwrap_or_default(), defined)?;
    let in_header = authorization(&parts.headers, "bearer").map_err(|SeveralHeaders| TWO_TOKENS)?;
    let in_form = if parts.method == Method::POST { in_form(&parts.headers, body)? } else { None };
    match (in_header.filter(|token| !token.is_empty()), in_form) {
        (Some(_), Some(_)) => Err(TWO_TOKENS),
        (Some(token), None) | (None, Some(token)) => Ok(token),
        (None, None) => Err(Error::no_token()),
    }
}

fn in_form(headers: &HeaderMap, body: &Bytes) -> Result<Option<String>, Error> {
    check_encoding(headers)?;
    // A request with the token in its header may have any body.
    if !matches!(ContentType::of(headers), Ok(ContentType::Form)) {
        return Ok(None);
    }
    Ok(form::read(body, defined, "The body is not a well-formed form.")?.take(ACCESS_TOKEN))
}

/// Adds the headers of every response of the path: `Vary`, and the challenge of a rejected request (RFC 6750 section 3).
pub(super) async fn headers(mut response: Response) -> Response {
    let challenge = response.extensions().get().and_then(challenge);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    headers.extend(challenge.map(|challenge| (WWW_AUTHENTICATE, challenge)));
    response
}

fn challenge(decision: &Decision) -> Option<HeaderValue> {
    const REALM: &str = "Bearer realm=\"oauth\"";
    let Decision::NotIssued(error) = decision else {
        return None;
    };
    if error.code() == Code::NoToken {
        return Some(HeaderValue::from_static(REALM));
    }
    let (name, description) = (error.code().as_str(), error.description()?);
    let challenge = format!("{REALM}, error=\"{name}\", error_description=\"{description}\"");
    HeaderValue::try_from(challenge).ok().filter(|_| error.code().status() < 500)
}
