//! JWTs that are signed with private JWKs, also ones that no library makes.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::client_key::ClientKeyPair;

/// A private JWK.
pub struct ForeignKey {
    jwk: Value,
    pair: ClientKeyPair,
}

/// A defect of a JWT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// One bit of the signature is flipped.
    Signature,
    /// `alg` is `none`, and the signature is empty.
    AlgNone,
    /// `alg` is `HS256`, with the public key in PEM as the secret.
    Hs256,
    /// There is no signature and no second dot.
    TwoParts,
    /// Each part ends in `=`, also in the text that is signed.
    Padding,
    /// The claim `iss` occurs twice.
    Repeated,
}

impl ForeignKey {
    /// Takes a private JWK with `kid` and `alg`.
    pub fn new(jwk: &Value) -> Self {
        let mut jwk = jwk.clone();
        jwk.as_object_mut().unwrap().remove("note");
        Self { pair: ClientKeyPair::of(&jwk), jwk }
    }

    /// Returns the public key, without `kid` and `alg`.
    pub fn public(&self) -> &Value {
        &self.pair.jwk
    }

    /// Returns the public key as an entry of a key set.
    pub fn published(&self) -> Value {
        let mut jwk = self.public().clone();
        for name in ["kid", "alg"] {
            jwk[name] = self.jwk[name].clone();
        }
        jwk
    }

    /// Returns the private key.
    pub fn private(&self) -> &Value {
        &self.jwk
    }

    /// Signs a message with this `alg`, or with the one of the key if `alg` does not fit the key.
    fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let alg = if ["RS256", "PS256"].contains(&alg) { alg } else { self.pair.algorithm };
        self.pair.signature(message, alg)
    }

    /// Returns the public key as PEM.
    fn public_pem(&self) -> String {
        let base64 = STANDARD.encode(self.pair.public_der());
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// Returns a JWT with exactly this header and these claims, signed by this key.
    pub fn jwt(&self, header: &Value, claims: &Value, defect: Option<Defect>) -> String {
        let mut header = header.clone();
        match defect {
            Some(Defect::AlgNone) => header["alg"] = json!("none"),
            Some(Defect::Hs256) => header["alg"] = json!("HS256"),
            _ => {}
        }
        let mut claims_text = claims.to_string();
        if defect == Some(Defect::Repeated) {
            claims_text.insert_str(1, &format!("\"iss\":{},", claims["iss"]));
        }
        let padding = if defect == Some(Defect::Padding) { "=" } else { "" };
        let encode = |bytes: &[u8]| format!("{}{padding}", URL_SAFE_NO_PAD.encode(bytes));
        let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims_text.as_bytes()));
        let signature = match defect {
            Some(Defect::TwoParts) => return message,
            Some(Defect::AlgNone) => Vec::new(),
            Some(Defect::Hs256) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.public_pem().as_bytes());
                hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
            _ => self.sign(header["alg"].as_str().unwrap_or_default(), message.as_bytes()),
        };
        let flipped = u8::from(defect == Some(Defect::Signature));
        let signature: Vec<_> =
            signature.iter().enumerate().map(|(place, byte)| if place == 0 { byte ^ flipped } else { *byte }).collect();
        format!("{message}.{}", encode(&signature))
    }
}
