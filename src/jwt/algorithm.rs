//! The algorithms with which others sign.

use serde::{Deserialize, Serialize};

/// An algorithm of a signature (RFC 7518 section 3.1, RFC 8037, RFC 9864).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Algorithm {
    /// `EdDSA`. The only curve is Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// The same, by the name of RFC 9864.
    Ed25519,
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA with P-384 and SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

impl Algorithm {
    /// The algorithms, in the order of the server metadata.
    pub const ALL: [Self; 6] = [Self::EdDsa, Self::Ed25519, Self::Es256, Self::Es384, Self::Ps256, Self::Rs256];

    /// Returns the algorithm with this name. Names are compared with regard to case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Returns the name in a header and in a key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    /// Returns the algorithm by which a signature is verified. The two names of `EdDSA` have the same one.
    pub(super) const fn verifier(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDsa | Self::Ed25519 => jsonwebtoken::Algorithm::EdDSA,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }

    /// Returns true if both names mean the same algorithm.
    pub fn is(self, other: Self) -> bool {
        self.verifier() == other.verifier()
    }
}
