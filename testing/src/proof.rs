//! DPoP proofs (RFC 9449) of the key pairs of clients.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::jwt::PublicKey;
use serde_json::{Value, json};

use crate::client_key::ClientKeyPair;
use crate::deployment::{ISSUER, TestApp};

impl ClientKeyPair {
    /// Returns the thumbprint (RFC 7638).
    pub fn thumbprint(&self) -> String {
        PublicKey::of(self.jwk.as_object().unwrap()).unwrap().thumbprint()
    }

    /// Returns the header of a proof.
    pub fn proof_header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk})
    }

    /// Returns a proof with these claims.
    pub fn proof_of(&self, claims: &Value) -> String {
        self.sign(&self.proof_header(), claims)
    }

    /// Returns a proof for a token request at this time of the deployment.
    pub fn proof(&self, test: &TestApp) -> String {
        self.proof_of(&test.proof_claims())
    }

    /// Returns a proof for a GET request to the userinfo endpoint with an access token.
    pub fn proof_for(&self, test: &TestApp, access_token: &str) -> String {
        let mut claims = test.proof_claims();
        claims["htm"] = "GET".into();
        claims["htu"] = format!("{ISSUER}/oauth/userinfo").into();
        claims["ath"] = access_token_hash(access_token).into();
        self.proof_of(&claims)
    }
}

impl TestApp {
    /// Returns the nonce that the deployment sends at this time.
    pub fn nonce(&self) -> String {
        self.app.keyring.last_good().unwrap().dpop_nonce_keys.nonce(self.now())
    }

    /// Returns the claims of a proof for a token request.
    pub fn proof_claims(&self) -> Value {
        let jti = countersign::random::random_id();
        json!({
            "jti": jti, "htm": "POST", "htu": format!("{ISSUER}/oauth/token"), "iat": self.now(), "nonce": self.nonce(),
        })
    }
}

/// Returns the `ath` of an access token.
pub fn access_token_hash(access_token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, access_token.as_bytes()))
}
