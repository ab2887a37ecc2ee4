//! Refresh families, in the table of grants.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure};

use super::{Item, Store, StoreError, genuine, record, unless_condition_failed};
use crate::refresh::{Family, FamilyId, Reference};

/// What came of a rotation.
#[derive(Debug)]
pub enum Rotation {
    /// The successor is the live generation now, and the caller's.
    Rotated,
    /// The family is not what the caller took it for: this is what it is, if it is there at all.
    Lost(Option<Family>),
}

fn id(family: FamilyId) -> String {
    format!("refresh#{family}")
}

fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

impl Store {
    /// Records a new family.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_refresh_family(&self, family: FamilyId, state: &Family) -> Result<(), StoreError> {
        let mut item: Item = serde_dynamo::aws_sdk_dynamodb_1::to_item(state)
            .map_err(|error| StoreError::Malformed { table: "grants", attribute: error.to_string() })?;
        item.insert("id".to_owned(), AttributeValue::S(id(family)));
        // An id of 128 random bits is new, or it is our own write, sent again: and then it must not set back what has
        // become of the family since.
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

    /// Makes the successor of `used` the live generation of its family, if `used` is that until now: the one
    /// conditional update on which every promise about refresh tokens stands.
    ///
    /// `next` is the family as it shall be; who it belongs to is compared, what changes with a use is written.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn rotate_refresh_token(&self, used: Reference, next: &Family) -> Result<Rotation, StoreError> {
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
                "SET generation = :next, rotated_at = :now, rotated_by = :rotated_by, expires_at = :expires_at \
                 REMOVE retry_until",
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
        let found: Option<Family> = failed.item.clone().map(|item| record("grants", item)).transpose()?;
        // The SDK sends a write again when its answer is lost: then the failed condition is our own success.
        Ok(match found {
            Some(found) if found.rotated_by == next.rotated_by && !found.revoked => Rotation::Rotated,
            found => Rotation::Lost(found),
        })
    }

    /// Has `used`, whose successor nobody may have been given, be good for that successor until `until`, as long as the
    /// successor is not used itself.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn tolerate_retries(&self, used: Reference, until: u64) -> Result<(), StoreError> {
        let request = self
            .dynamodb
            .update_item()
            .table_name(&self.grants_table)
            .key("id", AttributeValue::S(id(used.family)))
            .condition_expression("generation = :next AND revoked = :false")
            .update_expression("SET retry_until = :until")
            .expression_attribute_values(":next", number(used.successor().generation))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":until", number(until))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let result = Box::pin(request.send()).await;
        unless_condition_failed("UpdateItem", result.map(|output| output.consumed_capacity))
    }

    /// Ends a family for good. One that is gone already is ended enough.
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
