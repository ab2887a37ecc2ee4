//! `/oauth/userinfo` (OpenID Connect Core section 5.3), with an access token as RFC 6750 and RFC 9449
//! say. Writes nothing.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, VARY, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::binding;
use super::presented::{NOT_OURS, Presented};
use crate::app::App;
use crate::client_auth::certificate::RequestCertificate;
use crate::confirmation::Confirmation;
use crate::dpop;
use crate::error::{Code, Error};
use crate::grant::records::StoredLogin;
use crate::http::decision::Decision;
use crate::http::paths;
use crate::http::request::authorization::{SeveralHeaders, authorization};
use crate::http::request::body::{BufferedRequest, ContentType, check_encoding};
use crate::http::request::certificate::certificate;
use crate::http::request::form::check_query;
use crate::jwt::Algorithm;
use crate::params::{Defined, Param};
use crate::token::presented::PresentedToken;
use crate::token::verify::VerifiedToken;
use crate::userinfo::{Denied, user_info};

/// `access_token` (RFC 6750 section 2.2), in the body of a POST only. Any text, because a text that is not a token is
/// `invalid_token`.
const ACCESS_TOKEN: Param = Param::unlimited("access_token");
const TWO_TOKENS: Error = Error::invalid_request("There is more than one access token.");

const DEFINED: Defined = Defined(&[&[ACCESS_TOKEN]]);

/// An access token as the request presents it.
struct AccessToken {
    text: String,
    /// True for `Authorization: DPoP` (RFC 9449 section 7.1).
    has_proof: bool,
}

/// Handles a request. The first check that fails decides the error.
pub(super) async fn handle(State(app): State<Arc<App>>, received: BufferedRequest) -> Result<Response, Error> {
    let BufferedRequest { parts, body } = received;
    let access_token = access_token(&parts, &body?)?;
    let presented = Presented::verify(&app, &access_token.text).await?;
    let cnf = presented.as_ref().and_then(|presented| presented.token.cnf());
    let is_bound = matches!(cnf, Some(Confirmation::Jkt(_)));
    match respond(&app, &parts, &access_token, presented).await {
        Err(error) if access_token.has_proof || is_bound => Ok(challenged(error)),
        response => response,
    }
}

async fn respond(
    app: &App,
    parts: &Parts,
    access_token: &AccessToken,
    presented: Option<Presented>,
) -> Result<Response, Error> {
    let presented = presented.ok_or(Error::invalid_token(NOT_OURS))?;
    let PresentedToken::Access(token) = &presented.token else {
        return Err(Error::invalid_token("a refresh token"));
    };
    tracing::Span::current().record("client_id", &token.client_id);
    let certificate = check_proof(app, parts, access_token, token).await?;
    let (client, login) = tokio::try_join!(app.store.client(&token.client_id), presented.login(app))?;
    if let (Some(client), Some(certificate)) = (&client, &certificate) {
        certificate.of(client).map_err(Error::invalid_token)?;
    }
    let (family, records) = StoredLogin::split(login);
    presented.record(family.as_ref());
    match user_info(token, family.as_ref(), records?.with(client.as_ref()), app.clock.now()) {
        Ok(user_info) => Ok((Extension(Decision::Done { reason: None }), Json(user_info)).into_response()),
        Err(Denied::InvalidToken(reason)) => Err(Error::invalid_token(reason)),
        Err(Denied::InsufficientScope) => Err(Error::insufficient_scope()),
    }
}

/// Checks that a bound token comes with its certificate, or with a proof of its key for this request (S-1023), and every other
/// token without a proof. Returns the certificate, which the record of the client may list as revoked.
async fn check_proof(
    app: &App,
    parts: &Parts,
    access_token: &AccessToken,
    token: &VerifiedToken,
) -> Result<Option<RequestCertificate>, Error> {
    match (&token.cnf, access_token.has_proof) {
        (None, false) => return Ok(None),
        (Some(Confirmation::X5t(_)), false) => {
            let certificate = certificate(app, &parts.extensions);
            let key = certificate.confirmation().map_err(Error::invalid_token)?;
            let is_bound_to = token.cnf.as_ref() == Some(&key);
            let another = || Error::invalid_token("a token that is bound to another certificate");
            return if is_bound_to { Ok(Some(certificate)) } else { Err(another()) };
        }
        (None | Some(Confirmation::X5t(_)), true) => {
            return Err(Error::invalid_token("a token that is not bound to a key of proofs"));
        }
        (Some(Confirmation::Jkt(_)), false) => return Err(Error::invalid_token("a bound token without a proof")),
        (Some(Confirmation::Jkt(_)), true) => {}
    }
    let proof = binding::verify(app, &parts.headers, (parts.method.as_str(), paths::USERINFO)).await?;
    if !proof.is_for(&access_token.text) {
        return Err(Error::invalid_token("a proof for another access token"));
    }
    if token.cnf.as_ref() != Some(&proof.key) {
        return Err(Error::invalid_token("a proof of another key"));
    }
    Ok(None)
}

/// Returns the access token of a request: in `Authorization`, or in a form (RFC 6750 section 2, RFC 9449 section 7.1).
fn access_token(parts: &Parts, body: &Bytes) -> Result<AccessToken, Error> {
    check_query(parts.uri.query().unwrap_or_default(), DEFINED)?;
    let of_scheme = |scheme| authorization(&parts.headers, scheme).map_err(|SeveralHeaders| TWO_TOKENS);
    let (bearer, dpop) = (of_scheme("bearer")?, of_scheme("dpop")?);
    let has_proof = dpop.is_some();
    let in_header = bearer.or(dpop);
    let in_form = if parts.method == Method::POST { in_form(&parts.headers, body)? } else { None };
    match (in_header.filter(|token| !token.is_empty()), in_form) {
        (Some(_), Some(_)) => Err(TWO_TOKENS),
        (Some(text), None) => Ok(AccessToken { text, has_proof }),
        (None, Some(text)) => Ok(AccessToken { text, has_proof: false }),
        (None, None) => Err(Error::no_token()),
    }
}

fn in_form(headers: &HeaderMap, body: &Bytes) -> Result<Option<String>, Error> {
    check_encoding(headers)?;
    // A request with the token in its header may have any body.
    if !matches!(ContentType::of(headers), Ok(ContentType::Form)) {
        return Ok(None);
    }
    Ok(ContentType::Form.read(body, DEFINED)?.take(ACCESS_TOKEN))
}

/// Builds the response to a rejected request with a proof or a bound token: 401 also for an error of the proof, and the
/// challenge of RFC 9449 section 7.1.
fn challenged(error: Error) -> Response {
    let code = error.code();
    let mut response = error.into_response();
    if matches!(code, Code::InvalidDpopProof | Code::UseDpopNonce) {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    if code.status() < 500 {
        let algorithms = dpop::ALGORITHMS.map(Algorithm::name).join(" ");
        let challenge = format!("DPoP error=\"{}\", algs=\"{algorithms}\"", code.as_str());
        let challenge = HeaderValue::try_from(challenge).ok();
        response.headers_mut().extend(challenge.map(|challenge| (WWW_AUTHENTICATE, challenge)));
    }
    response
}

/// Adds the headers of every response of the path: `Vary`, the headers that a page may read, and the challenge of a rejected
/// request without a proof (RFC 6750 section 3).
pub(super) async fn headers(mut response: Response) -> Response {
    let challenge = response.extensions().get().and_then(challenge);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("DPoP-Nonce, WWW-Authenticate"));
    if let Some(challenge) = challenge {
        headers.entry(WWW_AUTHENTICATE).or_insert(challenge);
    }
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
