//! The table of users.

use super::administration::Record;
use super::call::{condition_held, send};
use super::item::{Table, number, string};
use super::{Store, StoreError};
use crate::password_hash::Hash;
use crate::user::{User, Username};

impl Store {
    /// Reads a user. An empty username in a malformed record is not the name of a user: DynamoDB rejects an empty key.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn user(&self, username: &Username) -> Result<Option<User>, StoreError> {
        if username.as_str().is_empty() {
            return Ok(None);
        }
        self.get(&self.users, username.as_str()).await
    }

    /// Replaces a password hash with a new hash of the same password. Returns false if the stored hash is not `old` any
    /// more; then it is not changed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn upgrade_password_hash(&self, username: &Username, old: &Hash, new: &Hash) -> Result<bool, StoreError> {
        let request = self
            .update(&self.users, username.as_str())
            .condition_expression("password_hash = :old")
            .update_expression("SET password_hash = :new")
            .expression_attribute_values(":old", string(old.as_str()))
            .expression_attribute_values(":new", string(new.as_str()));
        condition_held(send(request).await)
    }

    /// Ends all existing logins of a user, by adding `step` to the session generation
    /// ([`User::end_sessions`]). Returns false if the user does not exist, and has no logins.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn end_sessions(&self, username: &str, step: u64) -> Result<bool, StoreError> {
        let request = self
            .update(&self.users, username)
            .condition_expression("attribute_exists(username)")
            .update_expression("ADD session_generation :step")
            .expression_attribute_values(":step", number(step));
        condition_held(send(request).await)
    }
}

impl Record for User {
    fn table(store: &Store) -> &Table {
        &store.users
    }
}
