//! Browser sessions, in the table `grants`. The key of a session is [`SessionId::key`](crate::session::SessionId::key).

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::call::{Failure, send, unless_condition_failed};
use super::item::{number, string};
use super::{Store, StoreError};
use crate::session::Session;

impl Store {
    /// Reads a session.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn session(&self, key: &str) -> Result<Option<Session>, StoreError> {
        self.get(&self.grants, key).await
    }

    /// Stores a new session.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_session(&self, key: &str, session: &Session) -> Result<(), StoreError> {
        self.put_new_grant(key, session).await
    }

    /// Makes `next` the state of a session, if the secret that was read is still that of the session, and the session was
    /// not ended. Returns false if not; then nothing changes.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn renew_session(&self, key: &str, read: &Session, next: &Session) -> Result<bool, StoreError> {
        let request = self
            .update(&self.grants, key)
            .condition_expression("secret_hash = :old AND ended = :false")
            .update_expression(
                "SET secret_hash = :new, session_generation = :session_generation, auth_time = :auth_time, \
                 seen_at = :seen_at, idle_expires_at = :idle, absolute_expires_at = :absolute, expires_at = :expires_at",
            )
            .expression_attribute_values(":old", string(&read.secret_hash))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":new", string(&next.secret_hash))
            .expression_attribute_values(":session_generation", number(next.session_generation))
            .expression_attribute_values(":auth_time", number(next.auth_time))
            .expression_attribute_values(":seen_at", number(next.seen_at))
            .expression_attribute_values(":idle", number(next.idle_expires_at))
            .expression_attribute_values(":absolute", number(next.absolute_expires_at))
            .expression_attribute_values(":expires_at", number(next.expires_at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match send(request).await {
            Ok(_) => Ok(true),
            Err(Failure::Condition(found)) => {
                // The SDK sends a write again when its response is lost. Then this is our own write.
                let found: Option<Session> = found.map(|item| self.grants.decode(item)).transpose()?;
                Ok(found.is_some_and(|found| found.secret_hash == next.secret_hash && !found.ended))
            }
            Err(Failure::Store(error)) => Err(error),
        }
    }

    /// Extends a session that is in use, unless it was ended.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn extend_session(&self, key: &str, seen_at: u64, idle_expires_at: u64) -> Result<(), StoreError> {
        let request = self
            .update(&self.grants, key)
            .condition_expression("ended = :false")
            .update_expression("SET seen_at = :seen_at, idle_expires_at = :idle")
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":seen_at", number(seen_at))
            .expression_attribute_values(":idle", number(idle_expires_at));
        unless_condition_failed(send(request).await)
    }

    /// Ends a session, and with it the families that depend on it. A session that does not exist counts as ended.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn end_session(&self, key: &str) -> Result<(), StoreError> {
        let request = self
            .update(&self.grants, key)
            .condition_expression("attribute_exists(id)")
            .update_expression("SET ended = :true")
            .expression_attribute_values(":true", AttributeValue::Bool(true));
        unless_condition_failed(send(request).await)
    }
}
