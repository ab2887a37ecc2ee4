//! Errors of the store.

use std::{error, fmt};

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::aws;

/// An error of a call to DynamoDB, or of a record.
#[derive(Debug)]
pub enum StoreError {
    /// DynamoDB could not be reached, did not respond in time, or failed.
    Unavailable {
        /// The operation and its error.
        cause: String,
    },
    /// DynamoDB throttled the request.
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
    Rejected {
        /// The operation and its error.
        cause: String,
    },
    /// A record is not valid.
    Malformed {
        /// The table of the record.
        table: &'static str,
        /// The attribute that is not valid. A rule between attributes adds what to do.
        problem: String,
    },
}

impl StoreError {
    /// Returns true if the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Throttled { .. } | Self::Conflict { .. })
    }

    /// Classifies the error of an operation by its code.
    pub(super) fn from_sdk<E, R>(operation: &'static str, error: &SdkError<E, R>) -> Self
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
            ) => Self::Rejected { cause },
            // All other errors (InternalServerError, no code): the caller may try again.
            _ => Self::Unavailable { cause },
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { cause } => write!(formatter, "DynamoDB is not available: {cause}"),
            Self::Throttled { cause } => write!(formatter, "DynamoDB throttled the request: {cause}"),
            Self::Conflict { cause } => write!(formatter, "a conflict in DynamoDB: {cause}"),
            Self::Rejected { cause } => write!(formatter, "DynamoDB rejected the request: {cause}"),
            Self::Malformed { table, problem } => {
                write!(formatter, "a record of table {table} is malformed: {problem}")
            }
        }
    }
}

impl error::Error for StoreError {}
