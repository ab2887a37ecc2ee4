//! The three tables. Every method is one atomic operation and one call to DynamoDB, except a scan.
//!
//! | table | key | record | file |
//! |---|---|---|---|
//! | clients | `client_id` | [`Client`](crate::client::Client) | `store/clients.rs` |
//! | users | `username`, in its RFC 8265 form | [`User`](crate::user::User) | `store/users.rs` |
//! | grants | `id` = `refresh#` + family | [`Family`](crate::refresh_token::Family) | `store/refresh_families.rs` |
//!
//! The writes of operators to clients and users are in `store/administration.rs`.
//!
//! Every read is strongly consistent. A record that is not valid is an error, never a default.
//!
//! The SDK's futures are boxed in the methods of the request path: each has 5 KB, which would be moved with every
//! future that contains it.

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
    /// Builds a client for the tables of the configuration. Makes no call.
    pub fn new(sdk: &SdkConfig, config: &Config) -> Self {
        Self {
            dynamodb: Client::new(sdk),
            clients_table: config.clients_table.clone(),
            users_table: config.users_table.clone(),
            grants_table: config.grants_table.clone(),
        }
    }

    /// Opens the connection, so that the first request does not wait for the handshake.
    ///
    /// # Errors
    /// [`StoreError`] if DynamoDB or the table of clients cannot be reached.
    pub async fn connect(&self) -> Result<(), StoreError> {
        self.read(&self.clients_table, "client_id", "countersign-connects").await.map(|_| ())
    }

    /// Reads one item with strong consistency.
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

/// Checks that a response comes from DynamoDB: it contains the consumed capacity, which every call requests. An
/// empty response, for example from a proxy, would otherwise mean "no such item" or "written".
fn genuine(operation: &'static str, consumed: Option<&ConsumedCapacity>) -> Result<(), StoreError> {
    let cause = || format!("{operation}: an answer that does not say what it consumed");
    consumed.map(drop).ok_or_else(|| StoreError::Unavailable { cause: cause() })
}

/// Treats a failed condition as success: the write is not needed, or was done before.
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

/// Deserializes an item into its record.
fn record<T: DeserializeOwned>(table: &'static str, item: Item) -> Result<T, StoreError> {
    let attributes = item.into_iter().map(|(name, value)| (name, value.into())).collect();
    let deserializer = serde_dynamo::Deserializer::from_attribute_value(serde_dynamo::AttributeValue::M(attributes));
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        // serde's message quotes a value of the wrong type, which may be a hash. Only the message of an error of the
        // whole record is kept, because that error can only be a missing attribute.
        let path = error.path().to_string();
        StoreError::Malformed { table, attribute: if path == "." { error.inner().to_string() } else { path } }
    })
}

/// An error of a call to DynamoDB, or of a record.
#[derive(Debug)]
pub enum StoreError {
    /// DynamoDB could not be reached, did not respond in time, or failed.
    Unavailable {
        /// The operation and its error.
        cause: String,
    },
    /// DynamoDB throttles the requests.
    Throttled {
        /// The operation and its error.
        cause: String,
    },
    /// Another write changed the same item.
    Conflict {
        /// The operation and its error.
        cause: String,
    },
    /// DynamoDB rejected the call: the deployment is not valid (permissions, table names).
    Refused {
        /// The operation and its error.
        cause: String,
    },
    /// A record is not valid.
    Malformed {
        /// The table of the record.
        table: &'static str,
        /// The attribute that is not valid.
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
            // All other errors (InternalServerError, no code): the caller may try again.
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
