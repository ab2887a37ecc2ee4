//! Operators' changes to clients and users. Each change is one write, with the condition that the attributes that it
//! changes still have the values that were read, so that simultaneous changes do not undo each other.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Item, Store, StoreError, genuine, record};

/// The attribute that changes with every change of a record.
const UPDATED_AT: &str = "updated_at";

/// A kind of record that operators create and change.
pub trait Record: DeserializeOwned + Send {
    /// The name of the table in errors.
    const TABLE: &'static str;
    /// The key attribute.
    const KEY: &'static str;

    /// Returns the name of the table in this deployment.
    fn table(store: &Store) -> &str;

    /// Returns the stored attributes of the record. Absent and empty values are not stored.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if a value cannot be stored.
    fn attributes(&self) -> Result<Item, StoreError>;
}

/// A record that was read, to be changed and written back.
pub struct Stored<R> {
    /// The record. [`Store::replace`] writes the changes that are made to it.
    pub record: R,
    /// The item that was read, including attributes that are not part of the record.
    item: Item,
    /// The record's attributes when it was read.
    before: Item,
}

impl<R: Record> Stored<R> {
    /// Returns true if the stored item has this attribute, even if it is not part of the record.
    pub fn has(&self, attribute: &str) -> bool {
        self.item.contains_key(attribute)
    }

    fn new(item: Item) -> Result<Self, StoreError> {
        let record: R = record(R::TABLE, item.clone())?;
        Ok(Self { before: record.attributes()?, record, item })
    }
}

/// The result of the creation of a record.
pub enum Created<R> {
    /// The record was created.
    New,
    /// The same record exists already. It may be our own write: the SDK sends a write again when its response is lost.
    Same,
    /// The key is taken by this other record, or by a malformed one.
    Taken(Result<Stored<R>, StoreError>),
}

impl Store {
    /// Reads a record that is to be changed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn stored<R: Record>(&self, key: &str) -> Result<Option<Stored<R>>, StoreError> {
        self.read(R::table(self), R::KEY, key).await?.map(Stored::new).transpose()
    }

    /// Creates a record, unless its key is taken.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn create<R: Record>(&self, new: &R) -> Result<Created<R>, StoreError> {
        let item = new.attributes()?;
        let result = self
            .dynamodb
            .put_item()
            .table_name(R::table(self))
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", R::KEY)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let error = match result {
            Ok(output) => return genuine("PutItem", output.consumed_capacity()).map(|()| Created::New),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                Ok(match Stored::new(failed.item.clone().unwrap_or_default()) {
                    Ok(found) if found.before == item => Created::Same,
                    found => Created::Taken(found),
                })
            }
            _ => Err(StoreError::from_sdk("PutItem", &error)),
        }
    }

    /// Writes the attributes of a record that were changed since it was read, unless another process changed one of
    /// them meanwhile. Returns false if there are no changes.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Conflict`] if another process changed one of the attributes first.
    pub async fn replace<R: Record>(&self, stored: &Stored<R>) -> Result<bool, StoreError> {
        let after = stored.record.attributes()?;
        let changes = Changes::between(&stored.before, &after);
        if changes.names.is_empty() {
            return Ok(false);
        }
        let Some(key) = after.get(R::KEY) else {
            return Err(StoreError::Malformed { table: R::TABLE, attribute: R::KEY.to_owned() });
        };
        let mut request = self
            .dynamodb
            .update_item()
            .table_name(R::table(self))
            .key(R::KEY, key.clone())
            .expression_attribute_names("#key", R::KEY)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let (mut condition, mut set, mut remove) = (vec!["attribute_exists(#key)".to_owned()], Vec::new(), Vec::new());
        for (number, name) in changes.names.iter().enumerate() {
            request = request.expression_attribute_names(format!("#{number}"), *name);
            match stored.item.get(*name) {
                // A different time of the last change is not a conflict.
                _ if *name == UPDATED_AT => {}
                Some(old) => {
                    condition.push(format!("#{number} = :old{number}"));
                    request = request.expression_attribute_values(format!(":old{number}"), old.clone());
                }
                None => condition.push(format!("attribute_not_exists(#{number})")),
            }
            match after.get(*name) {
                Some(new) => {
                    set.push(format!("#{number} = :new{number}"));
                    request = request.expression_attribute_values(format!(":new{number}"), new.clone());
                }
                None => remove.push(format!("#{number}")),
            }
        }
        let clauses = [("SET", set), ("REMOVE", remove)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        let update: Vec<_> = clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect();
        let result =
            request.condition_expression(condition.join(" AND ")).update_expression(update.join(" ")).send().await;
        let error = match result {
            Ok(output) => return genuine("UpdateItem", output.consumed_capacity()).map(|()| true),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                // The SDK sends a write again when its response is lost. Then this is our own write.
                let found: Option<Stored<R>> = failed.item.clone().and_then(|item| Stored::new(item).ok());
                if found.is_some_and(|found| changes.are_in(&found.before, &after)) {
                    return Ok(true);
                }
                Err(StoreError::Conflict { cause: "UpdateItem: it was changed by somebody else".to_owned() })
            }
            _ => Err(StoreError::from_sdk("UpdateItem", &error)),
        }
    }

    /// Deletes a record. A record that does not exist counts as deleted.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn delete<R: Record>(&self, key: &str) -> Result<(), StoreError> {
        let request = self.dynamodb.delete_item().table_name(R::table(self));
        let request = request.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let result = request.key(R::KEY, AttributeValue::S(key.to_owned())).send().await;
        let output = result.map_err(|error| StoreError::from_sdk("DeleteItem", &error))?;
        genuine("DeleteItem", output.consumed_capacity())
    }

    /// Scans the table and calls `visit` with the key of each record and the record, or its error if it is malformed.
    /// Stops at the first error of `visit`.
    ///
    /// # Errors
    /// [`StoreError`]; the error of `visit`.
    pub async fn each<R: Record, E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(String, Result<Stored<R>, StoreError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = None;
        loop {
            let request = self.dynamodb.scan().table_name(R::table(self)).consistent_read(true);
            let request = request.return_consumed_capacity(ReturnConsumedCapacity::Total);
            let output = request.set_exclusive_start_key(start).send().await;
            let output = output.map_err(|error| StoreError::from_sdk("Scan", &error))?;
            genuine("Scan", output.consumed_capacity())?;
            for item in output.items.unwrap_or_default() {
                let key = item.get(R::KEY).and_then(|key| key.as_s().ok()).cloned().unwrap_or_default();
                visit(key, Stored::new(item))?;
            }
            match output.last_evaluated_key {
                Some(last) => start = Some(last),
                None => return Ok(()),
            }
        }
    }
}

/// The attributes that differ between two states of a record.
struct Changes<'a> {
    names: Vec<&'a String>,
}

impl<'a> Changes<'a> {
    fn between(before: &'a Item, after: &'a Item) -> Self {
        let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| before.get(*name) != after.get(*name));
        Self { names }
    }

    fn are_in(&self, found: &Item, after: &Item) -> bool {
        self.names.iter().all(|name| *name == UPDATED_AT || found.get(*name) == after.get(*name))
    }
}

/// Collects the attributes of a record. Absent values and empty sets are left out: DynamoDB does not support empty
/// sets.
#[derive(Default)]
pub(super) struct Attributes(pub Item);

impl Attributes {
    pub fn text(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        self.put(name, value.map(|value| AttributeValue::S(value.to_owned())))
    }

    pub fn number(&mut self, name: &str, value: Option<u64>) -> &mut Self {
        self.put(name, value.map(|value| AttributeValue::N(value.to_string())))
    }

    pub fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.put(name, Some(AttributeValue::Bool(value)))
    }

    /// Adds a set of strings. The set is sorted, so that equal sets are equal.
    pub fn set<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a String>) -> &mut Self {
        let mut values: Vec<_> = values.into_iter().cloned().collect();
        values.sort();
        self.put(name, (!values.is_empty()).then_some(AttributeValue::Ss(values)))
    }

    pub fn list(&mut self, name: &str, values: impl Iterator<Item = AttributeValue>) -> &mut Self {
        let values: Vec<_> = values.collect();
        self.put(name, (!values.is_empty()).then_some(AttributeValue::L(values)))
    }

    pub fn map(
        &mut self,
        table: &'static str,
        name: &str,
        value: Option<&Map<String, Value>>,
    ) -> Result<&mut Self, StoreError> {
        let value = value.map(serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value).transpose();
        let value = value.map_err(|_| StoreError::Malformed { table, attribute: name.to_owned() })?;
        Ok(self.put(name, value))
    }

    fn put(&mut self, name: &str, value: Option<AttributeValue>) -> &mut Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
        self
    }
}
