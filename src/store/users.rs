//! The table of users.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};

use super::administration::{Attributes, Record};
use super::{Item, Store, StoreError, record, unless_condition_failed};
use crate::password_hash::Hash;
use crate::scope::AllowedScopes;
use crate::user::{User, Username};

impl Store {
    /// Reads a user.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn user(&self, username: &Username) -> Result<Option<User>, StoreError> {
        let item = self.read(&self.users_table, "username", username.as_str()).await?;
        item.map(|item| record("users", item)).transpose()
    }

    /// Replaces a password hash with a new hash of the same password, unless the stored hash was changed in the
    /// meantime.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn upgrade_password_hash(&self, username: &Username, old: &Hash, new: &Hash) -> Result<(), StoreError> {
        let request = self
            .dynamodb
            .update_item()
            .table_name(&self.users_table)
            .key("username", AttributeValue::S(username.as_str().to_owned()))
            .condition_expression("password_hash = :old")
            .update_expression("SET password_hash = :new")
            .expression_attribute_values(":old", AttributeValue::S(old.as_str().to_owned()))
            .expression_attribute_values(":new", AttributeValue::S(new.as_str().to_owned()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let result = Box::pin(request.send()).await;
        unless_condition_failed("UpdateItem", result.map(|output| output.consumed_capacity))
    }

    /// Ends all existing logins of a user, by adding `step` to the session generation
    /// ([`User::end_sessions`]). A user that does not exist has no logins.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn end_sessions(&self, username: &str, step: u64) -> Result<(), StoreError> {
        let request = self
            .dynamodb
            .update_item()
            .table_name(&self.users_table)
            .key("username", AttributeValue::S(username.to_owned()))
            .condition_expression("attribute_exists(username)")
            .update_expression("ADD session_generation :step")
            .expression_attribute_values(":step", AttributeValue::N(step.to_string()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let result = Box::pin(request.send()).await;
        unless_condition_failed("UpdateItem", result.map(|output| output.consumed_capacity))
    }
}

impl Record for User {
    const TABLE: &'static str = "users";
    const KEY: &'static str = "username";

    fn table(store: &Store) -> &str {
        &store.users_table
    }

    fn attributes(&self) -> Result<Item, StoreError> {
        // DynamoDB does not support empty sets, and a user without the attribute may have all that the client may have.
        if self.scopes.as_ref().is_some_and(|scopes| scopes.tokens().is_empty()) {
            return Err(StoreError::Malformed { table: Self::TABLE, attribute: "scopes".to_owned() });
        }
        let mut attributes = Attributes::default();
        attributes
            .text("username", Some(&self.username))
            .text("user_id", Some(&self.user_id))
            .text("password_hash", self.password_hash.as_ref().map(Hash::as_str))
            .set("scopes", self.scopes.iter().flat_map(AllowedScopes::tokens))
            .flag("enabled", self.enabled)
            .number("session_generation", (self.session_generation > 0).then_some(self.session_generation))
            .map(Self::TABLE, "dealer", self.dealer.as_ref())?;
        Ok(attributes.0)
    }
}
