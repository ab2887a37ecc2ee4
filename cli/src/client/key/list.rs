//! `countersign client key list`.

use countersign::client::{Client, ClientKey};
use countersign::clock::Clock;
use serde::Serialize;
use serde_json::Value;

use crate::client::read;
use crate::client::view::state;
use crate::deployment::Deployment;
use crate::error::Error;
use crate::output;

/// A key as JSON.
#[derive(Serialize)]
struct View<'a> {
    kid: &'a str,
    alg: &'static str,
    active: bool,
    created_at: Option<u64>,
    expires_at: Option<u64>,
    jwk: Value,
}

impl<'a> View<'a> {
    fn new(key: &'a ClientKey, now: u64) -> Self {
        Self {
            kid: &key.kid,
            alg: key.alg.name(),
            active: key.is_active(now),
            created_at: key.created_at,
            expires_at: key.expires_at,
            jwk: serde_json::from_str(key.jwk.key().json()).unwrap_or_default(),
        }
    }

    fn row(&self) -> Vec<String> {
        let created = self.created_at.map_or_else(|| "-".to_owned(), output::time);
        vec![self.kid.to_owned(), self.alg.to_owned(), created, state(self.active, self.expires_at)]
    }
}

pub async fn run(deployment: &Deployment, json: bool, client_id: &str) -> Result<(), Error> {
    print(json, &read(deployment, client_id).await?.record)
}

/// Prints the keys of a client.
pub fn print(json: bool, client: &Client) -> Result<(), Error> {
    let now = Clock::System.now();
    let views: Vec<_> = client.jwks.iter().map(|key| View::new(key, now)).collect();
    output::result(json, &views, || {
        if views.is_empty() {
            let id = &client.client_id;
            return format!("{id} has no keys. Add one with `countersign client key add {id} FILE`.");
        }
        output::table(&["KEY", "ALGORITHM", "CREATED", "STATE"], views.iter().map(View::row))
    })
}
