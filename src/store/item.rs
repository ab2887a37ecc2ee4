//! The codec of items: a record and its attributes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// The attributes of one record.
pub(super) type Item = HashMap<String, AttributeValue>;

/// A table, and the records that it contains.
pub struct Table {
    /// The name of the table in this deployment.
    pub(super) name: String,
    /// The name of the table in errors.
    pub(super) label: &'static str,
    /// The key attribute.
    pub(super) key: &'static str,
}

impl Table {
    /// Serializes a record. An attribute without a value is not stored. Sets are sorted, so that equal sets are equal.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if a set is empty, because DynamoDB does not support that. A record for which an empty
    /// set means the same as an absent one skips it (`skip_serializing_if`).
    pub(super) fn encode(&self, record: &impl Serialize) -> Result<Item, StoreError> {
        let mut item: Item =
            serde_dynamo::aws_sdk_dynamodb_1::to_item(record).map_err(|error| self.malformed(error.to_string()))?;
        item.retain(|_, value| !value.is_null());
        for (name, value) in &mut item {
            if let AttributeValue::Ss(members) = value {
                if members.is_empty() {
                    return Err(self.malformed(name.clone()));
                }
                members.sort();
            }
        }
        Ok(item)
    }

    /// Deserializes a record.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] with the path of the attribute that is not valid.
    pub(super) fn decode<T: DeserializeOwned>(&self, item: Item) -> Result<T, StoreError> {
        let item = item.into_iter().map(|(name, value)| (name, value.into())).collect();
        let deserializer = serde_dynamo::Deserializer::from_attribute_value(serde_dynamo::AttributeValue::M(item));
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            // serde's message quotes a value of the wrong type, which may be a hash. Only the message of an error of
            // the whole record is kept, because that error can only be a missing attribute.
            let path = error.path().to_string();
            self.malformed(if path == "." { error.inner().to_string() } else { path })
        })
    }

    pub(super) fn malformed(&self, problem: String) -> StoreError {
        StoreError::Malformed { table: self.label, problem }
    }
}

/// Returns the value of an attribute that is a string.
pub(super) fn string(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Returns the value of an attribute that is a number.
pub(super) fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
