//! `countersign import users`: the line of a user.

use std::collections::BTreeSet;

use countersign::login::USERNAME;
use countersign::password_hash::{Hash, Hasher};
use countersign::random::random_id;
use countersign::scope::AllowedScopes;
use countersign::user::{ClaimError, User, Username};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::hashes;
use super::ids::Ids;
use super::lines::Line;
use super::records::{Import, object};
use super::values::normalize;

pub struct ImportedUser {
    user: User,
    /// The members of the line.
    names: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserLine {
    username: String,
    user_id: Option<String>,
    password_hash: Option<String>,
    scopes: Option<BTreeSet<String>>,
    dealer: Option<Map<String, Value>>,
    claims: Option<Map<String, Value>>,
    enabled: Option<bool>,
}

impl Import for ImportedUser {
    type Record = User;

    fn columns() -> Vec<&'static str> {
        vec!["username", "user_id", "password_hash", "scopes", "dealer", "claims", "enabled"]
    }

    fn read(line: Line, _: &Hasher) -> Result<Self, String> {
        let line = normalize(line)?;
        let names = line.keys().cloned().collect();
        let line: UserLine = object(line)?;
        USERNAME.check(&line.username).map_err(|error| error.reason().into_owned())?;
        let username = Username::parse(&line.username).ok_or("the username is not valid (RFC 8265)")?;
        if line.user_id.as_ref().is_some_and(|id| id.is_empty() || id.contains(char::is_control)) {
            return Err("the user_id is empty or has control characters".to_owned());
        }
        let user = User {
            username,
            user_id: line.user_id.unwrap_or_else(random_id),
            password_hash: line.password_hash.as_deref().map_or(Ok(None), password_hash)?,
            scopes: line.scopes.map_or(Ok(None), limit)?,
            dealer: line.dealer,
            claims: line.claims.unwrap_or_default().try_into().map_err(|error: ClaimError| error.to_string())?,
            enabled: line.enabled.unwrap_or(true),
            session_generation: 0,
        };
        Ok(Self { user, names })
    }

    fn record(&self) -> &User {
        &self.user
    }

    fn key(&self) -> &str {
        self.user.username.as_str()
    }

    fn user_id(&self) -> Option<&str> {
        self.names("user_id").then_some(&self.user.user_id)
    }

    fn shares_id(&self, ids: &Ids) -> bool {
        self.user_id().is_some_and(|id| ids.is_client(id))
    }

    fn scheme(&self) -> &'static str {
        self.user.password_hash.as_ref().map_or("no password", Hash::scheme)
    }

    fn check(&self, stored: &User) -> Result<(), String> {
        if self.names("user_id") && stored.user_id != self.user.user_id {
            return Err("the stored user has another user_id, which never changes".to_owned());
        }
        Ok(())
    }

    fn overwrite(&self, stored: &mut User) -> Result<(), String> {
        let new = &self.user;
        let is_same = |one: &Option<Hash>, other: &Option<Hash>| {
            one.as_ref().map(Hash::as_str) == other.as_ref().map(Hash::as_str)
        };
        if self.names("password_hash") && !is_same(&stored.password_hash, &new.password_hash) {
            stored.password_hash.clone_from(&new.password_hash);
            stored.end_sessions(1);
        }
        if self.names("scopes") {
            stored.scopes.clone_from(&new.scopes);
        }
        if self.names("dealer") {
            stored.dealer.clone_from(&new.dealer);
        }
        if self.names("claims") {
            stored.claims.clone_from(&new.claims);
        }
        if self.names("enabled") {
            stored.enabled = new.enabled;
        }
        Ok(())
    }
}

impl ImportedUser {
    fn names(&self, member: &str) -> bool {
        self.names.contains(member)
    }
}

/// Reads the hash of a password. Django and shadow files write `!` before it for a user who cannot log in with one.
fn password_hash(text: &str) -> Result<Option<Hash>, String> {
    let text = text.trim();
    if text.starts_with('!') {
        return Ok(None);
    }
    let hash = hashes::parse(text).map_err(|error| format!("the password_hash is {error}"))?;
    if hash.scheme() == "sha256" {
        return Err("the password_hash is a plain SHA-256, which is too fast for passwords".to_owned());
    }
    Ok(Some(hash))
}

/// Reads the scopes of a user: `*` is no limit.
fn limit(scopes: BTreeSet<String>) -> Result<Option<AllowedScopes>, String> {
    if !scopes.contains("*") {
        let scopes = AllowedScopes::parse(scopes).map_err(|invalid| invalid.to_string())?;
        return Ok(Some(scopes));
    }
    if scopes.len() > 1 {
        return Err("the scopes contain * and others; write * for all scopes, or the others without *".to_owned());
    }
    Ok(None)
}
