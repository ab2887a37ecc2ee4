//! The deployment's settings: the only reader of the environment.

use std::ffi::OsString;
use std::fmt;

/// The environment of the function. `template.yaml` sets it.
#[derive(Clone, Debug)]
pub struct Config {
    /// `CLIENTS_TABLE`: the table of clients.
    pub clients_table: String,
    /// `USERS_TABLE`: the table of users.
    pub users_table: String,
    /// `GRANTS_TABLE`: the table of short-lived state.
    pub grants_table: String,
    /// `SIGNING_SECRET_ID`: name or ARN of the secret that holds the signing key.
    pub signing_secret_id: String,
    /// `ISSUER`: the issuer URL (RFC 8414 section 2), without a slash at its end.
    pub issuer: String,
    /// `USER_TOKEN_TTL`: seconds that a user's access token lives.
    pub user_token_ttl: u32,
    /// `SERVICE_TOKEN_TTL`: seconds that a service's access token lives.
    pub service_token_ttl: u32,
    /// `REFRESH_TOKEN_IDLE_TTL`: seconds that a refresh token lives unused.
    pub refresh_token_idle_ttl: u32,
    /// `REFRESH_TOKEN_MAX_TTL`: seconds after its login at which a refresh family ends, however often it is used.
    pub refresh_token_max_ttl: u32,
    /// `REFRESH_GRACE`: seconds in which a used refresh token is answered with the same successor again; 0 is never.
    pub refresh_grace: u32,
    /// `ARGON2_MEMORY_KIB`: memory of a new password hash, in KiB.
    pub argon2_memory_kib: u32,
    /// `ARGON2_ITERATIONS`: passes of a new password hash.
    pub argon2_iterations: u32,
    /// `ARGON2_PARALLELISM`: lanes of a new password hash.
    pub argon2_parallelism: u32,
}

/// A variable of the environment that is missing or cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it. Its value is not told: people put secrets into the wrong variable.
    pub fault: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "environment variable {} {}", self.variable, self.fault)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the environment of the process.
    ///
    /// # Errors
    /// The first variable that is missing or cannot be used.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// Whether this process runs as a Lambda function. What serves the function would only panic otherwise.
    ///
    /// # Errors
    /// The variable that Lambda sets and nobody else.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn require_lambda() -> Result<(), ConfigError> {
        let fault = "is missing: this program is a Lambda function; `cargo run --example local` runs without Lambda";
        match std::env::var_os("AWS_LAMBDA_RUNTIME_API") {
            Some(_) => Ok(()),
            None => Err(ConfigError { variable: "AWS_LAMBDA_RUNTIME_API", fault }),
        }
    }

    /// Reads the settings from a lookup by name. An empty value counts as a missing one.
    ///
    /// # Errors
    /// The first variable that is missing or cannot be used.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let optional = |variable| match lookup(variable).filter(|value| !value.is_empty()).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(ConfigError { variable, fault: "is not UTF-8" }),
        };
        let required = |variable| optional(variable)?.ok_or(ConfigError { variable, fault: "is missing" });
        let number = |variable, default| match optional(variable)? {
            None => Ok(default),
            Some(value) => value.parse::<u32>().map_err(|_| ConfigError { variable, fault: "is not a whole number" }),
        };
        let positive = |variable, default| match number(variable, default)? {
            0 => Err(ConfigError { variable, fault: "must be greater than 0" }),
            value => Ok(value),
        };
        let issuer = required("ISSUER")?;
        if !is_issuer(&issuer) {
            return Err(ConfigError {
                variable: "ISSUER",
                fault: "is not an http(s) URL without query, fragment and slash at its end",
            });
        }
        Ok(Self {
            clients_table: required("CLIENTS_TABLE")?,
            users_table: required("USERS_TABLE")?,
            grants_table: required("GRANTS_TABLE")?,
            signing_secret_id: required("SIGNING_SECRET_ID")?,
            issuer,
            user_token_ttl: positive("USER_TOKEN_TTL", 3_600)?,
            service_token_ttl: positive("SERVICE_TOKEN_TTL", 43_200)?,
            refresh_token_idle_ttl: positive("REFRESH_TOKEN_IDLE_TTL", 2_592_000)?,
            refresh_token_max_ttl: positive("REFRESH_TOKEN_MAX_TTL", 7_776_000)?,
            refresh_grace: number("REFRESH_GRACE", 10)?,
            argon2_memory_kib: positive("ARGON2_MEMORY_KIB", 19_456)?,
            argon2_iterations: positive("ARGON2_ITERATIONS", 2)?,
            argon2_parallelism: positive("ARGON2_PARALLELISM", 1)?,
        })
    }
}

/// RFC 8414 section 2: an https URL without query and fragment. Plain http is for a run on one's own machine.
fn is_issuer(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return false;
    };
    !rest.is_empty()
        && !rest.starts_with('/')
        && !rest.ends_with('/')
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'\\'))
}
