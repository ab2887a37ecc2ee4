//! Client metadata: the attributes of a client that operators set, and the rules for new values (RFC 7591 section 2).
//!
//! The record is more tolerant than these rules, because it may contain values that an earlier version wrote.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{Client, GrantType, Trust, trust};
use crate::keys::MAX_ACCESS_TOKEN_TTL;
use crate::scope::Scope;

/// An attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The name in the record, in files and in JSON.
    pub name: &'static str,
    /// The form of the value.
    pub form: Form,
}

/// The form of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A string that is not empty.
    Text,
    /// `true` or `false`. An absent one has this value, if it has one.
    Flag(Option<bool>),
    /// A set of strings. An empty set means the same as none.
    List,
    /// A positive number of seconds.
    Seconds,
    /// A JSON object.
    Object,
    /// A list of JSON objects. An empty list means the same as none.
    Records,
}

/// The attributes, in the order in which they are shown. [`Client`] has a field for each.
pub const ATTRIBUTES: [Attribute; 30] = [
    Attribute { name: "name", form: Form::Text },
    Attribute { name: "enabled", form: Form::Flag(None) },
    Attribute { name: "token_endpoint_auth_method", form: Form::Text },
    Attribute { name: "legacy_audience", form: Form::Flag(Some(false)) },
    Attribute { name: "federated", form: Form::Records },
    Attribute { name: "tls_client_auth_subject_dn", form: Form::Text },
    Attribute { name: "tls_client_auth_san_dns", form: Form::Text },
    Attribute { name: "tls_client_auth_san_uri", form: Form::Text },
    Attribute { name: "tls_client_auth_issuer_dn", form: Form::Text },
    Attribute { name: "grant_types", form: Form::List },
    Attribute { name: "scopes", form: Form::List },
    Attribute { name: "default_scopes", form: Form::List },
    Attribute { name: "audience", form: Form::Text },
    Attribute { name: "resources", form: Form::List },
    Attribute { name: "access_token_ttl", form: Form::Seconds },
    Attribute { name: "refresh_token_ttl", form: Form::Seconds },
    Attribute { name: "allowed_origins", form: Form::List },
    Attribute { name: "refresh_token_cookie", form: Form::Flag(Some(false)) },
    Attribute { name: "user_address", form: Form::Text },
    Attribute { name: "introspects", form: Form::List },
    Attribute { name: "redirect_uris", form: Form::List },
    Attribute { name: "post_logout_redirect_uris", form: Form::List },
    Attribute { name: "first_party", form: Form::Flag(Some(false)) },
    Attribute { name: "require_pkce", form: Form::Flag(Some(true)) },
    Attribute { name: "dpop_bound_access_tokens", form: Form::Flag(Some(false)) },
    Attribute { name: "tls_client_certificate_bound_access_tokens", form: Form::Flag(Some(false)) },
    Attribute { name: "client_uri", form: Form::Text },
    Attribute { name: "policy_uri", form: Form::Text },
    Attribute { name: "tos_uri", form: Form::Text },
    Attribute { name: "system", form: Form::Object },
];

/// The longest `refresh_token_ttl` in seconds: one year, like that of `RefreshTokenIdleTtl` in the template.
const MAX_REFRESH_TOKEN_TTL: u32 = 365 * 24 * 60 * 60;

/// The attributes that are shown even if they are empty.
const ALWAYS_SHOWN: [&str; 2] = ["grant_types", "scopes"];

impl Attribute {
    /// Returns the attribute with this name.
    pub fn named(name: &str) -> Option<Self> {
        ATTRIBUTES.into_iter().find(|attribute| attribute.name == name)
    }

    /// Returns true if the value means the same as an absent one.
    fn is_as_absent(self, value: &Value) -> bool {
        match self.form {
            Form::List | Form::Records => value.as_array().is_some_and(Vec::is_empty),
            Form::Flag(absent) => absent.is_some() && value.as_bool() == absent,
            Form::Text | Form::Seconds | Form::Object => false,
        }
    }
}

/// The attributes of a client without its id and its secrets. Each value has the form of its attribute;
/// [`write_to`](Self::write_to) checks the other rules.
#[derive(Clone, Debug, Default)]
pub struct ClientMetadata(Map<String, Value>);

/// The reason why an attribute is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataError {
    /// The name of the attribute.
    pub attribute: String,
    /// The reason, and what to do.
    message: String,
}

impl MetadataError {
    pub(super) fn new(attribute: &str, message: impl Into<String>) -> Self {
        Self { attribute: attribute.to_owned(), message: message.into() }
    }
}

impl fmt::Display for MetadataError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl ClientMetadata {
    /// Returns the attributes of a client.
    pub fn of(client: &Client) -> Self {
        let mut attributes = match json!(client) {
            Value::Object(attributes) => attributes,
            _ => Map::new(),
        };
        attributes.retain(|_, value| !value.is_null());
        if !client.federated.is_empty() {
            attributes.insert("federated".to_owned(), client.federated.iter().map(Trust::conditions).collect());
        }
        retain_given(&mut attributes);
        Self(attributes)
    }

    /// Returns the attributes as JSON. Omits values that mean the same as an absent one, except empty grant types and scopes.
    pub fn attributes(&self) -> Map<String, Value> {
        let mut attributes = self.0.clone();
        retain_given(&mut attributes);
        for name in ALWAYS_SHOWN {
            attributes.entry(name).or_insert_with(|| json!([]));
        }
        attributes
    }

    /// Takes over the attributes that `other` contains.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Sets an attribute whose value is a list.
    pub fn set_list(&mut self, name: &str, members: &BTreeSet<String>) {
        self.0.insert(name.to_owned(), json!(members));
    }

    /// Removes an attribute.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Writes the attributes to a client, and removes those that are absent. An absent `enabled` is not changed, so that
    /// a file does not enable a client that was disabled in an emergency.
    ///
    /// # Errors
    /// [`MetadataError`] for the first attribute that is not valid. Then the client is not changed.
    pub fn write_to(self, client: &mut Client, now: u64) -> Result<(), MetadataError> {
        self.check()?;
        let mut attributes = self.0;
        retain_given(&mut attributes);
        attributes.entry("enabled").or_insert_with(|| client.enabled.into());
        attributes.insert("client_id".to_owned(), client.client_id.clone().into());
        let mut new: Client = serde_path_to_error::deserialize(Value::Object(attributes)).map_err(|error| {
            let attribute = error.path().iter().next().map(ToString::to_string).unwrap_or_default();
            MetadataError::new(&attribute, error.inner().to_string())
        })?;
        for scope in new.default_scopes.iter().flat_map(Scope::tokens) {
            if !new.scopes.allows(scope) {
                return Err(MetadataError::new(
                    "default_scopes",
                    format!("the default scope {scope:?} is not among the scopes; add it to the scopes, or remove it"),
                ));
            }
        }
        new.secrets.clone_from(&client.secrets);
        new.jwks.clone_from(&client.jwks);
        new.revoked_serials.clone_from(&client.revoked_serials);
        new.federated = trust::kept(new.federated, &client.federated, now);
        new.check()?;
        *client = Client { created_at: client.created_at, updated_at: Some(now), ..new };
        Ok(())
    }

    /// Checks the rules that the types of the record do not enforce.
    fn check(&self) -> Result<(), MetadataError> {
        for (name, value) in &self.0 {
            match value {
                Value::String(text) if text.is_empty() || text.contains(char::is_control) => {
                    return Err(MetadataError::new(name, format!("the {name} is empty or has control characters")));
                }
                Value::Number(number) if number.as_u64() == Some(0) => {
                    return Err(MetadataError::new(name, format!("the {name} is 0; write at least 1 second")));
                }
                _ => {}
            }
        }
        let entries = self.0.get("federated").and_then(Value::as_array).into_iter().flatten();
        let mut members = entries.filter_map(Value::as_object).flat_map(Map::keys);
        let unknown = members.find(|name| !trust::CONDITIONS.contains(&name.as_str()));
        if let Some(unknown) = unknown {
            let known = trust::CONDITIONS.join(", ");
            let message = format!("a trust entry has no member {unknown:?}; its members are {known}");
            return Err(MetadataError::new("federated", message));
        }
        let names = self.0.get("grant_types").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        if let Some(unknown) = names.into_iter().find(|name| GrantType::parse(name).is_none()) {
            let known = GrantType::ALL.map(GrantType::as_str).join(", ");
            let message = format!("the grant type {unknown:?} is not supported; supported are {known}");
            return Err(MetadataError::new("grant_types", message));
        }
        let limits = [
            ("access_token_ttl", MAX_ACCESS_TOKEN_TTL, "7 days"),
            ("refresh_token_ttl", MAX_REFRESH_TOKEN_TTL, "365 days"),
        ];
        for (name, limit, days) in limits {
            if self.0.get(name).and_then(Value::as_u64).is_some_and(|ttl| ttl > limit.into()) {
                let message = format!("the {name} is above the maximum of {days} ({limit} seconds)");
                return Err(MetadataError::new(name, message));
            }
        }
        Ok(())
    }
}

/// Retains the attributes whose values do not mean the same as absent ones.
fn retain_given(attributes: &mut Map<String, Value>) {
    attributes.retain(|name, value| Attribute::named(name).is_some_and(|attribute| !attribute.is_as_absent(value)));
}

/// Reads attributes by their names, each in its form. An error names an attribute that does not exist. `null` means
/// absent.
impl<'de> Deserialize<'de> for ClientMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Attributes)
    }
}

struct Attributes;

/// The name of an attribute.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name(Attribute);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Attribute::named(&name).map(Self).ok_or_else(|| {
            let known = ATTRIBUTES.map(|attribute| format!("`{}`", attribute.name));
            format!("unknown field `{name}`, expected one of {}", known.join(", "))
        })
    }
}

impl<'de> Visitor<'de> for Attributes {
    type Value = ClientMetadata;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the attributes of a client")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClientMetadata, A::Error> {
        let mut attributes = Map::new();
        while let Some(Name(Attribute { name, form })) = map.next_key()? {
            let value = match form {
                Form::Text => json!(map.next_value::<Option<String>>()?),
                Form::Flag(_) => json!(map.next_value::<Option<bool>>()?),
                Form::List => json!(map.next_value::<Option<BTreeSet<String>>>()?),
                Form::Seconds => json!(map.next_value::<Option<u32>>()?),
                Form::Records => json!(map.next_value::<Option<Vec<Map<String, Value>>>>()?),
                Form::Object => json!(map.next_value::<Option<Map<String, Value>>>()?),
            };
            if !value.is_null() {
                attributes.insert(name.to_owned(), value);
            }
        }
        Ok(ClientMetadata(attributes))
    }
}
