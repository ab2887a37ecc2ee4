//! The settings of a deployment. Only this module reads environment variables.

use std::ffi::OsString;
use std::{fmt, fs};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::aws::Roots;

const DEFAULT_REFRESH_TOKEN_MAX_TTL: u32 = 7_776_000;

/// The settings of the API's function. `template.yaml` sets the environment variables.
#[derive(Clone, Debug)]
pub struct Config {
    /// `CLIENTS_TABLE`: the table of clients.
    pub clients_table: String,
    /// `USERS_TABLE`: the table of users.
    pub users_table: String,
    /// `GRANTS_TABLE`: the table of refresh token families.
    pub grants_table: String,
    /// `SIGNING_SECRET_ID`: name or ARN of the secret that contains the signing keys.
    pub signing_secret_id: String,
    /// `ISSUER`: the issuer URL (RFC 8414 section 2), without a trailing slash.
    pub issuer: String,
    /// `USER_TOKEN_TTL`: seconds after which a user's access token expires.
    pub user_token_ttl: u32,
    /// `SERVICE_TOKEN_TTL`: seconds after which a service's access token expires.
    pub service_token_ttl: u32,
    /// `REFRESH_TOKEN_IDLE_TTL`: seconds after which an unused refresh token expires.
    pub refresh_token_idle_ttl: u32,
    /// `REFRESH_TOKEN_MAX_TTL`: seconds after the login at which a refresh family expires, even if it is in use.
    pub refresh_token_max_ttl: u32,
    /// `REFRESH_GRACE`: seconds for which a used refresh token returns the same successor again. 0 disables this; 1 to
    /// 4 are rejected, because the SDK's own retries of a write may take longer.
    pub refresh_grace: u32,
    /// `KEYS_MAX_AGE`: seconds after which the function and verifiers reload the signing keys.
    pub keys_max_age: u32,
    /// `ARGON2_MEMORY_KIB`: the memory for a new password hash, in KiB.
    pub argon2_memory_kib: u32,
    /// `ARGON2_ITERATIONS`: the number of passes of a new password hash.
    pub argon2_iterations: u32,
    /// `ARGON2_PARALLELISM`: the number of lanes of a new password hash.
    pub argon2_parallelism: u32,
}

/// An environment variable that is missing or not valid.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The name of the variable.
    pub variable: &'static str,
    /// The error. Does not quote the value, because it may be a secret in the wrong variable.
    pub fault: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "environment variable {} {}", self.variable, self.fault)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the environment variables of the process.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// Checks that this process runs as a Lambda function. Otherwise the runtime would panic.
    ///
    /// # Errors
    /// [`ConfigError`] if the variable that Lambda sets is missing.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn require_lambda() -> Result<(), ConfigError> {
        let fault = "is missing: this program is a Lambda function; `cargo run --example local` runs without Lambda";
        match std::env::var_os("AWS_LAMBDA_RUNTIME_API") {
            Some(_) => Ok(()),
            None => Err(ConfigError { variable: "AWS_LAMBDA_RUNTIME_API", fault }),
        }
    }

    /// Reads the settings from a lookup by name. An empty value counts as missing.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let variables = Variables(lookup);
        let issuer = variables.required("ISSUER")?;
        if !is_issuer(&issuer) {
            return Err(ConfigError {
                variable: "ISSUER",
                fault: "is not an http(s) URL without query, fragment and slash at its end",
            });
        }
        Ok(Self {
            clients_table: variables.required("CLIENTS_TABLE")?,
            users_table: variables.required("USERS_TABLE")?,
            grants_table: variables.required("GRANTS_TABLE")?,
            signing_secret_id: variables.required("SIGNING_SECRET_ID")?,
            issuer,
            user_token_ttl: variables.positive("USER_TOKEN_TTL", 3_600)?,
            service_token_ttl: variables.positive("SERVICE_TOKEN_TTL", 43_200)?,
            refresh_token_idle_ttl: variables.positive("REFRESH_TOKEN_IDLE_TTL", 2_592_000)?,
            refresh_token_max_ttl: variables.positive("REFRESH_TOKEN_MAX_TTL", DEFAULT_REFRESH_TOKEN_MAX_TTL)?,
            refresh_grace: match variables.number("REFRESH_GRACE", 10)? {
                1..5 => return Err(ConfigError { variable: "REFRESH_GRACE", fault: "must be 0 or at least 5" }),
                grace => grace,
            },
            keys_max_age: variables.positive("KEYS_MAX_AGE", 300)?,
            argon2_memory_kib: variables.positive("ARGON2_MEMORY_KIB", 19_456)?,
            argon2_iterations: variables.positive("ARGON2_ITERATIONS", 2)?,
            argon2_parallelism: variables.positive("ARGON2_PARALLELISM", 1)?,
        })
    }
}

/// Returns the root certificates that this process trusts. `AWS_CA_BUNDLE` names a file of them, as for every AWS tool.
/// Without that, a Lambda function that calls AWS's default endpoints trusts Amazon's root certificates. In other
/// partitions, whose endpoints may have other ones, and outside Lambda, those of the machine are trusted.
///
/// # Errors
/// [`ConfigError`] if the file cannot be read, or contains no certificate.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn roots() -> Result<Roots, ConfigError> {
    roots_from_variables(|name| std::env::var_os(name))
}

/// Returns the root certificates, like [`roots`], from a lookup by name.
///
/// # Errors
/// [`ConfigError`] if the file cannot be read, or contains no certificate.
pub fn roots_from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Roots, ConfigError> {
    let invalid = |fault| ConfigError { variable: "AWS_CA_BUNDLE", fault };
    if let Some(file) = lookup("AWS_CA_BUNDLE").filter(|file| !file.is_empty()) {
        let text = fs::read_to_string(file).map_err(|_| invalid("names a file that cannot be read"))?;
        let certificates = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
        return match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Roots::Pem(text)),
            _ => Err(invalid("names a file that holds no certificates in PEM")),
        };
    }
    let variables = Variables(lookup);
    let in_lambda = variables.optional("AWS_LAMBDA_RUNTIME_API")?.is_some();
    let has_custom_endpoint = variables.optional("AWS_ENDPOINT_URL")?.is_some();
    let region = variables.optional("AWS_REGION")?.unwrap_or_default();
    let is_other_partition = region.starts_with("cn-") || region.contains("iso") || region.starts_with("eusc-");
    Ok(if in_lambda && !has_custom_endpoint && !is_other_partition { Roots::Amazon } else { Roots::System })
}

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
    /// Reads the environment variables of the process.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// Reads the settings from a lookup by name. An empty value counts as missing.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let variables = Variables(lookup);
        let signing_algorithm = variables.required("SIGNING_ALGORITHM")?;
        if !["RS256", "ES256", "EdDSA"].contains(&signing_algorithm.as_str()) {
            return Err(ConfigError { variable: "SIGNING_ALGORITHM", fault: "is none of RS256, ES256 and EdDSA" });
        }
        Ok(Self {
            signing_secret_id: variables.required("SIGNING_SECRET_ID")?,
            signing_algorithm,
            key_public_for: variables.required_number("KEY_PUBLIC_FOR")?,
            refresh_token_max_ttl: variables.positive("REFRESH_TOKEN_MAX_TTL", DEFAULT_REFRESH_TOKEN_MAX_TTL)?,
        })
    }
}

/// Typed access to variables by name.
struct Variables<Lookup>(Lookup);

impl<Lookup: Fn(&str) -> Option<OsString>> Variables<Lookup> {
    fn optional(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        match (self.0)(variable).filter(|value| !value.is_empty()).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(ConfigError { variable, fault: "is not UTF-8" }),
        }
    }

    fn required(&self, variable: &'static str) -> Result<String, ConfigError> {
        self.optional(variable)?.ok_or(ConfigError { variable, fault: "is missing" })
    }

    fn number(&self, variable: &'static str, default: u32) -> Result<u32, ConfigError> {
        self.optional(variable)?.map_or(Ok(default), |value| whole(variable, &value))
    }

    fn required_number(&self, variable: &'static str) -> Result<u32, ConfigError> {
        whole(variable, &self.required(variable)?)
    }

    fn positive(&self, variable: &'static str, default: u32) -> Result<u32, ConfigError> {
        match self.number(variable, default)? {
            0 => Err(ConfigError { variable, fault: "must be greater than 0" }),
            value => Ok(value),
        }
    }
}

fn whole(variable: &'static str, value: &str) -> Result<u32, ConfigError> {
    value.parse().map_err(|_| ConfigError { variable, fault: "is not a whole number" })
}

/// Returns true for a valid issuer URL: https, without query and fragment (RFC 8414 section 2). Plain http is for local
/// runs.
fn is_issuer(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return false;
    };
    !rest.is_empty()
        && !rest.starts_with('/')
        && !rest.ends_with('/')
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/@!$&'()*+,;=%[]".contains(&byte))
}
