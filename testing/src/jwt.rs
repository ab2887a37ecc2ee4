//! Keys and JWTs of other parties: client assertions, proofs, tokens of other issuers. Also JWTs that no library makes.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// The members of a public JWK (RFC 7518 section 6) that identify the key.
const PUBLIC: [&str; 6] = ["kty", "crv", "x", "y", "n", "e"];
/// The private members of a JWK.
const PRIVATE: [&str; 6] = ["d", "p", "q", "dp", "dq", "qi"];

/// A private key of another party: a JWK.
pub struct ForeignKey(Map<String, Value>);

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
    /// Takes a private JWK.
    pub fn new(jwk: &Value) -> Self {
        Self(jwk.as_object().unwrap().clone())
    }

    fn members<'a>(&'a self, names: impl IntoIterator<Item = &'a str>) -> Value {
        names.into_iter().filter_map(|name| Some((name.to_owned(), self.0.get(name)?.clone()))).collect()
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("{name} is not a text"))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(self.text(name)).unwrap()
    }

    /// Returns the public key, without `kid` and `alg`.
    pub fn public(&self) -> Value {
        self.members(PUBLIC)
    }

    /// Returns the public key as an entry of a key set.
    pub fn published(&self) -> Value {
        self.members(PUBLIC.into_iter().chain(["kid", "alg"]))
    }

    /// Returns the private key.
    pub fn private(&self) -> Value {
        self.members(PUBLIC.into_iter().chain(PRIVATE))
    }

    fn rsa(&self) -> RsaKeyPair {
        let part = |name| self.bytes(name);
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: part("n"), e: part("e") },
            d: part("d"),
            p: part("p"),
            q: part("q"),
            dP: part("dp"),
            dQ: part("dq"),
            qInv: part("qi"),
        };
        RsaKeyPair::from_components(&components).unwrap()
    }

    fn ec(&self) -> EcdsaKeyPair {
        let algorithm = match self.text("crv") {
            "P-256" => &ECDSA_P256_SHA256_FIXED_SIGNING,
            "P-384" => &ECDSA_P384_SHA384_FIXED_SIGNING,
            other => panic!("there is no curve {other}"),
        };
        let point = [&[4][..], &self.bytes("x"), &self.bytes("y")].concat();
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, &self.bytes("d"), &point).unwrap()
    }

    fn ed25519(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_and_public_key(&self.bytes("d"), &self.bytes("x")).unwrap()
    }

    /// Signs a message with this `alg`, or with the one of the key if `alg` does not fit the key.
    fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self.text("kty") {
            "EC" => self.ec().sign(&random, message).unwrap().as_ref().to_vec(),
            "OKP" => self.ed25519().sign(message).as_ref().to_vec(),
            "RSA" => {
                let key = self.rsa();
                let alg = if ["RS256", "PS256"].contains(&alg) { alg } else { self.text("alg") };
                let padding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if alg == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            other => panic!("there is no kty {other}"),
        }
    }

    /// Returns the public key as PEM.
    fn public_pem(&self) -> String {
        let der = match self.text("kty") {
            "EC" => self.ec().public_key().as_der().unwrap(),
            "OKP" => self.ed25519().public_key().as_der().unwrap(),
            _ => self.rsa().public_key().as_der().unwrap(),
        };
        let base64 = STANDARD.encode(der.as_ref());
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
