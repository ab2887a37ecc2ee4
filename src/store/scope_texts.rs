//! The texts of scopes, an item of the table of clients.

use super::administration::Record;
use super::item::Table;
use super::{Store, StoreError};
use crate::scope::ScopeTexts;

impl Store {
    /// Reads the texts of scopes. Without the item there are no texts.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn scope_texts(&self) -> Result<ScopeTexts, StoreError> {
        Ok(self.get(&self.clients, ScopeTexts::KEY).await?.unwrap_or_default())
    }
}

impl Record for ScopeTexts {
    fn table(store: &Store) -> &Table {
        &store.clients
    }

    fn is_key(key: &str) -> bool {
        key == Self::KEY
    }
}
