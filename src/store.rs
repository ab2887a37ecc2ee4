//! The three tables. Every method is one atomic fact of the protocol, and one call to DynamoDB.
//!
//! | table | key | record | file |
//! |---|---|---|---|
//! | clients | `client_id` | [`Client`](crate::client::Client) | `store/clients.rs` |
//! | users | `username`, in its RFC 8265 form | [`User`](crate::user::User) | `store/users.rs` |
//! | grants | `id` = `refresh#` + family | [`Family`](crate::refresh_token::Family) | `store/refresh_families.rs` |
//!
//! What operators do to clients and users is in `store/administration.rs`.
//!
//! Every authorising read is strongly consistent. A record that is not as it must be is an error, never a default.
//!
//! The SDK's futures are boxed: each is 5 KB, with which every future around it would grow, to be moved with it.

use std::collections::HashMap;
use std::{error, fmt};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity, ReturnConsumedCapacity};
use serde::de::DeserializeOwned;

use crate::aws;
use crate::config::Config;

mod administration;
mod clients;
mod refresh_families;
mod users;

pub use administration::{Created, Record, Stored};
pub use refresh_families::Rotation;

/// The tables of one deployment.
pub struct Store {
    dynamodb: Client,
    clients_table: String,
    users_table: String,
    grants_table: String,
}

impl Store {
    /// The tables that the configuration names.
    pub fn new(sdk: &SdkConfig, config: &Config) -> Self {
        Self {
            dynamodb: Client::new(sdk),
            clients_table: config.clients_table.clone(),
            users_table: config.users_table.clone(),
            grants_table: config.grants_table.clone(),
        }
    }

    /// Opens the connection, so that the first request need not wait for the handshake.
    ///
    /// # Errors
    /// [`StoreError`] if DynamoDB or the table of clients cannot be reached.
    pub async fn connect(&self) -> Result<(), StoreError> {
        self.read(&self.clients_table, "client_id", "countersign-connects").await.map(|_| ())
    }

    /// Reads one item, strongly consistently.
    async fn read(&self, table: &str, key: &str, value: &str) -> Result<Option<Item>, StoreError> {
        let request = self
            .dynamodb
            .get_item()
            .table_name(table)
            .key(key, AttributeValue::S(value.to_owned()))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = Box::pin(request.send()).await.map_err(|error| StoreError::from_sdk("GetItem", &error))?;
        genuine("GetItem", output.consumed_capacity.as_ref())?;
        Ok(output.item)
    }
}

type Item = HashMap<String, AttributeValue>;

/// Holds an answer for DynamoDB's only if it says what the call consumed, as it was asked to. An empty answer, from
/// whatever stands between, would read as "there is no such item" or as "it is written".
fn genuine(operation: &'static str, consumed: Option<&ConsumedCapacity>) -> Result<(), StoreError> {
    let cause = || format!("{operation}: an answer that does not say what it consumed");
    consumed.map(drop).ok_or_else(|| StoreError::Unavailable { cause: cause() })
}

/// Takes a failed condition for what it is where that is no fault: the write is not needed, or was done before.
fn unless_condition_failed<E>(
    operation: &'static str,
    result: Result<Option<ConsumedCapacity>, SdkError<E>>,
) -> Result<(), StoreError>
where
    E: ProvideErrorMetadata + error::Error + 'static,
{
    match result {
        Ok(consumed) => genuine(operation, consumed.as_ref()),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
        Err(error) => Err(StoreError::from_sdk(operation, &error)),
    }
}

/// Turns an item into its record.
fn record<T: DeserializeOwned>(table: &'static str, item: Item) -> Result<T, StoreError> {
    let attributes = item.into_iter().map(|(name, value)| (name, value.into())).collect();
    let deserializer = serde_dynamo::Deserializer::from_attribute_value(serde_dynamo::AttributeValue::M(attributes));
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        // serde quotes a value of the wrong type, and a value may be a hash: only a fault of the whole record is told
        // in serde's words, for it can only be a missing attribute.
        let path = error.path().to_string();
        StoreError::Malformed { table, attribute: if path == "." { error.inner().to_string() } else { path } }
    })
}

/// Why the store did not answer. Each kind has an answer of its own on the wire.
#[derive(Debug)]
pub enum StoreError {
    /// DynamoDB could not be reached, did not answer in time, or failed.
    Unavailable {
        /// The call, and what came of it.
        cause: String,
    },
    /// DynamoDB asks us to slow down.
    Throttled {
        /// The call, and what came of it.
        cause: String,
    },
    /// Another writer was at the same item.
    Conflict {
        /// The call, and what came of it.
        cause: String,
    },
    /// DynamoDB refused the call: the deployment is not as it must be (rights, table names).
    Refused {
        /// The call, and what came of it.
        cause: String,
    },
    /// A record is not as it must be.
    Malformed {
        /// Its table.
        table: &'static str,
        /// The attribute at fault.
        attribute: String,
    },
}

impl StoreError {
    /// Returns true if the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Throttled { .. } | Self::Conflict { .. })
    }

    fn from_sdk<E, R>(operation: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + error::Error + 'static,
        R: fmt::Debug + 'static,
    {
        let cause = format!("{operation}: {}", aws::cause(error));
        match error.code() {
            Some("ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded") => {
                Self::Throttled { cause }
            }
            Some(
                "TransactionConflictException" | "TransactionInProgressException" | "ReplicatedWriteConflictException",
            ) => Self::Conflict { cause },
            Some(
                "AccessDeniedException"
                | "ConditionalCheckFailedException"
                | "ExpiredTokenException"
                | "IncompleteSignatureException"
                | "InvalidSignatureException"
                | "ItemCollectionSizeLimitExceededException"
                | "MissingAuthenticationTokenException"
                | "ResourceNotFoundException"
                | "SerializationException"
                | "UnrecognizedClientException"
                | "ValidationException",
            ) => Self::Refused { cause },
            // Whatever else there is (InternalServerError, no code at all): one may try again.
            _ => Self::Unavailable { cause },
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { cause } => write!(formatter, "DynamoDB is not available: {cause}"),
            Self::Throttled { cause } => write!(formatter, "DynamoDB throttles: {cause}"),
            Self::Conflict { cause } => write!(formatter, "DynamoDB had a conflict: {cause}"),
            Self::Refused { cause } => write!(formatter, "DynamoDB refuses: {cause}"),
            Self::Malformed { table, attribute } => {
                write!(formatter, "a record of table {table} is malformed: {attribute}")
            }
        }
    }
}

impl error::Error for StoreError {}
