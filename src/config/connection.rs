//! The connection of a function to AWS.

use std::ffi::OsString;

use super::{ConfigError, Variables, roots};
use crate::aws::{Connection, Endpoints};

/// Reads the settings of the connection to AWS from a lookup by name. An empty value counts as missing.
///
/// # Errors
/// The first variable that is missing or not valid.
pub fn connection(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Connection, ConfigError> {
    let variables = Variables(&lookup);
    let is_true = |variable| Ok(variables.optional(variable)?.is_some_and(|value| value.eq_ignore_ascii_case("true")));
    Ok(Connection {
        region: variables.required("AWS_REGION")?,
        endpoints: Endpoints {
            all: variables.optional("AWS_ENDPOINT_URL")?,
            dynamodb: variables.optional("AWS_ENDPOINT_URL_DYNAMODB")?,
            secrets_manager: variables.optional("AWS_ENDPOINT_URL_SECRETS_MANAGER")?,
        },
        use_fips: is_true("AWS_USE_FIPS_ENDPOINT")?,
        use_dual_stack: is_true("AWS_USE_DUALSTACK_ENDPOINT")?,
        roots: roots(&lookup)?,
    })
}
