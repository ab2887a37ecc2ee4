//! Error responses: one variant per error of the wire contract (RFC 6749 section 5.2).
//!
//! Descriptions are fixed sentences, so they cannot reveal internal details or quote a request. A variant whose cause
//! must be logged contains it separately.

use crate::keys::KeyError;
use crate::store::StoreError;

/// The error response of a request.
#[derive(Debug)]
pub enum Error {
    /// `invalid_request`, 400: malformed, missing, repeated or over a limit.
    InvalidRequest(&'static str),
    /// `invalid_request`, 413: the body is over its limit.
    BodyTooLarge,
    /// `invalid_client`, 401: client authentication failed. The reason is only logged: all causes get the same
    /// response.
    InvalidClient(&'static str),
    /// `unauthorized_client`, 400: this client may not use this grant.
    UnauthorizedClient,
    /// `unsupported_grant_type`, 400.
    UnsupportedGrantType,
    /// `unsupported_response_type`, 400: an authorization request (RFC 6749 section 4.1.2.1), which needs login pages.
    UnsupportedResponseType,
    /// `invalid_scope`, 400: malformed, unknown or not allowed.
    InvalidScope(&'static str),
    /// `invalid_grant`, 400.
    InvalidGrant {
        /// The `error_description`.
        description: &'static str,
        /// The cause, which is only logged.
        reason: &'static str,
    },
    /// `temporarily_unavailable`, 503: a dependency is down. Never `invalid_grant`, because clients then discard their
    /// refresh token. The cause is only logged.
    TemporarilyUnavailable(String),
    /// `server_error`, 500: a bug, or a deployment or record that is not valid. The cause is only logged.
    ServerError(String),
    /// `not_found`, 404: the path does not exist.
    NotFound,
    /// `method_not_allowed`, 405: the path allows only these methods, separated by commas.
    MethodNotAllowed(&'static str),
}

impl Error {
    /// Returns the value of `error` in the response.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) | Self::BodyTooLarge => "invalid_request",
            Self::InvalidClient(_) => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope(_) => "invalid_scope",
            Self::InvalidGrant { .. } => "invalid_grant",
            Self::TemporarilyUnavailable(_) => "temporarily_unavailable",
            Self::ServerError(_) => "server_error",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
        }
    }

    /// Returns the HTTP status of the response.
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidRequest(_)
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::InvalidScope(_)
            | Self::InvalidGrant { .. } => 400,
            Self::InvalidClient(_) => 401,
            Self::NotFound => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::BodyTooLarge => 413,
            Self::ServerError(_) => 500,
            Self::TemporarilyUnavailable(_) => 503,
        }
    }

    /// Returns the value of `error_description` in the response: printable ASCII without `"` and `\`. 404 and 405,
    /// which are not OAuth errors, have no description.
    pub fn description(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotFound | Self::MethodNotAllowed(_) => return None,
            Self::InvalidRequest(description)
            | Self::InvalidScope(description)
            | Self::InvalidGrant { description, .. } => description,
            Self::BodyTooLarge => "The body is larger than 16 KiB.",
            Self::InvalidClient(_) => "Client authentication failed.",
            Self::UnauthorizedClient => "This client may not use this grant type.",
            Self::UnsupportedGrantType => "This grant type is not supported.",
            Self::UnsupportedResponseType => "This server has no login pages.",
            Self::TemporarilyUnavailable(_) => "The service is not available at the moment. Try again.",
            Self::ServerError(_) => "The server failed to process the request.",
        })
    }

    /// Returns the cause, for the log.
    pub fn reason(&self) -> &str {
        match self {
            Self::InvalidClient(reason) | Self::InvalidGrant { reason, .. } => reason,
            Self::TemporarilyUnavailable(cause) | Self::ServerError(cause) => cause,
            other => other.description().unwrap_or(other.code()),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let cause = error.to_string();
        match error {
            StoreError::Conflict { .. } | StoreError::Unavailable { .. } | StoreError::Throttled { .. } => {
                Self::TemporarilyUnavailable(cause)
            }
            StoreError::Refused { .. } | StoreError::Malformed { .. } => Self::ServerError(cause),
        }
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        let cause = error.to_string();
        match error {
            // When an operator has corrected the secret, the next reload succeeds.
            KeyError::Unavailable(_) | KeyError::Unusable(_) => Self::TemporarilyUnavailable(cause),
            KeyError::Signing => Self::ServerError(cause),
        }
    }
}
