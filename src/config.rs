//! The settings of a deployment, in groups. Only this module reads environment variables.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;

use crate::password_hash::Argon2Params;
use crate::throttle::Budget;

mod connection;
mod keys;
mod lifetimes;
mod limits;
mod pages;
mod roots;
mod rotation;
mod tables;
mod throttle;

pub use connection::connection;
pub use keys::KeySettings;
pub use lifetimes::Lifetimes;
pub use limits::Limits;
pub use pages::{Color, Pages};
pub use roots::roots;
pub use rotation::RotationConfig;
pub use tables::Tables;

/// The settings of the API's function. `template.yaml` sets the environment variables.
#[derive(Clone, Debug)]
pub struct Config {
    /// `ISSUER`: the issuer URL (RFC 8414 section 2), without a trailing slash.
    pub issuer: String,
    /// `MTLS_DOMAIN`: the domain at which the gateway requires a certificate of every caller (RFC 8705). Without it, no
    /// certificate is read.
    pub mtls_domain: Option<String>,
    /// The tables.
    pub tables: Tables,
    /// The signing keys.
    pub keys: KeySettings,
    /// The lifetimes of tokens.
    pub lifetimes: Lifetimes,
    /// `ARGON2_MEMORY_KIB`, `ARGON2_ITERATIONS`, `ARGON2_PARALLELISM`: the parameters of new password hashes.
    pub argon2: Argon2Params,
    /// `FREE_ATTEMPTS`, `MAX_ATTEMPT_DELAY`: the budget of guesses.
    pub throttle: Budget,
    /// The login pages. Without them, there is no authorization code.
    pub pages: Option<Pages>,
    /// The number of requests that this process serves simultaneously. Lambda sets `AWS_LAMBDA_MAX_CONCURRENCY`; by
    /// default, an execution environment serves one request at a time.
    pub max_concurrency: u32,
    /// The limits of the duration of a request. No variable sets them.
    pub limits: Limits,
}

/// An environment variable that is missing or not valid.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The name of the variable.
    pub variable: &'static str,
    /// The problem. Does not quote the value, because it may be a secret in the wrong variable.
    pub problem: Cow<'static, str>,
}

impl ConfigError {
    /// Creates the error of a variable.
    pub(crate) const fn new(variable: &'static str, problem: &'static str) -> Self {
        Self { variable, problem: Cow::Borrowed(problem) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "environment variable {} {}", self.variable, self.problem)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the settings from a lookup by name: [`environment`] in a process. An empty value counts as missing.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let variables = Variables(&lookup);
        let argon2 = Argon2Params::default();
        let issuer = issuer(&variables)?;
        Ok(Self {
            pages: Pages::read(&variables, &issuer)?,
            issuer,
            mtls_domain: mtls_domain(&variables)?,
            tables: Tables::read(&variables)?,
            keys: KeySettings::read(&variables)?,
            lifetimes: Lifetimes::read(&variables)?,
            argon2: Argon2Params {
                memory_kib: variables.positive("ARGON2_MEMORY_KIB", argon2.memory_kib)?,
                iterations: variables.positive("ARGON2_ITERATIONS", argon2.iterations)?,
                parallelism: variables.positive("ARGON2_PARALLELISM", argon2.parallelism)?,
            },
            throttle: throttle::budget(&variables)?,
            max_concurrency: variables.positive("AWS_LAMBDA_MAX_CONCURRENCY", 1)?,
            limits: Limits::default(),
        })
    }

    /// Checks that this process runs as a Lambda function. Otherwise the runtime would panic.
    ///
    /// # Errors
    /// [`ConfigError`] if the variable that Lambda sets is missing.
    pub fn require_lambda() -> Result<(), ConfigError> {
        let problem = "is missing: this program is a Lambda function; `cargo run --example local` runs without Lambda";
        match environment("AWS_LAMBDA_RUNTIME_API") {
            Some(_) => Ok(()),
            None => Err(ConfigError::new("AWS_LAMBDA_RUNTIME_API", problem)),
        }
    }
}

/// Reads the issuer: https, without query and fragment (RFC 8414 section 2). Plain http is for local runs.
fn issuer(variables: &Variables<'_>) -> Result<String, ConfigError> {
    let issuer = variables.required("ISSUER")?;
    let rest = issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://")).unwrap_or_default();
    let is_valid = !rest.is_empty()
        && !rest.starts_with('/')
        && !rest.ends_with('/')
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/@!$&'()*+,;=%[]".contains(&byte));
    let problem = "must be an http(s) URL without a query, a fragment and a trailing slash";
    if is_valid { Ok(issuer) } else { Err(ConfigError::new("ISSUER", problem)) }
}

/// Reads the domain that requires certificates.
fn mtls_domain(variables: &Variables<'_>) -> Result<Option<String>, ConfigError> {
    let domain = variables.optional("MTLS_DOMAIN")?;
    let is_domain = |domain: &String| {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        domain.bytes().all(is_allowed)
    };
    let problem = "must be a domain name in lower case";
    if domain.as_ref().is_none_or(is_domain) { Ok(domain) } else { Err(ConfigError::new("MTLS_DOMAIN", problem)) }
}

/// Returns an environment variable of the process. The functions that read settings take this lookup.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn environment(variable: &str) -> Option<OsString> {
    std::env::var_os(variable)
}

/// Typed access to variables by name.
struct Variables<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl Variables<'_> {
    fn optional(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        match (self.0)(variable).filter(|value| !value.is_empty()).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(ConfigError::new(variable, "is not UTF-8")),
        }
    }

    fn required(&self, variable: &'static str) -> Result<String, ConfigError> {
        self.optional(variable)?.ok_or(ConfigError::new(variable, "is missing"))
    }

    fn number(&self, variable: &'static str, default: u32) -> Result<u32, ConfigError> {
        self.optional(variable)?.map_or(Ok(default), |value| whole_number(variable, &value))
    }

    fn required_number(&self, variable: &'static str) -> Result<u32, ConfigError> {
        whole_number(variable, &self.required(variable)?)
    }

    fn positive(&self, variable: &'static str, default: u32) -> Result<u32, ConfigError> {
        match self.number(variable, default)? {
            0 => Err(ConfigError::new(variable, "must be greater than 0")),
            value => Ok(value),
        }
    }
}

fn whole_number(variable: &'static str, value: &str) -> Result<u32, ConfigError> {
    value.parse().map_err(|_| ConfigError::new(variable, "is not a whole number"))
}
