//! What went wrong, in one line that says what to do next. No secret gets into one.

use std::io;

use countersign::config::ConfigError;
use countersign::keys::{KeyError, RotationError};
use countersign::password_hash::HashError;
use countersign::store::StoreError;

/// Why a command ended early.
#[derive(Debug)]
pub enum Fault {
    /// In words, for people.
    Told(String),
    /// Whoever read our output has gone (`| head`).
    NobodyReads,
}

impl Fault {
    /// A fault in words.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Told(message.into())
    }

    /// Its words, to be told within others.
    pub fn words(self) -> String {
        match self {
            Self::Told(message) => message,
            Self::NobodyReads => "nobody reads the output".to_owned(),
        }
    }

    /// What AWS said to a call, with what to do about it.
    pub fn aws(cause: &str) -> Self {
        if let Some((_, refused)) = cause.split_once("not authorized to perform: ") {
            let mut words = refused.split_whitespace();
            let action = words.next().unwrap_or_default();
            let resource = refused.split_once("on resource: ").and_then(|(_, rest)| rest.split_whitespace().next());
            let on = resource.map(|resource| format!(" on {resource}")).unwrap_or_default();
            return Self::Told(format!("permission denied: your role lacks {action}{on}"));
        }
        if cause.contains("no credentials found") {
            return Self::new("there are no AWS credentials; name a --profile, or log in with `aws sso login`");
        }
        let hint = if cause.contains("AccessDenied") {
            "; your role lacks the permission"
        } else if cause.contains("credential") || cause.contains("profile") {
            "; is the --profile right, and are you logged in (`aws sso login`)?"
        } else if cause.contains("ResourceNotFoundException") {
            "; is it another --region, --profile or --stack?"
        } else if ["ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature"]
            .iter()
            .any(|code| cause.contains(code))
        {
            "; log in again, for example with `aws sso login`"
        } else if ["PutItem: ", "UpdateItem: ", "DeleteItem: ", "PutSecretValue: "]
            .iter()
            .any(|op| cause.starts_with(op))
            // One that has a name is an answer: it was not done.
            && !cause.contains("Exception")
        {
            "; it may have been done all the same: look, and try again"
        } else {
            "; try again"
        };
        Self::Told(format!("AWS refuses or does not answer: {cause}{hint}"))
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Self::new("somebody else changed it at the same time; look, and try again"),
            StoreError::Refused { cause } | StoreError::Unavailable { cause } | StoreError::Throttled { cause } => {
                Self::aws(&cause)
            }
            StoreError::Malformed { .. } => Self::Told(format!("{error}; mend it in the table, or delete the record")),
        }
    }
}

impl From<RotationError> for Fault {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::Busy => Self::Told(format!("{error}; look, and try again")),
            RotationError::Nothing(_) => Self::Told(error.to_string()),
            RotationError::Write(cause) => Self::aws(&format!("PutSecretValue: {cause}")),
            RotationError::Keys(KeyError::Unavailable(cause)) => Self::aws(&cause),
            RotationError::Keys(error) => Self::Told(format!("{error}; put a good one in its place")),
        }
    }
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        Self::Told(error.to_string())
    }
}

impl From<HashError> for Fault {
    fn from(error: HashError) -> Self {
        Self::Told(error.to_string())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::Told(error.to_string()),
        }
    }
}
