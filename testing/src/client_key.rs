//! Key pairs of clients, and the JWTs that they sign.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::deployment::{ISSUER, NOW};
use crate::with_changes;

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A key pair of a client.
pub struct ClientKeyPair {
    pair: Pair,
    /// The algorithm by which the key signs, if the header names no other one.
    pub algorithm: &'static str,
    /// The public key, without `kid` and `alg`.
    pub jwk: Value,
}

impl ClientKeyPair {
    /// Generates a key for an algorithm.
    pub fn generate(algorithm: &'static str) -> Self {
        let curve = |algorithm, name: &str, length: usize| {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            let point = pair.public_key().as_ref()[1..].to_vec();
            let (x, y) = point.split_at(length);
            (json!({"kty": "EC", "crv": name, "x": encode(x), "y": encode(y)}), Pair::Ec(pair))
        };
        let (jwk, pair) = match algorithm {
            "ES256" => curve(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", 32),
            "ES384" => curve(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", 48),
            "EdDSA" | "Ed25519" => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let x = encode(pair.public_key().as_ref());
                (json!({"kty": "OKP", "crv": "Ed25519", "x": x}), Pair::Ed25519(pair))
            }
            _ => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let encode = |integer: &[u8]| URL_SAFE_NO_PAD.encode(integer);
                let members =
                    (encode(n.big_endian_without_leading_zero()), encode(e.big_endian_without_leading_zero()));
                (json!({"kty": "RSA", "n": members.0, "e": members.1}), Pair::Rsa(Box::new(pair)))
            }
        };
        Self { pair, algorithm, jwk }
    }

    /// Takes the key pair of a private JWK with `alg`.
    pub fn of(jwk: &Value) -> Self {
        let text = |name: &str| jwk[name].as_str().unwrap_or_else(|| panic!("{name} is not a text"));
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)).unwrap();
        let curve = |algorithm| {
            let point = [&[4][..], &bytes("x"), &bytes("y")].concat();
            Pair::Ec(EcdsaKeyPair::from_private_key_and_public_key(algorithm, &bytes("d"), &point).unwrap())
        };
        let algorithm = ["ES256", "ES384", "EdDSA", "PS256", "RS256"].into_iter().find(|known| *known == text("alg"));
        let algorithm = algorithm.unwrap();
        let pair = match algorithm {
            "ES256" => curve(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => curve(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => Pair::Ed25519(Ed25519KeyPair::from_seed_and_public_key(&bytes("d"), &bytes("x")).unwrap()),
            _ => {
                let components = KeyPairComponents {
                    public_key: PublicKeyComponents { n: bytes("n"), e: bytes("e") },
                    d: bytes("d"),
                    p: bytes("p"),
                    q: bytes("q"),
                    dP: bytes("dp"),
                    dQ: bytes("dq"),
                    qInv: bytes("qi"),
                };
                Pair::Rsa(Box::new(RsaKeyPair::from_components(&components).unwrap()))
            }
        };
        let public = ["kty", "crv", "x", "y", "n", "e"].into_iter();
        let members = public.filter_map(|name| Some((name.to_owned(), jwk.get(name)?.clone())));
        Self { pair, algorithm, jwk: members.collect() }
    }

    /// Returns the DER of the public key (RFC 5280 `SubjectPublicKeyInfo`).
    pub fn public_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        }
    }

    /// Returns the entry of the key in a client's `jwks`.
    pub fn entry(&self, kid: &str) -> Value {
        json!({"kid": kid, "alg": self.algorithm, "jwk": self.jwk.to_string(), "created_at": NOW})
    }

    /// Signs a JWT with this header and these claims, which may be anything.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string(), header["alg"].as_str())
    }

    /// Signs a JWT of these texts, which may be anything.
    pub fn sign_text(&self, header: &str, claims: &str, algorithm: Option<&str>) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.signature(message.as_bytes(), algorithm.unwrap_or(self.algorithm));
        format!("{message}.{}", encode(signature))
    }

    /// Signs a message. An RSA key signs by the algorithm that the caller names.
    pub fn signature(&self, message: &[u8], algorithm: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = if algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// Signs an assertion of a client for our issuer, with these other claims; `null` removes a claim.
    pub fn assertion(&self, client_id: &str, jti: &str, changes: &Value) -> String {
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": ISSUER, "iat": NOW, "exp": NOW + 60, "jti": jti,
        });
        self.sign(&json!({"alg": self.algorithm, "typ": "JWT"}), &with_changes(claims, changes))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
