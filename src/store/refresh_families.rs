//! Refresh token families, in the table `grants`.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure};

use super::{Item, Store, StoreError, genuine, record, unless_condition_failed};
use crate::refresh_token::{Family, FamilyId, RefreshToken};

/// The result of a rotation.
#[derive(Debug)]
pub enum Rotation {
    /// The successor is the active generation, and this write made it.
    Rotated,
    /// The condition failed. This is the state that DynamoDB found, if the family exists.
    Lost(Option<Family>),
}

fn id(family: FamilyId) -> String {
    format!("refresh#{family}")
}

fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

impl Store {
    /// Stores a new family.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_refresh_family(&self, family: FamilyId, state: &Family) -> Result<(), StoreError> {
        let mut item: Item = serde_dynamo::aws_sdk_dynamodb_1::to_item(state)
            .map_err(|error| StoreError::Malformed { table: "grants", attribute: error.to_string() })?;
        item.insert("id".to_owned(), AttributeValue::S(id(family)));
        // A family with this id can only be the result of this write: its 128 bits are random. If the SDK sends the
        // write again because the response was lost, it must not undo later changes of the family.
        let request = self
            .dynamodb
            .put_item()
            .table_name(&self.grants_table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(id)")
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let result = Box::pin(request.send()).await;
        unless_condition_failed("PutItem", result.map(|output| output.consumed_capacity))
    }

    /// Reads a family.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn refresh_family(&self, family: FamilyId) -> Result<Option<Family>, StoreError> {
        let item = self.read(&self.grants_table, "id", &id(family)).await?;
        item.map(|item| record("grants", item)).transpose()
    }

    /// Makes the successor of `used` the active generation of its family, if `used` is the active one. All guarantees
    /// about refresh tokens depend on this conditional update.
    ///
    /// `next` is the new state of the family. Its client is compared; the attributes that a use changes are written.
    /// The condition is that the [standing](Family::standing) of `used` at `next.rotated_at` is `Active`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn rotate_refresh_token(&self, used: RefreshToken, next: &Family) -> Result<Rotation, StoreError> {
        let request = self
            .dynamodb
            .update_item()
            .table_name(&self.grants_table)
            .key("id", AttributeValue::S(id(used.family)))
            .condition_expression(
                "generation = :used AND revoked = :false AND client_id = :client_id \
                 AND expires_at > :now AND absolute_expires_at > :now",
            )
            .update_expression(
                "SET generation = :next, rotated_at = :now, rotated_by = :rotated_by, expires_at = :expires_at",
            )
            .expression_attribute_values(":used", number(used.generation))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":client_id", AttributeValue::S(next.client_id.clone()))
            .expression_attribute_values(":now", number(next.rotated_at))
            .expression_attribute_values(":next", number(next.generation))
            .expression_attribute_values(":rotated_by", AttributeValue::S(next.rotated_by.clone()))
            .expression_attribute_values(":expires_at", number(next.expires_at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let result = Box::pin(request.send()).await;
        let error = match result {
            Ok(output) => return genuine("UpdateItem", output.consumed_capacity()).map(|()| Rotation::Rotated),
            Err(error) => error,
        };
        let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else {
            return Err(StoreError::from_sdk("UpdateItem", &error));
        };
        failed.item.clone().map(|item| record("grants", item)).transpose().map(Rotation::Lost)
    }

    /// Revokes a family. A family that does not exist counts as revoked.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn revoke_refresh_family(&self, family: FamilyId) -> Result<(), StoreError> {
        let request = self
            .dynamodb
            .update_item()
            .table_name(&self.grants_table)
            .key("id", AttributeValue::S(id(family)))
            .condition_expression("attribute_exists(id)")
            .update_expression("SET revoked = :true")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let result = Box::pin(request.send()).await;
        unless_condition_failed("UpdateItem", result.map(|output| output.consumed_capacity))
    }
}
