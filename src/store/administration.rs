//! What operators do to clients and users: each thing is one write, and each write is conditional on what the operator
//! saw, so that of two at once neither undoes the other's.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Item, Store, StoreError, genuine, record};

/// The attribute that changes with every other one.
const UPDATED_AT: &str = "updated_at";

/// A kind of record that operators make and change.
pub trait Record: DeserializeOwned + Send {
    /// What its table is called in errors.
    const TABLE: &'static str;
    /// The attribute that is the key.
    const KEY: &'static str;

    /// Its table in this deployment.
    fn table(store: &Store) -> &str;

    /// All that it holds, as it is stored. What is absent or empty is not.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if it holds what cannot be stored.
    fn attributes(&self) -> Result<Item, StoreError>;
}

/// A record as it was read, to be changed and written back.
pub struct Stored<R> {
    /// The record. What is changed in it, [`Store::replace`] writes.
    pub record: R,
    /// The item that was read, with attributes of which we know nothing.
    item: Item,
    /// The record's attributes when it was read.
    before: Item,
}

impl<R: Record> Stored<R> {
    /// Returns true if the stored item has this attribute, which need not be one of the record.
    pub fn has(&self, attribute: &str) -> bool {
        self.item.contains_key(attribute)
    }

    fn new(item: Item) -> Result<Self, StoreError> {
        let record: R = record(R::TABLE, item.clone())?;
        Ok(Self { before: record.attributes()?, record, item })
    }
}

/// What came of the creation of a record.
pub enum Created<R> {
    /// It is there.
    New,
    /// It was there, to the letter. It may be our own write: the SDK sends one again when its answer is lost.
    Same,
    /// Its key is taken: by this record, or by one that is malformed.
    Taken(Result<Stored<R>, StoreError>),
}

impl Store {
    /// Reads a record, to change it.
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

    /// Writes what was changed in a record since it was read, unless somebody else changed the same meanwhile. Whether
    /// there was anything to write.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Conflict`] if somebody else was quicker.
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
                // When it was changed says nothing of what was changed.
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
                // Our own write, sent again.
                let found: Option<Stored<R>> = failed.item.clone().and_then(|item| Stored::new(item).ok());
                if found.is_some_and(|found| changes.are_in(&found.before, &after)) {
                    return Ok(true);
                }
                Err(StoreError::Conflict { cause: "UpdateItem: it was changed by somebody else".to_owned() })
            }
            _ => Err(StoreError::from_sdk("UpdateItem", &error)),
        }
    }

    /// Deletes a record. One that is gone already is deleted enough.
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

    /// Reads a whole table, and shows each record under its key, until that fails. One that is malformed is no reason
    /// not to show the others.
    ///
    /// # Errors
    /// [`StoreError`]; whatever `see` fails by.
    pub async fn each<R: Record, E: From<StoreError>>(
        &self,
        mut see: impl FnMut(String, Result<Stored<R>, StoreError>) -> Result<(), E>,
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
                see(key, Stored::new(item))?;
            }
            match output.last_evaluated_key {
                Some(last) => start = Some(last),
                None => return Ok(()),
            }
        }
    }
}

/// The attributes by which two states of a record differ.
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

/// Collects the attributes of a record. What is absent, or an empty set, is left out: DynamoDB has no empty sets.
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

    /// A set of strings, in the order of their letters, so that equal sets are equal.
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
