//! Checks of the claims.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Form, Problem};
use crate::confirmation::Confirmation;
use crate::scope::Scope;
use crate::token::TokenVersion;

/// The accepted clock skew in seconds.
const LEEWAY: u64 = 60;

/// A claim, and the form of its value.
type Claim = (&'static str, Form);

/// The claims of both token versions. The other lists contain the claims of one version.
const COMMON: &[Claim] = &[
    ("iss", Form::Text),
    ("aud", Form::Text),
    ("sub", Form::Text),
    ("iat", Form::Time),
    ("nbf", Form::Time),
    ("exp", Form::Time),
    ("jti", Form::Text),
];
const V1: &[Claim] = &[("scopes", Form::Scopes)];
const V2: &[Claim] = &[("client_id", Form::Text), ("scope", Form::Scope)];
const OPTIONAL_IN_V1: &[Claim] = &[("dealer", Form::Object), ("system", Form::Object)];
const OPTIONAL_IN_V2: &[Claim] = &[("auth_time", Form::Time), ("cnf", Form::Confirmation)];

/// Checks that the claims of the version are there and have their form, and the issuer. A token of version 1 has no other
/// claims: its `typ` is also the one of an ID token.
pub(super) fn check(
    claims: &Map<String, Value>,
    version: Option<TokenVersion>,
    issuer: &str,
    problems: &mut Vec<Problem>,
) {
    let (required, optional) = match version {
        Some(TokenVersion::V1) => (V1, OPTIONAL_IN_V1),
        Some(TokenVersion::V2) => (V2, OPTIONAL_IN_V2),
        None => (&[][..], &[][..]),
    };
    let required = || COMMON.iter().chain(required);
    problems.extend(required().filter(|(name, _)| !claims.contains_key(*name)).map(|(name, _)| Problem::Missing(name)));
    for (name, form) in required().chain(optional) {
        if claims.get(*name).is_some_and(|value| !form.fits(value)) {
            problems.push(Problem::Form(name, *form));
        }
    }
    let is_known = |name: &str| required().chain(optional).any(|(known, _)| *known == name);
    if version == Some(TokenVersion::V1) && !claims.keys().all(|name| is_known(name)) {
        problems.push(Problem::OtherClaim);
    }
    if claims.get("iss").and_then(Value::as_str).is_some_and(|found| found != issuer) {
        problems.push(Problem::Issuer);
    }
}

/// Checks the times of the token.
pub(super) fn check_times(claims: &Map<String, Value>, now: u64, problems: &mut Vec<Problem>) {
    let time = |name: &str| claims.get(name).and_then(Value::as_u64);
    if let Some(from) = time("nbf").max(time("iat")).filter(|from| *from > now.saturating_add(LEEWAY)) {
        problems.push(Problem::NotYetValid(from - now));
    }
    if let Some(expires_at) = time("exp") {
        if expires_at <= now {
            problems.push(Problem::Expired(now - expires_at));
        }
        if time("iat").is_some_and(|issued_at| expires_at <= issued_at) {
            problems.push(Problem::ExpiresBeforeIssue);
        }
    }
}

impl Form {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Scope => value.as_str().is_some_and(|text| Scope::parse(text).is_ok()),
            Self::Scopes => value.as_array().is_some_and(|tokens| {
                !tokens.is_empty() && tokens.iter().all(|token| token.as_str().is_some_and(is_scope_token))
            }),
            Self::Time => value.is_u64(),
            Self::Object => value.is_object(),
            Self::Confirmation => Confirmation::deserialize(value).is_ok(),
        }
    }
}

fn is_scope_token(text: &str) -> bool {
    Scope::parse(text).is_ok_and(|scope| scope.tokens() == [text])
}
