//! The table of clients.

use aws_sdk_dynamodb::types::AttributeValue;

use super::administration::{Attributes, Record};
use super::{Item, Store, StoreError, record};
use crate::client::{Client, Secret};
use crate::scope::Scope;

impl Store {
    /// Reads a client.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn client(&self, client_id: &str) -> Result<Option<Client>, StoreError> {
        let item = self.read(&self.clients_table, "client_id", client_id).await?;
        item.map(|item| record("clients", item)).transpose()
    }
}

impl Record for Client {
    const TABLE: &'static str = "clients";
    const KEY: &'static str = "client_id";

    fn table(store: &Store) -> &str {
        &store.clients_table
    }

    fn attributes(&self) -> Result<Item, StoreError> {
        let mut attributes = Attributes::default();
        attributes
            .text("client_id", Some(&self.client_id))
            .text("name", self.name.as_deref())
            .list("secrets", self.secrets.iter().map(secret))
            .set("grant_types", &self.grant_types)
            .set("scopes", self.scopes.tokens())
            .set("default_scopes", self.default_scopes.iter().flat_map(Scope::tokens))
            .text("audience", self.audience.as_deref())
            .number("access_token_ttl", self.access_token_ttl.map(|ttl| u64::from(ttl.get())))
            .number("refresh_token_ttl", self.refresh_token_ttl.map(|ttl| u64::from(ttl.get())))
            .set("allowed_origins", self.allowed_origins.origins())
            .flag("enabled", self.enabled)
            .number("created_at", self.created_at)
            .number("updated_at", self.updated_at)
            .map(Self::TABLE, "system", self.system.as_ref())?;
        Ok(attributes.0)
    }
}

fn secret(secret: &Secret) -> AttributeValue {
    let mut attributes = Attributes::default();
    attributes
        .text("id", secret.id.as_deref())
        .text("hash", Some(secret.hash.as_str()))
        .number("created_at", secret.created_at)
        .number("expires_at", secret.expires_at);
    AttributeValue::M(attributes.0)
}
