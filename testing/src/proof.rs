//! The keys and the DPoP proofs of clients (RFC 9449).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::jwt::PublicKey;
use serde_json::{Value, json};

use crate::deployment::{ISSUER, TestApp};

/// The key pair of a client.
pub enum ProofKey {
    Es256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl ProofKey {
    /// Generates a P-256 key.
    pub fn es256() -> Self {
        Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    /// Returns the public key as a JWK.
    pub fn jwk(&self) -> Value {
        match self {
            Self::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Self::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key())}),
        }
    }

    /// Returns the thumbprint (RFC 7638).
    pub fn thumbprint(&self) -> String {
        PublicKey::of(self.jwk().as_object().unwrap()).unwrap().thumbprint().to_owned()
    }

    /// Returns the header of a proof.
    pub fn header(&self) -> Value {
        let alg = if let Self::Es256(_) = self { "ES256" } else { "EdDSA" };
        json!({"typ": "dpop+jwt", "alg": alg, "jwk": self.jwk()})
    }

    /// Signs a JWT, whatever its header says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// Signs a JWT of these texts.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = match self {
            Self::Es256(pair) => encode(pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap()),
            Self::Ed25519(pair) => encode(pair.sign(message.as_bytes())),
        };
        format!("{message}.{signature}")
    }

    /// Returns a proof for a token request at this time of the deployment.
    pub fn proof(&self, test: &TestApp) -> String {
        self.sign(&self.header(), &test.proof_claims())
    }

    /// Returns a proof for a GET request to the userinfo endpoint with an access token.
    pub fn proof_for(&self, test: &TestApp, access_token: &str) -> String {
        let mut claims = test.proof_claims();
        claims["htm"] = "GET".into();
        claims["htu"] = format!("{ISSUER}/oauth/userinfo").into();
        claims["ath"] = access_token_hash(access_token).into();
        self.sign(&self.header(), &claims)
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
    encode(digest(&SHA256, access_token.as_bytes()))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
