//! The attributes of a client without its secrets, as flags, an import line or `clients.toml` set them.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use countersign::client::{AllowedOrigins, Client};
use countersign::grant::GrantType;
use countersign::keys::MAX_ACCESS_TOKEN_TTL;
use countersign::scope::{AllowedScopes, Scope, ScopeError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The attributes of a client, with the names of the table. An absent attribute is removed, except `enabled`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default)]
    pub grant_types: BTreeSet<String>,
    #[serde(default)]
    pub scopes: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub default_scopes: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_ttl: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_ttl: Option<u32>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub allowed_origins: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Map<String, Value>>,
    /// Absent means unchanged, so that a file does not enable a client that was disabled in an emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

impl From<&Client> for Spec {
    fn from(client: &Client) -> Self {
        Self {
            name: client.name.clone(),
            grant_types: client.grant_types.clone(),
            scopes: client.scopes.tokens().clone(),
            default_scopes: client.default_scopes.iter().flat_map(Scope::tokens).cloned().collect(),
            audience: client.audience.clone(),
            access_token_ttl: client.access_token_ttl.map(NonZeroU32::get),
            refresh_token_ttl: client.refresh_token_ttl.map(NonZeroU32::get),
            allowed_origins: client.allowed_origins.origins().clone(),
            system: client.system.clone(),
            enabled: Some(client.enabled),
        }
    }
}

impl Spec {
    /// Returns the attributes as JSON, without those that are absent.
    pub fn attributes(&self) -> Map<String, Value> {
        match json!(self) {
            Value::Object(attributes) => attributes,
            _ => Map::new(),
        }
    }

    /// Writes the attributes to a client. Does not change the client if an attribute is not valid.
    ///
    /// # Errors
    /// The message for the first attribute that is not valid.
    pub fn write_to(self, client: &mut Client, now: u64) -> Result<(), String> {
        let known = GrantType::ALL.map(GrantType::as_str);
        if let Some(unknown) = self.grant_types.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("the grant type {unknown:?} is not supported; supported are {}", known.join(", ")));
        }
        let scopes = AllowedScopes::parse(self.scopes).map_err(|(token, error)| scope_error(&token, error))?;
        let default_scopes = match self.default_scopes {
            none if none.is_empty() => None,
            tokens => Some(default_scopes(tokens, &scopes)?),
        };
        for (name, value) in [("name", &self.name), ("audience", &self.audience)] {
            if value.as_ref().is_some_and(|value| value.is_empty() || value.contains(char::is_control)) {
                return Err(format!("the {name} is empty or has control characters"));
            }
        }
        if self.access_token_ttl.is_some_and(|ttl| ttl > MAX_ACCESS_TOKEN_TTL) {
            return Err(format!(
                "the access_token_ttl is above the maximum of 7 days ({MAX_ACCESS_TOKEN_TTL} seconds)"
            ));
        }
        let positive = |name, ttl: Option<u32>| match ttl.map(NonZeroU32::new) {
            Some(None) => Err(format!("the {name} is 0; write at least 1 second")),
            Some(ttl) => Ok(ttl),
            None => Ok(None),
        };
        let access_token_ttl = positive("access_token_ttl", self.access_token_ttl)?;
        let refresh_token_ttl = positive("refresh_token_ttl", self.refresh_token_ttl)?;
        let allowed_origins = AllowedOrigins::parse(self.allowed_origins).map_err(|error| error.to_string())?;

        client.name = self.name;
        client.grant_types = self.grant_types;
        client.scopes = scopes;
        client.default_scopes = default_scopes;
        client.audience = self.audience;
        client.access_token_ttl = access_token_ttl;
        client.refresh_token_ttl = refresh_token_ttl;
        client.allowed_origins = allowed_origins;
        client.system = self.system;
        client.enabled = self.enabled.unwrap_or(client.enabled);
        client.updated_at = Some(now);
        Ok(())
    }
}

fn default_scopes(tokens: BTreeSet<String>, allowed: &AllowedScopes) -> Result<Scope, String> {
    for token in &tokens {
        let scope = Scope::try_from(BTreeSet::from([token.clone()])).map_err(|error| scope_error(token, error))?;
        scope.allowed_by(allowed).map_err(|_| {
            format!("the default scope {token:?} is not among the scopes; add it to the scopes, or remove it")
        })?;
    }
    Scope::try_from(tokens).map_err(|error| error.description().to_owned())
}

/// Returns the error message for a scope token that is not valid.
pub fn scope_error(token: &str, error: ScopeError) -> String {
    match error {
        _ if token.contains(' ') => format!("the scope {token:?} contains a space; list each scope separately"),
        ScopeError::Wildcard => {
            format!("the scope {token:?} has a * in the wrong place; only an allowed scope may end in *")
        }
        _ => format!("the scope {token:?} is empty or has an invalid character (RFC 6749 section 3.3)"),
    }
}

/// Rejects an id that client libraries encode differently for Basic, or that no request can have.
pub fn check_new_id(client_id: &str) -> Result<String, String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    // An id that begins with `-` would look like an option on this command line.
    if client_id.is_empty() || client_id.starts_with('-') || client_id.len() > 256 || !client_id.bytes().all(known) {
        return Err(
            "an id has 1 to 256 characters, each of A-Z, a-z, 0-9, - and _, and does not begin with -".to_owned()
        );
    }
    Ok(client_id.to_owned())
}
