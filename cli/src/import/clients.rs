//! `countersign import clients`: the line of a client.

use countersign::client::{ATTRIBUTES, Client, ClientMetadata, Secret};
use countersign::client_auth::{CLIENT_ID, CLIENT_SECRET};
use countersign::clock::Clock;
use countersign::password_hash::{Hash, HashError, Hasher, hash_client_secret, is_generated};
use serde_json::Value;

use super::hashes;
use super::ids::Ids;
use super::lines::Line;
use super::records::{Import, object};
use super::values::normalize;
use crate::user;

const WEAK_SECRET: &str = "the secret is easy to guess; leave it out, and create one after the import with `countersign client \
                           rotate-secret`";

pub struct ImportedClient {
    client: Client,
    /// The attributes that the line names.
    named: ClientMetadata,
}

impl Import for ImportedClient {
    type Record = Client;

    fn columns() -> Vec<&'static str> {
        let of_secrets = ["client_id", "secret", "secret_hash"];
        of_secrets.into_iter().chain(ATTRIBUTES.map(|attribute| attribute.name)).collect()
    }

    fn read(line: Line, hasher: &Hasher) -> Result<Self, String> {
        let mut line = normalize(line)?;
        let mut take = |name: &str| match line.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(format!("the {name} is empty")),
        };
        let client_id = take("client_id")?.ok_or("missing field `client_id`")?;
        let (secret, hash) = (take("secret")?, take("secret_hash")?);
        CLIENT_ID.check(&client_id).map_err(|error| error.reason().into_owned())?;
        let hash = secret_hash(&client_id, (secret, hash), hasher)?;
        let now = Clock::System.now();
        let mut client = Client::new(client_id, now);
        let named: ClientMetadata = object(line)?;
        client.secrets = hash.into_iter().map(|hash| Secret::new(hash, now)).collect();
        named.clone().write_to(&mut client, now).map_err(|error| error.to_string())?;
        Ok(Self { client, named })
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
        let mut metadata = ClientMetadata::of(stored);
        metadata.extend(self.named.clone());
        if !self.client.secrets.is_empty() {
            stored.secrets.clone_from(&self.client.secrets);
        }
        metadata.write_to(stored, Clock::System.now()).map_err(|error| error.to_string())
    }
}

/// Reads the secret of a client, or its hash.
fn secret_hash(
    client_id: &str,
    secret_or_hash: (Option<String>, Option<String>),
    hasher: &Hasher,
) -> Result<Option<Hash>, String> {
    match secret_or_hash {
        (Some(_), Some(_)) => Err("the line has both a secret and a secret_hash; remove one".to_owned()),
        (None, Some(hash)) => {
            let hash = hashes::parse(hash.trim()).map_err(|error| format!("the secret_hash is {error}"))?;
            Ok(Some(hash))
        }
        (Some(secret), None) => {
            CLIENT_SECRET.check(&secret).map_err(|error| error.reason().into_owned())?;
            if user::is_weak(&secret, &[client_id.to_owned()]) {
                return Err(WEAK_SECRET.to_owned());
            }
            // Only secrets that countersign generated are known to be random. Others need a slow hash.
            let hash =
                if is_generated(&secret) { hash_client_secret(&secret).try_into() } else { hasher.hash(&secret) };
            Ok(Some(hash.map_err(|error: HashError| error.to_string())?))
        }
        (None, None) => Ok(None),
    }
}
