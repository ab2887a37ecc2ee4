//! Error messages: one line that says what happened and what to do next. No message contains a secret.

use std::io;

use countersign::client::MetadataError;
use countersign::config::ConfigError;
use countersign::keys::{KeyError, RotationError};
use countersign::password_hash::HashError;
use countersign::store::StoreError;

/// The reason why a command failed.
#[derive(Debug)]
pub enum Error {
    /// An error message.
    Message(String),
    /// The reader of stdout has closed it (`| head`).
    StdoutClosed,
}

impl Error {
    /// Creates an error with a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }

    /// Returns the message.
    pub fn message(self) -> String {
        match self {
            Self::Message(message) => message,
            Self::StdoutClosed => "stdout is closed".to_owned(),
        }
    }

    /// Creates the error of a failed AWS call, with what to do about it.
    pub fn aws(cause: &str) -> Self {
        if let Some((_, denied)) = cause.split_once("not authorized to perform: ") {
            let mut words = denied.split_whitespace();
            let action = words.next().unwrap_or_default();
            let resource = denied.split_once("on resource: ").and_then(|(_, rest)| rest.split_whitespace().next());
            let on = resource.map(|resource| format!(" on {resource}")).unwrap_or_default();
            return Self::Message(format!(
                "permission denied: your role lacks {action}{on}; add it to the role's policy"
            ));
        }
        if cause.contains("no credentials found") {
            return Self::new("no AWS credentials found; choose a --profile, or log in with `aws sso login`");
        }
        let hint = if cause.contains("AccessDenied") {
            "; add the permission to your role's policy"
        } else if cause.contains("credential") || cause.contains("profile") {
            "; check --profile, and log in (`aws sso login`)"
        } else if cause.contains("ResourceNotFoundException") {
            "; check --region, --profile and --stack"
        } else if ["ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature"]
            .iter()
            .any(|code| cause.contains(code))
        {
            "; log in again, for example with `aws sso login`"
        } else if ["PutItem: ", "UpdateItem: ", "DeleteItem: ", "PutSecretValue: "]
            .iter()
            .any(|op| cause.starts_with(op))
            // The name of an exception means that AWS rejected the write.
            && !cause.contains("Exception")
        {
            "; the write may have succeeded: check, and try again"
        } else {
            "; try again"
        };
        Self::Message(format!("AWS call failed: {cause}{hint}"))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => {
                Self::new("the record was changed simultaneously by another process; check it, and try again")
            }
            StoreError::Rejected { cause } | StoreError::Unavailable { cause } | StoreError::Throttled { cause } => {
                Self::aws(&cause)
            }
            StoreError::Malformed { .. } => {
                Self::Message(format!("{error}; fix it in the table, or delete the record"))
            }
        }
    }
}

impl From<RotationError> for Error {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::Busy => Self::Message(format!("{error}; check with `countersign key list`, and try again")),
            RotationError::Nothing(_) => Self::Message(error.to_string()),
            RotationError::Write(cause) => Self::aws(&format!("PutSecretValue: {cause}")),
            RotationError::Keys(KeyError::Unavailable(cause)) => Self::aws(&cause),
            RotationError::Keys(error) => Self::Message(format!("{error}; replace it with a valid one")),
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<MetadataError> for Error {
    fn from(error: MetadataError) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::StdoutClosed,
            _ => Self::Message(error.to_string()),
        }
    }
}
