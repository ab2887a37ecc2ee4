//! A model of the token endpoint: computes the one correct response to a token request, independently of the library and
//! in the simplest way. Most client errors have the same code, so the order of those checks does not matter.

use std::collections::BTreeMap;

use crate::ISSUER;
use crate::cloud::{ACTIVE_TOKEN, CLIENTS, Client, FAMILY_SCOPES, PASSWORD, USERNAME};
use crate::model::accept::version;
use crate::model::credentials::{Pair, credentials};
use crate::model::parameters::{RESOURCE, form_parameters, json_parameters};

mod accept;
mod credentials;
mod json;
mod parameters;

pub use credentials::{base64, elements};

/// The expected response.
#[derive(Debug)]
pub enum Expected {
    /// A token.
    Issued(Issued),
    /// An error response with this status and code.
    Error(u16, &'static str),
    /// A token if the username is another form of the user's name, or else `invalid_grant`.
    IssuedOrInvalidGrant(Issued),
}

/// The expected content of a token.
pub struct Issued {
    pub version: u8,
    pub client: &'static Client,
    pub user: bool,
    /// True after a refresh, false after a login.
    pub refreshed: bool,
    pub scope: Vec<String>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "a token of version {} for {}: {:?}", self.version, self.client.id, self.scope)
    }
}

/// A request to the token endpoint, without a `Content-Encoding`.
#[derive(Default)]
pub struct TokenRequest<'a> {
    /// True for JSON, false for a form.
    pub json: bool,
    pub query: &'a [u8],
    pub accept: Vec<&'a [u8]>,
    pub authorization: Vec<&'a [u8]>,
    pub body: &'a [u8],
}

/// The parameters of a request, by name.
type Parameters = BTreeMap<&'static str, String>;

const INVALID_REQUEST: Expected = Expected::Error(400, "invalid_request");
const INVALID_SCOPE: Expected = Expected::Error(400, "invalid_scope");
const INVALID_TARGET: Expected = Expected::Error(400, "invalid_target");
const INVALID_GRANT: Expected = Expected::Error(400, "invalid_grant");

impl TokenRequest<'_> {
    /// Returns the expected response.
    pub fn expected(&self) -> Expected {
        if self.body.len() > 16 * 1024 {
            return Expected::Error(413, "invalid_request");
        }
        if !form_parameters(self.query).is_some_and(|parameters| parameters.is_empty()) {
            return INVALID_REQUEST;
        }
        let parameters = if self.json { json_parameters(self.body) } else { form_parameters(self.body) };
        let (Some(version), Some(mut parameters)) = (version(&self.accept), parameters) else {
            return INVALID_REQUEST;
        };
        if let Some(username) = parameters.get_mut("username") {
            *username = username.trim_start_matches(' ').trim_end_matches(' ').to_owned();
        }
        parameters.retain(|_, value| !value.is_empty());
        let Ok(credentials) = credentials(&self.authorization, &parameters) else {
            return INVALID_REQUEST;
        };
        match parameters.get("grant_type").map(String::as_str) {
            None => return INVALID_REQUEST,
            Some("password" | "client_credentials" | "refresh_token") => {}
            Some(_) => return Expected::Error(400, "unsupported_grant_type"),
        }
        let is_authenticated = |client: &&Client| {
            let is_one_of =
                |pairs: &[Pair]| pairs.iter().any(|(id, secret)| id == client.id && secret == client.secret);
            let decoded = &credentials[..credentials.len().min(1)];
            client.enabled && (is_one_of(decoded) || client.imported && is_one_of(&credentials))
        };
        CLIENTS
            .iter()
            .find(is_authenticated)
            .map_or(Expected::Error(401, "invalid_client"), |client| granted(client, &parameters, version))
    }
}

/// Returns the expected response to an authenticated client.
fn granted(client: &'static Client, parameters: &Parameters, version: u8) -> Expected {
    let parameter = |name| parameters.get(name).map(String::as_str);
    let grant_type = parameter("grant_type").unwrap_or_default();
    if !client.grant_types.contains(&grant_type) {
        return Expected::Error(400, "unauthorized_client");
    }
    let requested = match parameter("scope").map(|text| scope(client, text)) {
        Some(None) => Err(INVALID_SCOPE),
        Some(Some(scope)) => Ok(Some(scope)),
        None => Ok(None),
    };
    // No client lists a resource, so the only one is the issuer.
    let is_own = |resource: &str| resource.strip_suffix('/').unwrap_or(resource) == ISSUER && version == 2;
    let is_target = parameter(RESOURCE).is_none_or(is_own);
    let defaults = || client.default_scopes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let issued = |user, refreshed, scope: Vec<String>| Issued { version, client, user, refreshed, scope };
    match grant_type {
        "refresh_token" => {
            let Some(token) = parameter("refresh_token") else { return INVALID_REQUEST };
            let requested = match requested {
                Ok(requested) => requested,
                Err(error) => return error,
            };
            if !is_target {
                return INVALID_TARGET;
            }
            if token != ACTIVE_TOKEN || client.id != "autonomy-web" {
                return INVALID_GRANT;
            }
            match requested {
                None => Expected::Issued(issued(true, true, FAMILY_SCOPES.map(str::to_owned).to_vec())),
                Some(scope) if scope.iter().all(|token| FAMILY_SCOPES.contains(&token.as_str())) => {
                    Expected::Issued(issued(true, true, scope))
                }
                Some(_) => INVALID_SCOPE,
            }
        }
        "password" => {
            let (Some(username), Some(password)) = (parameter("username"), parameter("password")) else {
                return INVALID_REQUEST;
            };
            let scope = match requested {
                Ok(requested) => requested.unwrap_or_else(defaults),
                Err(error) => return error,
            };
            match () {
                () if scope.is_empty() => INVALID_SCOPE,
                () if !is_target => INVALID_TARGET,
                () if password != PASSWORD => INVALID_GRANT,
                () if username.eq_ignore_ascii_case(USERNAME) => Expected::Issued(issued(true, false, scope)),
                () if username.is_ascii() => INVALID_GRANT,
                () => Expected::IssuedOrInvalidGrant(issued(true, false, scope)),
            }
        }
        _ => match requested.map(|requested| requested.unwrap_or_else(defaults)) {
            Ok(scope) if scope.is_empty() => INVALID_SCOPE,
            Ok(_) if !is_target => INVALID_TARGET,
            Ok(scope) => Expected::Issued(issued(false, false, scope)),
            Err(error) => error,
        },
    }
}

/// Returns the tokens of a scope, each once. Returns `None` unless it is well-formed and allowed for the client.
fn scope(client: &Client, text: &str) -> Option<Vec<String>> {
    let mut scope: Vec<String> = Vec::new();
    for token in text.split(' ') {
        let allowed = client.scopes.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(prefix) => token.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()),
            None => token == *allowed,
        });
        let forbidden = |character: char| !character.is_ascii_graphic() || "\"\\*".contains(character);
        if !allowed || token.contains(forbidden) {
            return None;
        }
        if !scope.iter().any(|known| known == token) {
            scope.push(token.to_owned());
        }
    }
    Some(scope)
}
