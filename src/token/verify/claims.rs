//! Checks of the claims.

use serde_json::{Map, Value};

use super::{Form, Problem};
use crate::token::TokenVersion;

/// The accepted clock skew in seconds.
const LEEWAY: u64 = 5;

/// The claims of both token versions. The other two lists contain the claims of one version.
const COMMON: &[(&str, Form)] = &[
    ("iss", Form::Text),
    ("aud", Form::Text),
    ("sub", Form::Text),
    ("iat", Form::Time),
    ("nbf", Form::Time),
    ("exp", Form::Time),
    ("jti", Form::Text),
];
const V1: &[(&str, Form)] = &[("scopes", Form::Texts)];
const V2: &[(&str, Form)] = &[("client_id", Form::Text), ("scope", Form::Text)];

/// Checks that the claims of the version are there and have their form, and the issuer.
pub(super) fn check(
    claims: &Map<String, Value>,
    version: Option<TokenVersion>,
    issuer: &str,
    problems: &mut Vec<Problem>,
) {
    let of_version = match version {
        Some(TokenVersion::V1) => V1,
        Some(TokenVersion::V2) => V2,
        None => &[],
    };
    for (name, form) in COMMON.iter().chain(of_version) {
        match claims.get(*name) {
            None => problems.push(Problem::Missing(name)),
            Some(value) if !form.fits(value) => problems.push(Problem::Form(name, *form)),
            Some(_) => {}
        }
    }
    if claims.get("iss").and_then(Value::as_str).is_some_and(|found| found != issuer) {
        problems.push(Problem::Issuer);
    }
}

/// Checks the times of the token.
pub(super) fn check_times(claims: &Map<String, Value>, now: u64, problems: &mut Vec<Problem>) {
    let time = |name: &str| claims.get(name).and_then(Value::as_u64);
    if let Some(from) = time("nbf").max(time("iat")).filter(|from| *from > now + LEEWAY) {
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
            Self::Texts => value.as_array().is_some_and(|texts| texts.iter().all(Value::is_string)),
            Self::Time => value.is_u64(),
        }
    }
}
