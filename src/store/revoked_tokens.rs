//! Revoked access tokens of services, in the table `grants`.

use super::call::send;
use super::item::string;
use super::{Store, StoreError};
use crate::revocation::RevokedToken;

impl Store {
    /// Stores the revocation of the token with this `jti`. The write has no condition, because repeating it changes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn revoke_token(&self, token_id: &str, revoked: &RevokedToken) -> Result<(), StoreError> {
        let mut item = self.grants.encode(revoked)?;
        item.insert(self.grants.key.to_owned(), string(RevokedToken::item_id(token_id)));
        send(self.dynamodb.put_item().table_name(&self.grants.name).set_item(Some(item))).await?;
        Ok(())
    }

    /// Reads the revocation of the token with this `jti`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn revoked_token(&self, token_id: &str) -> Result<Option<RevokedToken>, StoreError> {
        self.get(&self.grants, &RevokedToken::item_id(token_id)).await
    }
}
