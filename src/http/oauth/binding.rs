//! The binding of tokens to the keys of clients: the proof of a request and the nonce of the response (DPoP, RFC 9449), or the
//! certificate of the request (RFC 8705).

use std::iter;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::post::Post;
use crate::app::App;
use crate::client::Client;
use crate::confirmation::Confirmation;
use crate::dpop::{self, Proof, Rejected, Target};
use crate::error::{Code, Error};
use crate::http::decision::Decision;
use crate::http::paths;
use crate::http::request::dpop::{DPOP, proof};
use crate::token::TokenVersion;

/// The header with the nonce for the next proof (section 8).
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

const NOT_BOUND_IN_V1: Error = Error::invalid_request("A token of version 1 cannot be bound to a key.");

/// Returns the key that the token of a request of this client is bound to: its certificate, if the record says so (RFC 8705
/// section 3), or the key of a proof. A request with a proof gets a bound token, whatever the record of the client says.
///
/// # Errors
/// `invalid_request`, `invalid_dpop_proof`, `use_dpop_nonce`; server errors.
pub(super) async fn key_of_token(
    app: &App,
    post: &Post,
    client: &Client,
    version: TokenVersion,
) -> Result<Option<Confirmation>, Error> {
    let headers = post.headers();
    if client.tls_client_certificate_bound_access_tokens {
        let certificate = post.certificate().of(client).map_err(Error::no_certificate)?;
        if headers.contains_key(DPOP) {
            return Err(Error::invalid_request(
                "The tokens of this client are bound to its certificate, not to a proof.",
            ));
        }
        return if version == TokenVersion::V1 { Err(NOT_BOUND_IN_V1) } else { Ok(Some(certificate.confirmation())) };
    }
    if !headers.contains_key(DPOP) && !client.dpop_bound_access_tokens {
        return Ok(None);
    }
    if headers.contains_key(DPOP) && version == TokenVersion::V1 {
        return Err(NOT_BOUND_IN_V1);
    }
    verify(app, headers, ("POST", paths::TOKEN)).await.map(|proof| Some(proof.key))
}

/// Verifies the proof of a request with this method and path.
///
/// # Errors
/// `invalid_dpop_proof`, `use_dpop_nonce`; server errors.
pub(super) async fn verify(app: &App, headers: &HeaderMap, (method, path): (&str, &str)) -> Result<Proof, Error> {
    let text = proof(headers).map_err(Error::invalid_dpop_proof)?.ok_or(Error::no_dpop_proof())?;
    let alias = app.config.mtls_domain.as_ref().map(|domain| format!("https://{domain}"));
    let urls: Vec<_> = iter::once(&app.config.issuer).chain(&alias).map(|base| format!("{base}{path}")).collect();
    let keys = app.keyring.current().await?;
    let target = Target { method, urls: &urls, now: app.clock.now() };
    let proof = dpop::verify(text, target, &keys.dpop_nonce_keys).map_err(|rejected| match rejected {
        Rejected::Invalid(reason) => Error::invalid_dpop_proof(reason),
        Rejected::Nonce => Error::use_dpop_nonce(),
    })?;
    if let Confirmation::Jkt(thumbprint) = &proof.key {
        tracing::Span::current().record("jkt", thumbprint);
    }
    Ok(proof)
}

/// Adds a nonce to every response to a request with a proof, and to a response that demands one. Outside the deadline, so
/// it uses only keys that are loaded.
pub(super) async fn add_nonce(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let has_proof = request.headers().contains_key(DPOP);
    let mut response = next.run(request).await;
    let demands_proof = response.extensions().get().is_some_and(
        |decision| matches!(decision, Decision::NotIssued(error) if error.code() == Code::InvalidDpopProof),
    );
    if has_proof || demands_proof {
        let nonce = app.keyring.last_good().map(|keys| keys.dpop_nonce_keys.nonce(app.clock.now()));
        let nonce = nonce.and_then(|nonce| HeaderValue::try_from(nonce).ok());
        response.headers_mut().extend(nonce.map(|nonce| (DPOP_NONCE, nonce)));
    }
    response
}
