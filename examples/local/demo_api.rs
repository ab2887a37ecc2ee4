//! A demo API that checks access tokens: bearer tokens (RFC 6750), and bound tokens with their proofs (RFC 9449 section 7).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use countersign::app::App;
use countersign::confirmation::Confirmation;
use countersign::dpop::{self, Rejected, Target};
use countersign::http::request::authorization::authorization;
use countersign::http::request::dpop::proof;
use countersign::jwt::Jwt;
use countersign::keys::KeySet;
use countersign::token::TokenVersion;
use countersign::token::verify::verify;
use serde_json::{Value, json};

const PATH: &str = "/demo/vehicles";
/// The path of the metadata (RFC 9728 section 3.1).
const METADATA: &str = "/.well-known/oauth-protected-resource/demo/vehicles";
const SCOPE: &str = "demo:read";
const ALGORITHMS: &str = "ES256 EdDSA Ed25519";
/// The number of proofs that the process remembers.
const REMEMBERED: usize = 10_000;

struct DemoApi {
    app: Arc<App>,
    /// The URL of the API. It is also an audience of its tokens.
    url: String,
    metadata_url: String,
    /// The key and the `jti` of each proof, the newest first.
    used_proofs: Mutex<VecDeque<(Confirmation, String)>>,
}

/// The error of a request: its status, the scheme of its challenge and the code, which a request without a token lacks.
struct Error(StatusCode, &'static str, Option<&'static str>);

const fn unauthorized(scheme: &'static str, code: &'static str) -> Error {
    Error(StatusCode::UNAUTHORIZED, scheme, Some(code))
}

/// Returns the API and its metadata.
pub fn routes(issuer: &str, app: Arc<App>) -> Router {
    let (url, metadata_url) = (format!("{issuer}{PATH}"), format!("{issuer}{METADATA}"));
    let api = DemoApi { app, url, metadata_url, used_proofs: Mutex::default() };
    Router::new().route(PATH, get(vehicles)).route(METADATA, get(metadata)).with_state(Arc::new(api))
}

async fn metadata(State(api): State<Arc<DemoApi>>) -> impl IntoResponse {
    let document = json!({
        "resource": api.url, "authorization_servers": [api.app.config.issuer], "scopes_supported": [SCOPE],
        "bearer_methods_supported": ["header"], "dpop_signing_alg_values_supported": dpop::ALGORITHMS,
    });
    ([(CACHE_CONTROL, "public, max-age=300"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")], Json(document))
}

async fn vehicles(State(api): State<Arc<DemoApi>>, headers: HeaderMap) -> Response {
    let Ok(keys) = api.app.keyring.current().await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let response = match api.check(&headers, &keys) {
        Ok(subject) => Json(json!({"subject": subject, "vehicles": ["van", "truck"]})).into_response(),
        Err(error) => api.rejected(&error),
    };
    let nonce = keys.dpop_nonce_keys.nonce(api.app.clock.now());
    ([("dpop-nonce", nonce)], response).into_response()
}

impl DemoApi {
    /// Checks the token, its audience, its scope, and its proof if it is bound to a key. Returns its subject.
    fn check(&self, headers: &HeaderMap, keys: &KeySet) -> Result<String, Error> {
        let of_scheme = |scheme| {
            let several = Error(StatusCode::BAD_REQUEST, "Bearer", Some("invalid_request"));
            authorization(headers, scheme).map_err(|_| several)
        };
        let (scheme, text) = match (of_scheme("bearer")?, of_scheme("dpop")?) {
            (Some(text), _) => ("Bearer", text),
            (None, Some(text)) => ("DPoP", text),
            (None, None) => return Err(Error(StatusCode::UNAUTHORIZED, "Bearer", None)),
        };
        let now = self.app.clock.now();
        let invalid_token = || unauthorized(scheme, "invalid_token");
        let token = verify(&text, &self.app.config.issuer, &keys.public_keys, now).map_err(|_| invalid_token())?;
        let is_for_us = [&self.app.config.issuer, &self.url].contains(&&token.audience);
        if token.version != TokenVersion::V2 || !is_for_us {
            return Err(invalid_token());
        }
        match (&token.cnf, scheme) {
            (None, "Bearer") => {}
            (Some(key), "DPoP") => {
                let proof = self.check_proof(headers, keys)?;
                if proof.key != *key || !proof.is_for(&text) {
                    return Err(invalid_token());
                }
            }
            _ => return Err(unauthorized("DPoP", "invalid_token")),
        }
        if !token.scope.contains(SCOPE) {
            return Err(Error(StatusCode::FORBIDDEN, scheme, Some("insufficient_scope")));
        }
        Ok(token.subject)
    }

    fn check_proof(&self, headers: &HeaderMap, keys: &KeySet) -> Result<dpop::Proof, Error> {
        const INVALID: Error = unauthorized("DPoP", "invalid_dpop_proof");
        let text = proof(headers).ok().flatten().ok_or(INVALID)?;
        let target = Target { method: "GET", url: &self.url, now: self.app.clock.now() };
        let verified = dpop::verify(text, target, &keys.dpop_nonce_keys).map_err(|rejected| match rejected {
            Rejected::Invalid(_) => INVALID,
            Rejected::Nonce => unauthorized("DPoP", "use_dpop_nonce"),
        })?;
        let jti = Jwt::read(text).ok().and_then(|jwt| jwt.text("jti").map(ToOwned::to_owned)).ok_or(INVALID)?;
        let proof = (verified.key.clone(), jti);
        let mut used = self.used_proofs.lock().unwrap_or_else(PoisonError::into_inner);
        if used.contains(&proof) {
            return Err(INVALID);
        }
        used.truncate(REMEMBERED - 1);
        used.push_front(proof);
        Ok(verified)
    }

    /// Builds an error response, whose challenge names the metadata (RFC 9728 section 5.1).
    fn rejected(&self, Error(status, scheme, code): &Error) -> Response {
        let error = code.map(|code| format!("error=\"{code}\", ")).unwrap_or_default();
        let bearer = format!("Bearer {error}resource_metadata=\"{}\", scope=\"{SCOPE}\"", self.metadata_url);
        let dpop = format!("DPoP {error}algs=\"{ALGORITHMS}\"");
        let challenges = match (*scheme, code) {
            ("Bearer", Some(_)) => vec![bearer],
            ("Bearer", None) => vec![bearer, dpop],
            _ => vec![dpop],
        };
        let challenges = challenges.into_iter().filter_map(|challenge| HeaderValue::try_from(challenge).ok());
        let challenges: Vec<_> = challenges.map(|challenge| (WWW_AUTHENTICATE, challenge)).collect();
        let body = code.map_or(Value::Null, |code| json!({"error": code}));
        (*status, AppendHeaders(challenges), Json(body)).into_response()
    }
}
