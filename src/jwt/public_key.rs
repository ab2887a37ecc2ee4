//! Public keys of others: JWKs (RFC 7517, RFC 7518 section 6, RFC 8037).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, crypto};
use serde_json::{Map, Value};

use super::{Algorithm, json};
use crate::encoding::sha256;

/// The members of a private or a symmetric key.
const SECRET_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "r"];
/// The values of `use` of a key for signatures. The second one is that of a SPIFFE bundle (SPIFFE Trust Domain and Bundle
/// section 4.2.2).
const USES: [&str; 2] = ["sig", "jwt-svid"];
/// The number of bits that an RSA key may have.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The reason why a JWK is not usable. Never contains a part of the key.
pub type NotUsable = &'static str;

/// The type of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// A public key with which signatures of others are verified.
#[derive(Clone, Debug)]
pub struct PublicKey {
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    kind: Kind,
    key: DecodingKey,
    /// The required members in lexicographic order (RFC 7638 section 3).
    members: String,
}

impl PublicKey {
    /// Reads a JWK: RSA of 2048 to 4096 bits, P-256, P-384 or Ed25519, for signatures, without a private member.
    ///
    /// # Errors
    /// [`NotUsable`]
    pub fn of(jwk: &Map<String, Value>) -> Result<Self, NotUsable> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(json::decode);
        let coordinate = |name: &str, length: usize| bytes(name).filter(|bytes| bytes.len() == length);
        if has_secret_member(jwk) {
            return Err("it contains a private key");
        }
        if jwk.get("use").is_some_and(|value| !USES.iter().any(|usable| value == usable))
            || !may_verify(jwk.get("key_ops"))
        {
            return Err("it is not for signatures");
        }
        let wrong_size = "its coordinates do not have the size of the curve";
        let (kind, members, key) = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => {
                let (n, e) = bytes("n").zip(bytes("e")).ok_or("it has no n and e")?;
                let (n, e) = (without_leading_zeros(&n), without_leading_zeros(&e));
                if !RSA_BITS.contains(&bits(n)) {
                    return Err("an RSA key has 2048 to 4096 bits");
                }
                let members = format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n));
                (Kind::Rsa, members, DecodingKey::from_rsa_raw_components(n, e))
            }
            (Some("EC"), Some(crv @ ("P-256" | "P-384"))) => {
                let (kind, length) = if crv == "P-256" { (Kind::P256, 32) } else { (Kind::P384, 48) };
                let point = coordinate("x", length).zip(coordinate("y", length)).ok_or(wrong_size)?;
                let (x, y) = (encode(&point.0), encode(&point.1));
                let key = DecodingKey::from_ec_components(&x, &y).map_err(|_| wrong_size)?;
                (kind, format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#), key)
            }
            (Some("OKP"), Some("Ed25519")) => {
                let x = encode(&coordinate("x", 32).ok_or(wrong_size)?);
                let key = DecodingKey::from_ed_components(&x).map_err(|_| wrong_size)?;
                (Kind::Ed25519, format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#), key)
            }
            _ => return Err("its type is not RSA, P-256, P-384 or Ed25519"),
        };
        let algorithm = match jwk.get("alg").map(|alg| alg.as_str().and_then(Algorithm::named)) {
            None => None,
            Some(Some(algorithm)) if fits(kind, algorithm) => Some(algorithm),
            Some(_) => return Err("its alg is not supported, or does not fit its type"),
        };
        Ok(Self { kid: text("kid").map(ToOwned::to_owned), algorithm, kind, key, members })
    }

    /// Returns the `kid`, if the key has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns the thumbprint (RFC 7638): the SHA-256 of the required members, in base64url.
    pub fn thumbprint(&self) -> String {
        sha256(&self.members)
    }

    /// Returns the key as a JWK with its required members only, in JSON.
    pub fn json(&self) -> &str {
        &self.members
    }

    /// Returns the one algorithm that is possible: that of the JWK, or of its curve. `None` for an RSA key without `alg`.
    pub fn only_algorithm(&self) -> Option<Algorithm> {
        self.algorithm.or(match self.kind {
            Kind::Rsa => None,
            Kind::P256 => Some(Algorithm::Es256),
            Kind::P384 => Some(Algorithm::Es384),
            Kind::Ed25519 => Some(Algorithm::EdDsa),
        })
    }

    /// Returns true if the key may be used with the algorithm: its type fits, and its own `alg`, if it has one.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        fits(self.kind, algorithm) && self.algorithm.is_none_or(|own| own.is(algorithm))
    }

    /// Verifies a signature, in base64url, of a message.
    pub(super) fn verify(&self, message: &str, signature: &str, algorithm: Algorithm) -> bool {
        crypto::verify(signature, message.as_bytes(), &self.key, algorithm.verifier()).unwrap_or(false)
    }
}

fn fits(kind: Kind, algorithm: Algorithm) -> bool {
    match algorithm {
        Algorithm::EdDsa | Algorithm::Ed25519 => kind == Kind::Ed25519,
        Algorithm::Es256 => kind == Kind::P256,
        Algorithm::Es384 => kind == Kind::P384,
        Algorithm::Ps256 | Algorithm::Rs256 => kind == Kind::Rsa,
    }
}

/// Returns true for a private or a symmetric key.
pub(super) fn has_secret_member(jwk: &Map<String, Value>) -> bool {
    SECRET_MEMBERS.iter().any(|name| jwk.contains_key(*name))
}

/// Returns true if the operations of a key (RFC 7517 section 4.3), if it lists any, contain the verification.
fn may_verify(operations: Option<&Value>) -> bool {
    operations.is_none_or(|operations| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    })
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// Returns the number of bits of a big-endian integer. Leading zeros do not count.
pub(crate) fn bits(integer: &[u8]) -> usize {
    let integer = without_leading_zeros(integer);
    integer.first().map_or(0, |first| integer.len() * 8 - first.leading_zeros() as usize)
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
