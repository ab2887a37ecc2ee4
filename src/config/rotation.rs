//! The settings of the rotation function.

use std::ffi::OsString;

use super::lifetimes::refresh_token_max;
use super::{ConfigError, Variables};
use crate::keys::{RotationPolicy, SigningAlgorithm};

/// The settings of the function that rotates the signing keys.
#[derive(Clone, Debug)]
pub struct RotationConfig {
    /// `SIGNING_SECRET_ID`: name or ARN of the secret that contains the signing keys.
    pub signing_secret_id: String,
    /// The rules for the keys. Neither `SIGNING_ALGORITHM` (`RS256`, `ES256` or `EdDSA`) nor `KEY_PUBLIC_FOR` (seconds)
    /// has a default: a rotation with other values than the deployment's could break verifiers. Verifiers cache the public
    /// keys; API Gateway's authorizers cache them for 2 hours. `REFRESH_TOKEN_MAX_TTL` is the value of the API's function.
    pub policy: RotationPolicy,
}

impl RotationConfig {
    /// Reads the settings from a lookup by name. An empty value counts as missing.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let variables = Variables(&lookup);
        let algorithm = SigningAlgorithm::named(&variables.required("SIGNING_ALGORITHM")?)
            .ok_or(ConfigError::new("SIGNING_ALGORITHM", "must be RS256, ES256 or EdDSA"))?;
        Ok(Self {
            signing_secret_id: variables.required("SIGNING_SECRET_ID")?,
            policy: RotationPolicy {
                algorithm,
                public_for: variables.required_number("KEY_PUBLIC_FOR")?,
                refresh_token_max_ttl: refresh_token_max(&variables)?,
            },
        })
    }
}
