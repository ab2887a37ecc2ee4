//! The write of a line, and its result.

use countersign::password_hash::Hasher;
use countersign::store::{Created, Record, Store, StoreError};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ids::Ids;
use super::lines::Line;

/// The result of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    New,
    Replaced,
    /// The record exists, and is not changed.
    Existing,
}

/// The reason why a line was not written.
pub enum Failed {
    /// The line is rejected.
    Rejected(String),
    /// The call to DynamoDB failed.
    Store(StoreError),
}

impl Failed {
    /// Returns true if the same write may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Malformed { problem, .. } => {
                Self::Rejected(format!("the stored record is malformed: {problem}"))
            }
            // Another attempt would fail as well. The other lines are not affected.
            StoreError::Rejected { cause } if cause.contains("ValidationException") => Self::Rejected(
                "DynamoDB rejects the record: it is too large, too deep, or has a number out of range".to_owned(),
            ),
            other => Self::Store(other),
        }
    }
}

/// A line that was parsed, as a record.
pub trait Import: Sized + Send + Sync + 'static {
    /// The record.
    type Record: Record + Sync;

    /// Returns the members that a line may have.
    fn columns() -> Vec<&'static str>;

    /// Reads a line.
    fn read(line: Line, hasher: &Hasher) -> Result<Self, String>;

    /// Returns the record to create if the key does not exist.
    fn record(&self) -> &Self::Record;

    /// Returns the key of the record.
    fn key(&self) -> &str;

    /// Returns the `user_id` that the line names.
    fn user_id(&self) -> Option<&str> {
        None
    }

    /// Returns true if the line of a user names the id of a client, or the line of a client the `user_id` of a user.
    fn shares_id(&self, ids: &Ids) -> bool;

    /// Returns the scheme of the hash.
    fn scheme(&self) -> &'static str;

    /// Rejects a line that cannot belong to the stored record.
    fn check(&self, _stored: &Self::Record) -> Result<(), String> {
        Ok(())
    }

    /// Changes only the attributes of the stored record that the line names.
    fn overwrite(&self, stored: &mut Self::Record) -> Result<(), String>;
}

/// Writes a line: creates its record, or changes the one that is stored if `overwrite` is set.
pub async fn write<R: Import>(line: &R, store: &Store, overwrite: bool) -> Result<Change, Failed> {
    let mut stored = match store.create(line.record()).await? {
        Created::New => return Ok(Change::New),
        Created::Same => return Ok(Change::Existing),
        Created::Taken(found) => found?,
    };
    let change = change_stored(line, &mut stored.record, overwrite)?;
    if change == Change::Replaced {
        store.replace(&stored).await?;
    }
    Ok(change)
}

/// Returns the result that [`write()`] would have.
pub async fn dry_run_write<R: Import>(line: &R, store: &Store, overwrite: bool) -> Result<Change, Failed> {
    match store.stored::<R::Record>(line.key()).await? {
        Some(mut stored) => change_stored(line, &mut stored.record, overwrite),
        None => Ok(Change::New),
    }
}

fn change_stored<R: Import>(line: &R, stored: &mut R::Record, overwrite: bool) -> Result<Change, Failed> {
    line.check(stored).map_err(Failed::Rejected)?;
    if !overwrite {
        return Ok(Change::Existing);
    }
    line.overwrite(stored).map_err(Failed::Rejected)?;
    Ok(Change::Replaced)
}

/// Deserializes a line. A value may be a secret, so an error names its path and does not quote it.
pub fn object<T: DeserializeOwned>(line: Line) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(line)).map_err(|error| {
        let message = error.inner().to_string();
        if ["unknown field", "missing field"].iter().any(|start| message.starts_with(start)) {
            return message;
        }
        format!("the type of {} is wrong", error.path())
    })
}
