//! What a line says, as a record; and how it is put beside what is stored already.

use std::collections::BTreeSet;

use countersign::client::{Client, Secret};
use countersign::clock::Clock;
use countersign::params::{self, Name};
use countersign::password_hash::{Hash, HashError, Hasher, hash_client_secret, is_generated};
use countersign::random::random_id;
use countersign::scope::AllowedScopes;
use countersign::store::{Created, Store, StoreError, Stored};
use countersign::user::{User, Username};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::hashes;
use crate::spec::{Spec, scope_fault};

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    New,
    Replaced,
    /// Nothing: the record was there.
    WasThere,
}

/// Why a line became nothing.
pub enum Failed {
    /// Its own fault.
    Bad(String),
    /// AWS does not do it, or not now.
    Store(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Malformed { attribute, .. } => {
                Self::Bad(format!("the stored record is malformed: {attribute}"))
            }
            // Tried again it would be the same, and the lines after it have nothing to do with it.
            StoreError::Refused { cause } if cause.contains("ValidationException") => {
                Self::Bad("DynamoDB takes no such record: too large, too deep, or a number out of range".to_owned())
            }
            other => Self::Store(other),
        }
    }
}

/// A kind of record that lines are.
pub trait Import: Sized + Send + Sync + 'static {
    /// What a line may have.
    const COLUMNS: &'static [&'static str];

    /// Reads a line.
    fn read(line: Map<String, Value>, hasher: &Hasher) -> Result<Self, String>;

    /// The key of its record.
    fn key(&self) -> &str;

    /// The id that is its own for ever, if the line says one.
    fn user_id(&self) -> Option<&str> {
        None
    }

    /// How its password or secret is hashed.
    fn scheme(&self) -> &'static str;

    /// Writes it, unless it is there; then over it, if that is wanted.
    fn write(&self, store: &Store, overwrite: bool) -> impl Future<Output = Result<Became, Failed>> + Send;

    /// What writing it would do.
    fn rehearse(&self, store: &Store, overwrite: bool) -> impl Future<Output = Result<Became, Failed>> + Send;
}

pub struct ImportedUser {
    user: User,
    /// Whether the line said the id, and whether the user is enabled.
    names_id: bool,
    names_enabled: bool,
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

/// Reads an object. A value may be a secret, so that a fault names where it is and does not quote it.
fn object<T: DeserializeOwned>(line: Map<String, Value>) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(line)).map_err(|error| {
        let message = error.inner().to_string();
        if ["unknown field", "missing field"].iter().any(|start| message.starts_with(start)) {
            return message;
        }
        format!("the {} is not what it must be", error.path())
    })
}

impl Import for ImportedUser {
    const COLUMNS: &'static [&'static str] = &["username", "user_id", "password_hash", "scopes", "dealer", "enabled"];

    fn read(line: Map<String, Value>, _: &Hasher) -> Result<Self, String> {
        let line: UserLine = object(line)?;
        params::check(Name::Username, &line.username).map_err(|error| error.reason().to_owned())?;
        let username = Username::parse(&line.username).ok_or("the username is none that can be (RFC 8265)")?;
        if line.user_id.as_ref().is_some_and(|id| id.is_empty() || id.contains(char::is_control)) {
            return Err("the user_id is empty or has control characters".to_owned());
        }
        let names_id = line.user_id.is_some();
        let hash = line.password_hash.as_deref().map(hashes::parse).transpose();
        let password_hash = hash.map_err(|fault| format!("the password_hash is {fault}"))?;
        if password_hash.as_ref().is_some_and(|hash| hash.scheme() == "sha256") {
            return Err("the password_hash is a plain SHA-256, which no password must be stored by".to_owned());
        }
        if line.scopes.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(
                "the scopes are an empty list; leave them away, and the user may have what the client may".to_owned()
            );
        }
        let scopes = line.scopes.map(AllowedScopes::parse).transpose();
        let user = User {
            username: username.as_str().to_owned(),
            user_id: line.user_id.unwrap_or_else(random_id),
            password_hash,
            scopes: scopes.map_err(|(token, fault)| scope_fault(&token, fault))?,
            dealer: line.dealer,
            enabled: line.enabled.unwrap_or(true),
            session_generation: 0,
        };
        Ok(Self { user, names_id, names_enabled: line.enabled.is_some() })
    }

    fn key(&self) -> &str {
        &self.user.username
    }

    fn user_id(&self) -> Option<&str> {
        self.names_id.then_some(&self.user.user_id)
    }

    fn scheme(&self) -> &'static str {
        self.user.password_hash.as_ref().map_or("no password", Hash::scheme)
    }

    async fn write(&self, store: &Store, overwrite: bool) -> Result<Became, Failed> {
        let mut stored = match store.create(&self.user).await? {
            Created::New => return Ok(Became::New),
            Created::Same => return Ok(Became::WasThere),
            Created::Taken(found) => found?,
        };
        if self.beside(&stored, overwrite)? == Became::WasThere {
            return Ok(Became::WasThere);
        }
        let (user, found) = (&self.user, &mut stored.record);
        let text = |hash: &Hash| hash.as_str().to_owned();
        if let Some(hash) = &user.password_hash
            && found.password_hash.as_ref().map(text) != Some(text(hash))
        {
            // Logins with the old password end.
            found.password_hash = Some(hash.clone());
            found.end_sessions(1);
        }
        found.scopes.clone_from(&user.scopes);
        found.dealer.clone_from(&user.dealer);
        if self.names_enabled {
            found.enabled = user.enabled;
        }
        store.replace(&stored).await?;
        Ok(Became::Replaced)
    }

    async fn rehearse(&self, store: &Store, overwrite: bool) -> Result<Became, Failed> {
        match store.stored(&self.user.username).await? {
            Some(stored) => self.beside(&stored, overwrite),
            None => Ok(Became::New),
        }
    }
}

impl ImportedUser {
    /// What is to be done where there is a record. An id is one user's for ever.
    fn beside(&self, stored: &Stored<User>, overwrite: bool) -> Result<Became, Failed> {
        if self.names_id && stored.record.user_id != self.user.user_id {
            return Err(Failed::Bad("the username is taken by a user of another user_id".to_owned()));
        }
        Ok(if overwrite { Became::Replaced } else { Became::WasThere })
    }
}

/// A client, and whether the line said that it is enabled.
pub struct ImportedClient(Client, bool);

impl Import for ImportedClient {
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

    fn read(mut line: Map<String, Value>, hasher: &Hasher) -> Result<Self, String> {
        let mut take = |name: &str| match line.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(format!("the {name} is no text, or empty")),
        };
        let client_id = take("client_id")?.ok_or("missing field `client_id`")?;
        let (secret, hash) = (take("secret")?, take("secret_hash")?);
        params::check(Name::ClientId, &client_id).map_err(|error| error.reason().to_owned())?;
        let hash = match (secret, hash) {
            (Some(_), Some(_)) => return Err("it has both a secret and a secret_hash".to_owned()),
            (None, Some(hash)) => Some(hashes::parse(&hash).map_err(|fault| format!("the secret_hash is {fault}"))?),
            (Some(secret), None) => {
                params::check(Name::ClientSecret, &secret).map_err(|error| error.reason().to_owned())?;
                // A person may have chosen it, or a system that nobody knows: only of our own we know how random it is.
                let hash =
                    if is_generated(&secret) { hash_client_secret(&secret).try_into() } else { hasher.hash(&secret) };
                Some(hash.map_err(|fault: HashError| fault.to_string())?)
            }
            (None, None) => None,
        };
        let now = Clock::System.now();
        let mut client = Client::new(client_id, now);
        let spec: Spec = object(line)?;
        let names_enabled = spec.enabled.is_some();
        spec.write_to(&mut client, now)?;
        client.secrets = hash.into_iter().map(|hash| Secret::new(hash, now)).collect();
        Ok(Self(client, names_enabled))
    }

    fn key(&self) -> &str {
        &self.0.client_id
    }

    fn scheme(&self) -> &'static str {
        self.0.secrets.first().map_or("no secret", |secret| secret.hash.scheme())
    }

    async fn write(&self, store: &Store, overwrite: bool) -> Result<Became, Failed> {
        let mut stored = match store.create(&self.0).await? {
            Created::New => return Ok(Became::New),
            Created::Same => return Ok(Became::WasThere),
            Created::Taken(found) => found?,
        };
        if !overwrite {
            return Ok(Became::WasThere);
        }
        let now = Clock::System.now();
        let enabled = self.1.then_some(self.0.enabled);
        let spec = Spec { enabled, ..Spec::from(&self.0) };
        spec.write_to(&mut stored.record, now).map_err(Failed::Bad)?;
        if !self.0.secrets.is_empty() {
            stored.record.secrets.clone_from(&self.0.secrets);
        }
        store.replace(&stored).await?;
        Ok(Became::Replaced)
    }

    async fn rehearse(&self, store: &Store, overwrite: bool) -> Result<Became, Failed> {
        Ok(match (store.stored::<Client>(&self.0.client_id).await?, overwrite) {
            (None, _) => Became::New,
            (Some(_), true) => Became::Replaced,
            (Some(_), false) => Became::WasThere,
        })
    }
}
