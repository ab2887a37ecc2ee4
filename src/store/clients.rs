//! The table of clients.

use super::administration::Record;
use super::item::Table;
use super::{Store, StoreError};
use crate::client::Client;

impl Store {
    /// Reads a client.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn client(&self, client_id: &str) -> Result<Option<Client>, StoreError> {
        self.get(&self.clients, client_id).await
    }
}

impl Record for Client {
    fn table(store: &Store) -> &Table {
        &store.clients
    }
}
