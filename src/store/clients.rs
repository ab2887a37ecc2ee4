//! The table of clients.

use super::{Store, StoreError, record};
use crate::client::Client;

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
