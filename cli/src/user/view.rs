//! A user as JSON and as text, with the scheme of the password hash but not the hash.

use std::collections::BTreeSet;

use countersign::password_hash::Hash;
use countersign::scope::AllowedScopes;
use countersign::user::User;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output;

/// A user as JSON.
#[derive(Serialize)]
pub struct View<'a> {
    username: &'a str,
    user_id: &'a str,
    enabled: bool,
    password_scheme: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dealer: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    claims: &'a Map<String, Value>,
    session_generation: u64,
}

impl<'a> View<'a> {
    pub fn new(user: &'a User) -> Self {
        Self {
            username: user.username.as_str(),
            user_id: &user.user_id,
            enabled: user.enabled,
            password_scheme: user.password_hash.as_ref().map(Hash::scheme),
            scopes: user.scopes.as_ref().map(AllowedScopes::tokens),
            dealer: user.dealer.as_ref(),
            claims: user.claims.entries(),
            session_generation: user.session_generation,
        }
    }
}

/// Returns the rows of a user as text.
pub fn rows(view: &View<'_>) -> [(&'static str, Option<String>); 8] {
    [
        ("username", Some(view.username.to_owned())),
        ("user_id", Some(view.user_id.to_owned())),
        ("enabled", Some(view.enabled.to_string())),
        ("password", Some(view.password_scheme.map_or_else(|| "none".to_owned(), |scheme| format!("set ({scheme})")))),
        ("scopes", view.scopes.map(output::list)),
        ("dealer", view.dealer.map(|dealer| Value::Object(dealer.clone()).to_string())),
        ("claims", (!view.claims.is_empty()).then(|| Value::Object(view.claims.clone()).to_string())),
        ("session_generation", (view.session_generation > 0).then(|| view.session_generation.to_string())),
    ]
}
