//! The records that lines become, and how a line is written beside a record that is already stored.

use std::collections::BTreeSet;

use countersign::client::{Client, Secret};
use countersign::clock::Clock;
use countersign::params::{self, Name};
use countersign::password_hash::{Hash, HashError, Hasher, hash_client_secret, is_generated};
use countersign::random::random_id;
use countersign::scope::AllowedScopes;
use countersign::store::{Created, Record, Store, StoreError};
use countersign::user::{User, Username};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::hashes;
use super::ids::Ids;
use super::lines::Line;
use super::values::normalize;
use crate::spec::{Spec, scope_error};

/// The result of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    New,
    Replaced,
    /// The record exists, and is not changed.
    Existing,
}

/// The reason why a line was not written.
pub enum Failed {
    /// The line is rejected.
    Rejected(String),
    /// The call to DynamoDB failed.
    Store(StoreError),
}

impl Failed {
    /// Returns true if the same write may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Malformed { attribute, .. } => {
                Self::Rejected(format!("the stored record is malformed: {attribute}"))
            }
            // Another attempt would fail as well, and the lines after it are not affected.
            StoreError::Rejected { cause } if cause.contains("ValidationException") => Self::Rejected(
                "DynamoDB rejects the record: it is too large, too deep, or has a number out of range".to_owned(),
            ),
            other => Self::Store(other),
        }
    }
}

/// A line that was read, as the record that it becomes.
pub trait Import: Sized + Send + Sync + 'static {
    /// The record.
    type Record: Record + Sync;

    /// The members that a line may have.
    const COLUMNS: &'static [&'static str];

    /// Reads a line.
    fn read(line: Line, hasher: &Hasher) -> Result<Self, String>;

    /// Returns the record that a new key gets.
    fn record(&self) -> &Self::Record;

    /// Returns the key of the record.
    fn key(&self) -> &str;

    /// Returns the `user_id` that the line names.
    fn user_id(&self) -> Option<&str> {
        None
    }

    /// Returns true if the line names an id of the other kind: a user that of a client, a client that of a user.
    fn shares_id(&self, ids: &Ids) -> bool;

    /// Returns the scheme of the hash.
    fn scheme(&self) -> &'static str;

    /// Checks that the line may be of the stored record.
    fn check(&self, _stored: &Self::Record) -> Result<(), String> {
        Ok(())
    }

    /// Changes what the line names in the stored record, and nothing else.
    fn overwrite(&self, stored: &mut Self::Record) -> Result<(), String>;
}

/// Writes a line: creates its record, or changes the one that is stored if `overwrite` is set.
pub async fn write<R: Import>(line: &R, store: &Store, overwrite: bool) -> Result<Became, Failed> {
    let mut stored = match store.create(line.record()).await? {
        Created::New => return Ok(Became::New),
        Created::Same => return Ok(Became::Existing),
        Created::Taken(found) => found?,
    };
    let became = beside(line, &mut stored.record, overwrite)?;
    if became == Became::Replaced {
        store.replace(&stored).await?;
    }
    Ok(became)
}

/// Returns what [`write`] would do.
pub async fn rehearse<R: Import>(line: &R, store: &Store, overwrite: bool) -> Result<Became, Failed> {
    match store.stored::<R::Record>(line.key()).await? {
        Some(mut stored) => beside(line, &mut stored.record, overwrite),
        None => Ok(Became::New),
    }
}

fn beside<R: Import>(line: &R, stored: &mut R::Record, overwrite: bool) -> Result<Became, Failed> {
    line.check(stored).map_err(Failed::Rejected)?;
    if !overwrite {
        return Ok(Became::Existing);
    }
    line.overwrite(stored).map_err(Failed::Rejected)?;
    Ok(Became::Replaced)
}

/// Reads an object. A value may be a secret, so an error names its place and does not quote it.
fn object<T: DeserializeOwned>(line: Line) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(line)).map_err(|error| {
        let message = error.inner().to_string();
        if ["unknown field", "missing field"].iter().any(|start| message.starts_with(start)) {
            return message;
        }
        format!("the type of {} is wrong", error.path())
    })
}

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
    enabled: Option<bool>,
}

impl Import for ImportedUser {
    type Record = User;

    const COLUMNS: &'static [&'static str] = &["username", "user_id", "password_hash", "scopes", "dealer", "enabled"];

    fn read(line: Line, _: &Hasher) -> Result<Self, String> {
        let line = normalize(line)?;
        let names = line.keys().cloned().collect();
        let line: UserLine = object(line)?;
        params::check(Name::Username, &line.username).map_err(|error| error.reason().to_owned())?;
        let username = Username::parse(&line.username).ok_or("the username is not valid (RFC 8265)")?;
        if line.user_id.as_ref().is_some_and(|id| id.is_empty() || id.contains(char::is_control)) {
            return Err("the user_id is empty or has control characters".to_owned());
        }
        let user = User {
            username: username.as_str().to_owned(),
            user_id: line.user_id.unwrap_or_else(random_id),
            password_hash: line.password_hash.as_deref().map_or(Ok(None), password_hash)?,
            scopes: line.scopes.map_or(Ok(None), limit)?,
            dealer: line.dealer,
            enabled: line.enabled.unwrap_or(true),
            session_generation: 0,
        };
        Ok(Self { user, names })
    }

    fn record(&self) -> &User {
        &self.user
    }

    fn key(&self) -> &str {
        &self.user.username
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
        let scopes = AllowedScopes::parse(scopes).map_err(|(token, error)| scope_error(&token, error))?;
        return Ok(Some(scopes));
    }
    if scopes.len() > 1 {
        return Err("the scopes contain * and others; write * for all scopes, or the others without *".to_owned());
    }
    Ok(None)
}

pub struct ImportedClient {
    client: Client,
    /// The members of the line that belong to the client's [`Spec`].
    named: Line,
}

impl Import for ImportedClient {
    type Record = Client;

    const COLUMNS: &'static [&'static str] = &[
        "client_id",
        "secret",
        "secret_hash",
        "name",
        "grant_types",
        "scopes",
        "default_scopes",
        "audience",
        "access_token_ttl",
        "refresh_token_ttl",
        "allowed_origins",
        "system",
        "enabled",
    ];

    fn read(line: Line, hasher: &Hasher) -> Result<Self, String> {
        let mut line = normalize(line)?;
        let mut take = |name: &str| match line.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(format!("the {name} is empty, or its type is wrong")),
        };
        let client_id = take("client_id")?.ok_or("missing field `client_id`")?;
        let (secret, hash) = (take("secret")?, take("secret_hash")?);
        params::check(Name::ClientId, &client_id).map_err(|error| error.reason().to_owned())?;
        let hash = secret_hash(secret, hash, hasher)?;
        let now = Clock::System.now();
        let mut client = Client::new(client_id, now);
        object::<Spec>(line.clone())?.write_to(&mut client, now)?;
        client.secrets = hash.into_iter().map(|hash| Secret::new(hash, now)).collect();
        Ok(Self { client, named: line })
    }

    fn record(&self) -> &Client {
        &self.client
    }

    fn key(&self) -> &str {
        &self.client.client_id
    }

    fn shares_id(&self, ids: &Ids) -> bool {
        ids.owner(&self.client.client_id).is_some()
    }

    fn scheme(&self) -> &'static str {
        self.client.secrets.first().map_or("no secret", |secret| secret.hash.scheme())
    }

    fn overwrite(&self, stored: &mut Client) -> Result<(), String> {
        let mut spec = Spec::from(&*stored).attributes();
        spec.extend(self.named.clone());
        object::<Spec>(spec)?.write_to(stored, Clock::System.now())?;
        if !self.client.secrets.is_empty() {
            stored.secrets.clone_from(&self.client.secrets);
        }
        Ok(())
    }
}

/// Reads the secret of a client, or its hash.
fn secret_hash(secret: Option<String>, hash: Option<String>, hasher: &Hasher) -> Result<Option<Hash>, String> {
    match (secret, hash) {
        (Some(_), Some(_)) => Err("the line has both a secret and a secret_hash; remove one".to_owned()),
        (None, Some(hash)) => {
            let hash = hashes::parse(hash.trim()).map_err(|error| format!("the secret_hash is {error}"))?;
            Ok(Some(hash))
        }
        (Some(secret), None) => {
            params::check(Name::ClientSecret, &secret).map_err(|error| error.reason().to_owned())?;
            // Only secrets that countersign generated are known to be random. Others need a slow hash.
            let hash =
                if is_generated(&secret) { hash_client_secret(&secret).try_into() } else { hasher.hash(&secret) };
            Ok(Some(hash.map_err(|error: HashError| error.to_string())?))
        }
        (None, None) => Ok(None),
    }
}
