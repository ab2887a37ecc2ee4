//! The settings of the signing keys.

use super::{ConfigError, Variables};

/// The settings of the signing keys.
#[derive(Clone, Debug)]
pub struct KeySettings {
    /// `SIGNING_SECRET_ID`: name or ARN of the secret that contains the signing keys.
    pub secret_id: String,
    /// `KEYS_MAX_AGE`: seconds after which the function and verifiers reload the signing keys.
    pub max_age: u32,
}

impl KeySettings {
    pub(super) fn read(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            secret_id: variables.required("SIGNING_SECRET_ID")?,
            max_age: variables.positive("KEYS_MAX_AGE", 300)?,
        })
    }
}
