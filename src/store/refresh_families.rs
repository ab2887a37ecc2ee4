//! Refresh token families, in the table `grants`.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::call::{Failure, send, unless_condition_failed};
use super::item::{number, string};
use super::{Store, StoreError};
use crate::refresh_token::{Family, FamilyId, NextGeneration, RefreshToken};

/// The result of a rotation.
#[derive(Debug)]
pub enum Rotation {
    /// The successor is the active generation, and this write made it.
    Rotated,
    /// The condition failed. This is the state that DynamoDB found, if the family exists.
    Lost(Option<Box<Family>>),
}

/// Returns the key of a family.
fn id(family: FamilyId) -> String {
    format!("refresh#{family}")
}

impl Store {
    /// Stores a new family.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_refresh_family(&self, family: FamilyId, state: &Family) -> Result<(), StoreError> {
        self.put_new_grant(&id(family), state).await
    }

    /// Reads a family.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn refresh_family(&self, family: FamilyId) -> Result<Option<Family>, StoreError> {
        self.get(&self.grants, &id(family)).await
    }

    /// Makes the successor of `used` the active generation of its family, if `used` is the active one. All guarantees
    /// about refresh tokens depend on this conditional update.
    ///
    /// The condition is that the [standing](Family::standing) of `used`, presented by `next.client_id` at
    /// `next.rotated_at`, is `Active`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn rotate_refresh_token(
        &self,
        used: RefreshToken,
        next: &NextGeneration<'_>,
    ) -> Result<Rotation, StoreError> {
        let update = "SET generation = :next, rotated_at = :now, rotated_by = :rotated_by, expires_at = :expires_at";
        let (update, cnf) = match &next.cnf {
            Some(cnf) => (format!("{update}, cnf = :cnf"), Some(AttributeValue::M(self.grants.encode(cnf)?))),
            None => (update.to_owned(), None),
        };
        let values = [
            (":used", number(used.generation)),
            (":false", AttributeValue::Bool(false)),
            (":client_id", string(next.client_id)),
            (":now", number(next.rotated_at)),
            (":next", number(used.successor().generation)),
            (":rotated_by", string(&next.rotated_by)),
            (":expires_at", number(next.expires_at)),
        ];
        let values = values.into_iter().chain(cnf.map(|cnf| (":cnf", cnf)));
        let request = self
            .update(&self.grants, &id(used.family))
            .condition_expression(
                "generation = :used AND revoked = :false AND client_id = :client_id \
                 AND expires_at > :now AND absolute_expires_at > :now",
            )
            .update_expression(update)
            .set_expression_attribute_values(Some(values.map(|(name, value)| (name.to_owned(), value)).collect()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match send(request).await {
            Ok(_) => Ok(Rotation::Rotated),
            Err(Failure::Condition(found)) => {
                found.map(|item| self.grants.decode(item)).transpose().map(Rotation::Lost)
            }
            Err(Failure::Store(error)) => Err(error),
        }
    }

    /// Revokes a family. A family that does not exist counts as revoked.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn revoke_refresh_family(&self, family: FamilyId) -> Result<(), StoreError> {
        let request = self
            .update(&self.grants, &id(family))
            .condition_expression("attribute_exists(id)")
            .update_expression("SET revoked = :true")
            .expression_attribute_values(":true", AttributeValue::Bool(true));
        unless_condition_failed(send(request).await)
    }
}
