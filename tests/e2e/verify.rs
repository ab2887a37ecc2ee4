//! The Rust example of docs/verifying.md. The end-to-end tests run it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a panic fails the test")]

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

struct Verifier {
    /// `<issuer>/.well-known/jwks.json`. Fetch it again when it is five minutes old or does not have the `kid`.
    keys: JwkSet,
    issuer: String,
    audience: String,
}

impl Verifier {
    /// Returns the claims of a valid access token. The error is the status of the response: 403 without the scope, 401 otherwise.
    fn verify(&self, token: &str, scope: &str) -> Result<Value, u16> {
        let claims = self.claims(token).ok_or(401_u16)?;
        let scopes = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
        if scopes.split(' ').any(|one| one == scope) { Ok(claims) } else { Err(403) }
    }

    fn claims(&self, token: &str) -> Option<Value> {
        let header = decode_header(token).ok()?;
        if header.typ.as_deref() != Some("at+jwt") {
            return None;
        }
        let key = DecodingKey::from_jwk(self.keys.find(&header.kid?)?).ok()?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = 30;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        Some(decode(token, &key, &validation).ok()?.claims)
    }
}

/// Returns the id of the user, or `None` for a service that acts for itself.
fn user_id(claims: &Value) -> Option<&str> {
    claims.get("auth_time").and(claims.get("sub")?.as_str())
}

#[derive(serde::Deserialize)]
struct Settings {
    jwks: JwkSet,
    issuer: String,
    audience: String,
    scope: String,
    tokens: Vec<String>,
}

fn main() {
    let settings: Settings = serde_json::from_str(&std::env::var("COUNTERSIGN").unwrap()).unwrap();
    let verifier = Verifier { keys: settings.jwks, issuer: settings.issuer, audience: settings.audience };
    let outcome = |token: &String| match verifier.verify(token, &settings.scope) {
        Ok(claims) => if user_id(&claims).is_some() { "user" } else { "service" }.to_owned(),
        Err(status) => status.to_string(),
    };
    println!("{}", serde_json::to_string(&settings.tokens.iter().map(outcome).collect::<Vec<_>>()).unwrap());
}
