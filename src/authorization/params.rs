//! The parameters of an authorization request.

use crate::error::Error;
use crate::params::{Grammar, Param};
use crate::resource::MAX_RESOURCE_BYTES;

pub const CLIENT_ID: Param = Param::new("client_id", 256, Grammar::Vschar);
pub const REDIRECT_URI: Param = Param::new("redirect_uri", 2048, Grammar::Text);
pub const RESPONSE_TYPE: Param = Param::unlimited("response_type");
pub const RESPONSE_MODE: Param = Param::unlimited("response_mode");
pub const SCOPE: Param = Param::new("scope", 4096, Grammar::ScopeTokens);
pub const RESOURCE: Param = Param::new("resource", MAX_RESOURCE_BYTES, Grammar::Resources);
pub const STATE: Param = Param::new("state", 2048, Grammar::Vschar);
pub const NONCE: Param = Param::new("nonce", 1024, Grammar::Vschar);
pub const CODE_CHALLENGE: Param = Param::unlimited("code_challenge");
pub const CODE_CHALLENGE_METHOD: Param = Param::unlimited("code_challenge_method");
pub const PROMPT: Param = Param::unlimited("prompt");
pub const MAX_AGE: Param = Param::unlimited("max_age");
pub const LOGIN_HINT: Param = Param::new("login_hint", 1024, Grammar::Text);
pub const ID_TOKEN_HINT: Param = Param::new("id_token_hint", 4096, Grammar::Text);
pub const UI_LOCALES: Param = Param::new("ui_locales", 256, Grammar::Text);

/// The parameters of the canonical query, in its order.
pub const OF_REQUEST: [Param; 15] = [
    CLIENT_ID,
    REDIRECT_URI,
    RESPONSE_TYPE,
    RESPONSE_MODE,
    SCOPE,
    RESOURCE,
    STATE,
    NONCE,
    CODE_CHALLENGE,
    CODE_CHALLENGE_METHOD,
    PROMPT,
    MAX_AGE,
    LOGIN_HINT,
    ID_TOKEN_HINT,
    UI_LOCALES,
];

/// Parameters of the token endpoint that are secret.
pub const SECRETS: [Param; 3] =
    [Param::unlimited("client_secret"), Param::unlimited("password"), Param::unlimited("code_verifier")];

/// Parameters of extensions that change the meaning of a request (OpenID Connect Core sections 3.1.2.6 and 6), each with
/// its error.
pub const NOT_SUPPORTED: [(Param, fn() -> Error); 3] = [
    (Param::unlimited("request"), Error::request_not_supported),
    (Param::unlimited("request_uri"), Error::request_uri_not_supported),
    (Param::unlimited("registration"), Error::registration_not_supported),
];

/// Returns all parameters.
pub fn all() -> impl Iterator<Item = Param> {
    OF_REQUEST.into_iter().chain(SECRETS).chain(NOT_SUPPORTED.into_iter().map(|(param, _)| param))
}

/// Returns the parameter of this name, if the endpoint defines it. Others are ignored, even if they are repeated.
pub fn defined(name: &str) -> Option<Param> {
    all().find(|param| param.name() == name)
}
