//! The writes of operators to clients and users. Each change is one write, with the condition that the attributes that
//! it changes still have the values that were read, so that simultaneous changes do not undo each other.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::{Failure, send};
use super::changes::Changes;
use super::item::{Item, Table, string};
use super::{Store, StoreError};

/// A kind of record that operators create and change.
pub trait Record: Serialize + DeserializeOwned + Send {
    /// Returns the table of these records.
    fn table(store: &Store) -> &Table;

    /// Returns true if the item with this key is a record of this kind.
    fn is_key(_key: &str) -> bool {
        true
    }

    /// Checks the rules between the attributes of the record.
    ///
    /// # Errors
    /// The attribute that does not fit the others, and what to do.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Deserializes a record and checks it.
///
/// # Errors
/// [`StoreError::Malformed`]
pub(super) fn decode<R: Record>(table: &Table, item: Item) -> Result<R, StoreError> {
    let record: R = table.decode(item)?;
    record.check().map_err(|problem| table.malformed(problem))?;
    Ok(record)
}

/// Checks a record and serializes it, so that no operator writes a record that the service would reject.
///
/// # Errors
/// [`StoreError::Malformed`]
fn encode<R: Record>(table: &Table, record: &R) -> Result<Item, StoreError> {
    record.check().map_err(|problem| table.malformed(problem))?;
    table.encode(record)
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

    fn new(table: &Table, item: Item) -> Result<Self, StoreError> {
        let record: R = decode(table, item.clone())?;
        Ok(Self { before: table.encode(&record)?, record, item })
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
        if !R::is_key(key) {
            return Ok(None);
        }
        let table = R::table(self);
        self.read(table, key).await?.map(|item| Stored::new(table, item)).transpose()
    }

    /// Creates a record, unless its key is taken.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn create<R: Record>(&self, new: &R) -> Result<Created<R>, StoreError> {
        let table = R::table(self);
        let item = encode(table, new)?;
        let request = self
            .dynamodb
            .put_item()
            .table_name(&table.name)
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", table.key)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match send(request).await {
            Ok(_) => Ok(Created::New),
            Err(Failure::Condition(found)) => Ok(match Stored::new(table, found.unwrap_or_default()) {
                Ok(found) if found.before == item => Created::Same,
                found => Created::Taken(found),
            }),
            Err(Failure::Store(error)) => Err(error),
        }
    }

    /// Writes the attributes of a record that were changed since it was read, unless another process changed one of
    /// them meanwhile. Returns false if there are no changes.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Conflict`] if another process changed one of the attributes first.
    pub async fn replace<R: Record>(&self, stored: &Stored<R>) -> Result<bool, StoreError> {
        let table = R::table(self);
        let after = encode(table, &stored.record)?;
        let changes = Changes::between(&stored.before, &after);
        if changes.is_empty() {
            return Ok(false);
        }
        let key = after.get(table.key).ok_or_else(|| table.malformed(table.key.to_owned()))?;
        let request = self
            .dynamodb
            .update_item()
            .table_name(&table.name)
            .key(table.key, key.clone())
            .expression_attribute_names("#key", table.key)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match send(changes.write_to(request, &stored.item)).await {
            Ok(_) => Ok(true),
            Err(Failure::Condition(found)) => {
                // The SDK sends a write again when its response is lost. Then this is our own write.
                let found: Option<Stored<R>> = found.and_then(|item| Stored::new(table, item).ok());
                if found.is_some_and(|found| changes.are_in(&found.before)) {
                    return Ok(true);
                }
                Err(StoreError::Conflict { cause: "UpdateItem: another process changed the record".to_owned() })
            }
            Err(Failure::Store(error)) => Err(error),
        }
    }

    /// Deletes a record. A record that does not exist counts as deleted.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn delete<R: Record>(&self, key: &str) -> Result<(), StoreError> {
        let table = R::table(self);
        send(self.dynamodb.delete_item().table_name(&table.name).key(table.key, string(key))).await?;
        Ok(())
    }

    /// Scans the table and calls `visit` with the key of each record and the record, or its error if it is malformed.
    /// Stops at the first error of `visit`.
    ///
    /// # Errors
    /// [`StoreError`]; the error of `visit`.
    pub async fn scan<R: Record, E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(String, Result<Stored<R>, StoreError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let table = R::table(self);
        let mut start = None;
        loop {
            let request = self.dynamodb.scan().table_name(&table.name).consistent_read(true);
            let output = send(request.set_exclusive_start_key(start)).await.map_err(StoreError::from)?;
            for item in output.items.unwrap_or_default() {
                let key = item.get(table.key).and_then(|key| key.as_s().ok()).cloned().unwrap_or_default();
                if R::is_key(&key) {
                    visit(key, Stored::new(table, item))?;
                }
            }
            match output.last_evaluated_key {
                Some(last) => start = Some(last),
                None => return Ok(()),
            }
        }
    }
}
