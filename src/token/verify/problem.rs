//! The problems that a token can have.

use crate::keys::SigningAlgorithm;

/// A problem of a token. No variant contains a part of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The text is longer than a token can be, and has this number of bytes.
    TooLong(usize),
    /// The text does not have the three parts of a signed JWT (RFC 7515 section 7.1), but this number of parts.
    Parts(usize),
    /// The part is not canonical base64url.
    Encoding(Part),
    /// The part is not a JSON object.
    NotAnObject(Part),
    /// A member of the JSON is repeated (RFC 7515 section 4).
    Repeated(Part),
    /// The header has `crit`, which a verifier that does not know the extension must reject (RFC 7515 section 4.1.11).
    Critical,
    /// The header has a member that our tokens do not have.
    OtherHeader,
    /// The `typ` is of no token version.
    Type,
    /// The header has no `kid`.
    NoKid,
    /// The `kid` is not in the key set.
    UnknownKey,
    /// The algorithm of the key is not supported.
    UnsupportedKey,
    /// The header has no `alg`.
    NoAlgorithm,
    /// The `alg` is `none`.
    Unsigned,
    /// The `alg` is an HMAC.
    Hmac,
    /// The `alg` is not this algorithm of the key.
    OtherAlgorithm(SigningAlgorithm),
    /// The signature is not canonical base64url.
    SignatureEncoding,
    /// The signature is not valid.
    Signature,
    /// The key in the key set is not valid.
    InvalidKey,
    /// There is no key set, so the signature is not verified.
    NotVerified,
    /// The claim is missing.
    Missing(&'static str),
    /// The claim does not have this form.
    Form(&'static str, Form),
    /// There is a claim that token version 1 does not have.
    OtherClaim,
    /// The `iss` is not exactly the expected issuer.
    Issuer,
    /// The token becomes valid in this number of seconds.
    NotYetValid(u64),
    /// The token expired this number of seconds ago.
    Expired(u64),
    /// The `exp` is not after the `iat`.
    ExpiresBeforeIssue,
}

/// A part of a token that contains JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The header.
    Header,
    /// The claims.
    Payload,
}

/// The form of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A string.
    Text,
    /// Scope tokens with spaces between them.
    Scope,
    /// An array of scope tokens.
    Scopes,
    /// A whole number of seconds.
    Time,
    /// An object.
    Object,
    /// The confirmation of a key.
    Confirmation,
}
