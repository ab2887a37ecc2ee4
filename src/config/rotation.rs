//! The settings of the rotation function.

use std::ffi::OsString;

use super::lifetimes::refresh_token_max;
use super::{ConfigError, Variables};

/// The settings of the function that rotates the signing keys.
#[derive(Clone, Debug)]
pub struct RotationConfig {
    /// `SIGNING_SECRET_ID`: name or ARN of the secret that contains the signing keys.
    pub signing_secret_id: String,
    /// `SIGNING_ALGORITHM`: the algorithm of new keys; `RS256`, `ES256` or `EdDSA`. Neither this setting nor
    /// `KEY_PUBLIC_FOR` has a default: a rotation with other values than the deployment's could break verifiers.
    pub signing_algorithm: String,
    /// `KEY_PUBLIC_FOR`: seconds for which a key must have been public before it signs. Verifiers cache the public
    /// keys; API Gateway's authorizers cache them for 2 hours.
    pub key_public_for: u32,
    /// `REFRESH_TOKEN_MAX_TTL`: the value of the API's function.
    pub refresh_token_max_ttl: u32,
}

impl RotationConfig {
    /// Reads the settings from a lookup by name. An empty value counts as missing.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let variables = Variables(&lookup);
        let signing_algorithm = variables.required("SIGNING_ALGORITHM")?;
        if !["RS256", "ES256", "EdDSA"].contains(&signing_algorithm.as_str()) {
            return Err(ConfigError::new("SIGNING_ALGORITHM", "must be RS256, ES256 or EdDSA"));
        }
        Ok(Self {
            signing_secret_id: variables.required("SIGNING_SECRET_ID")?,
            signing_algorithm,
            key_public_for: variables.required_number("KEY_PUBLIC_FOR")?,
            refresh_token_max_ttl: refresh_token_max(&variables)?,
        })
    }
}
