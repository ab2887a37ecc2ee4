//! The table of clients.

use super::administration::{Record, decode};
use super::item::Table;
use super::{Store, StoreError};
use crate::client::Client;
use crate::scope::ScopeTexts;

impl Store {
    /// Reads a client.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn client(&self, client_id: &str) -> Result<Option<Client>, StoreError> {
        self.read(&self.clients, client_id).await?.map(|item| decode(&self.clients, item)).transpose()
    }
}

impl Record for Client {
    fn table(store: &Store) -> &Table {
        &store.clients
    }

    fn is_key(key: &str) -> bool {
        key != ScopeTexts::KEY
    }

    fn check(&self) -> Result<(), String> {
        Self::check(self).map_err(|error| format!("{}: {error}", error.attribute))
    }
}
