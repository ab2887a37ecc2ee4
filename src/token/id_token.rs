//! ID tokens (OpenID Connect Core section 2): the login at our page, for the client.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::{AccessToken, Login, sign};
use crate::keys::{HeaderType, KeyError, SigningAlgorithm, SigningKey};

/// The lifetime in seconds. A client verifies the token when it receives it.
const TTL: u64 = 3_600;
/// The names of the claims of an ID token.
pub const ID_TOKEN_CLAIMS: [&str; 10] =
    ["iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "at_hash", "amr", "sid"];
/// The authentication methods of a login (RFC 8176): a password.
const AMR: [&str; 1] = ["pwd"];

/// The content of an ID token.
pub struct IdToken<'a> {
    /// The access token that is issued together with it.
    pub access: &'a AccessToken<'a>,
    /// The login.
    pub login: Login<'a>,
    /// The `nonce` of the authorization request, in the first ID token of a login only.
    pub nonce: Option<&'a str>,
    /// The browser session, as the client knows it.
    pub sid: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    auth_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    at_hash: String,
    amr: [&'static str; 1],
    sid: &'a str,
}

impl IdToken<'_> {
    /// Signs the token, for this access token.
    ///
    /// # Errors
    /// [`KeyError`] if signing fails.
    pub fn sign(&self, access_token: &str, key: &SigningKey) -> Result<String, KeyError> {
        let AccessToken { issuer, client, issued_at, .. } = *self.access;
        let claims = Claims {
            iss: issuer,
            sub: &self.login.user.user_id,
            aud: &client.client_id,
            iat: issued_at,
            exp: issued_at.saturating_add(TTL),
            auth_time: self.login.at,
            nonce: self.nonce,
            at_hash: at_hash(access_token, key.algorithm()),
            amr: AMR,
            sid: &self.sid,
        };
        sign(HeaderType::Jwt, &claims, key)
    }
}

/// Returns the left half of the access token's hash (OpenID Connect Core section 3.1.3.6). The hash of EdDSA is that of
/// Ed25519: SHA-512.
fn at_hash(access_token: &str, algorithm: SigningAlgorithm) -> String {
    let hash = match algorithm {
        SigningAlgorithm::EdDsa => &SHA512,
        SigningAlgorithm::Rs256 | SigningAlgorithm::Es256 => &SHA256,
    };
    let hash = digest(hash, access_token.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}
