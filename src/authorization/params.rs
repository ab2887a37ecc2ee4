//! The parameters of an authorization request.

use crate::error::Error;
use crate::params::{Defined, Grammar, Param};
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

const REQUEST: Param = Param::unlimited("request");
const REQUEST_URI: Param = Param::unlimited("request_uri");
const REGISTRATION: Param = Param::unlimited("registration");

/// Parameters of extensions that change the meaning of a request (OpenID Connect Core sections 3.1.2.6 and 6), each with
/// its error.
pub const NOT_SUPPORTED: [(Param, fn() -> Error); 3] = [
    (REQUEST, Error::request_not_supported),
    (REQUEST_URI, Error::request_uri_not_supported),
    (REGISTRATION, Error::registration_not_supported),
];

/// All parameters.
pub const DEFINED: Defined = Defined(&[&OF_REQUEST, &SECRETS, &[REQUEST, REQUEST_URI, REGISTRATION]]);
