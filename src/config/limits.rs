//! The limits of the duration of a request.

use std::time::Duration;

/// The limits of the duration of a request. They are the same in every deployment.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The limit for all calls of a request together, after which the response is 503 (S-704). Each call has a shorter
    /// timeout, but a request makes several calls.
    pub request: Duration,
    /// The limit of the time that the upgrade of a password hash may add to a response (S-303).
    pub upgrade: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request: Duration::from_millis(3_800), upgrade: Duration::from_millis(300) }
    }
}
