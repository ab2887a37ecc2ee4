//! The deployment that a command acts on: a CloudFormation stack, or the resources that environment variables name.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use clap::Args;
use countersign::aws;
use countersign::clock::Clock;
use countersign::config::{self, Config, ConfigError, RotationConfig, environment};
use countersign::keys::{KeySet, Keyring, Keys, RotationError, Rotator};
use countersign::password_hash::Hasher;
use countersign::store::Store;
use url::Url;

use crate::error::Error;
use crate::{api, output};

/// The environment variables of the function, and the output or parameter of the stack (`template.yaml`) for each.
const VARIABLES: [(&str, &str); 28] = [
    ("CLIENTS_TABLE", "ClientsTableName"),
    ("USERS_TABLE", "UsersTableName"),
    ("GRANTS_TABLE", "GrantsTableName"),
    ("SIGNING_SECRET_ID", "SigningSecretArn"),
    ("ISSUER", "Issuer"),
    ("MTLS_DOMAIN", "MtlsDomainName"),
    ("USER_TOKEN_TTL", "UserTokenTtl"),
    ("SERVICE_TOKEN_TTL", "ServiceTokenTtl"),
    ("REFRESH_TOKEN_IDLE_TTL", "RefreshTokenIdleTtl"),
    ("REFRESH_TOKEN_MAX_TTL", "RefreshTokenMaxTtl"),
    ("REFRESH_GRACE", "RefreshGrace"),
    ("KEYS_MAX_AGE", "KeysMaxAge"),
    ("ARGON2_MEMORY_KIB", "Argon2MemoryKib"),
    ("ARGON2_ITERATIONS", "Argon2Iterations"),
    ("ARGON2_PARALLELISM", "Argon2Parallelism"),
    ("FREE_ATTEMPTS", "FreeAttempts"),
    ("MAX_ATTEMPT_DELAY", "MaxAttemptDelay"),
    ("LOGIN_PAGES", "LoginPages"),
    ("SESSION_IDLE_TTL", "SessionIdleTtl"),
    ("SESSION_MAX_TTL", "SessionMaxTtl"),
    ("BRAND_NAME", "BrandName"),
    ("BRAND_LOGO_URL", "BrandLogoUrl"),
    ("BRAND_COLOR", "BrandColor"),
    ("SUPPORT_URL", "SupportUrl"),
    ("PRIVACY_URL", "PrivacyUrl"),
    ("TERMS_URL", "TermsUrl"),
    ("SIGNING_ALGORITHM", "SigningAlgorithm"),
    ("KEY_PUBLIC_FOR", "KeyPublicFor"),
];

/// One day in seconds.
pub const DAY: u64 = 24 * 60 * 60;

/// The options that select the deployment.
#[derive(Args)]
#[command(next_help_heading = "Deployment")]
pub struct Target {
    /// The CloudFormation stack of the deployment
    #[arg(long, global = true, env = "COUNTERSIGN_STACK", value_name = "NAME")]
    stack: Option<String>,
    /// The AWS region, if it is not the default of the configuration
    #[arg(long, global = true)]
    region: Option<String>,
    /// The profile of the AWS configuration
    #[arg(long, global = true)]
    profile: Option<String>,
    /// The URL of the API, if it is not the issuer; http only for a loopback host
    #[arg(long, global = true, env = "COUNTERSIGN_URL", value_parser = url)]
    url: Option<String>,
}

/// Checks the value of `--url` or `COUNTERSIGN_URL`. An empty variable counts as absent.
fn url(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { api::check_url(text) }
}

/// A deployment.
pub struct Deployment {
    /// The settings of the AWS clients.
    pub sdk: SdkConfig,
    /// The settings of the API.
    pub config: Config,
    /// The settings of the rotation, if they are known.
    pub rotation_config: Result<RotationConfig, ConfigError>,
    /// The tables.
    pub store: Store,
    /// The URL of the API, without a slash at its end.
    pub url: String,
    /// The stack, if `--stack` was given.
    pub stack: Option<Stack>,
}

/// A stack, as CloudFormation describes it.
pub struct Stack {
    pub name: String,
    pub status: String,
    /// Parameters and outputs.
    values: HashMap<String, String>,
}

impl Stack {
    /// Returns the settings of the functions.
    fn configs(&self) -> Result<(Config, RotationConfig), Error> {
        let lookup = |variable: &str| -> Option<OsString> {
            let (_, name) = VARIABLES.iter().find(|(known, _)| *known == variable)?;
            self.value(name).map(Into::into)
        };
        let not_countersign = |_| {
            Error::new(format!(
                "the stack {} is not a countersign deployment: outputs are missing; check --stack",
                self.name
            ))
        };
        Ok((
            Config::from_variables(lookup).map_err(not_countersign)?,
            RotationConfig::from_variables(lookup).map_err(not_countersign)?,
        ))
    }

    /// Returns the value of an output or a parameter.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

impl Target {
    /// Returns the URL of the API that was named, without a slash at its end.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| !url.is_empty())
    }

    /// Finds the deployment.
    ///
    /// # Errors
    /// The error if no deployment was named, or if it was not found.
    pub async fn find(&self) -> Result<Deployment, Error> {
        let (sdk, stack, config, rotation_config) = match self.stack.as_ref().filter(|name| !name.is_empty()) {
            None => {
                let unnamed = |error| Error::new(format!("no deployment is named ({error}); add --stack NAME"));
                let config = Config::from_variables(environment).map_err(unnamed)?;
                // The rotation function has other environment variables.
                (self.sdk().await?, None, config, RotationConfig::from_variables(environment))
            }
            Some(name) => {
                let sdk = self.sdk().await?;
                let stack = describe(&sdk, name).await?;
                let (config, rotation_config) = stack.configs()?;
                (sdk, Some(stack), config, Ok(rotation_config))
            }
        };
        let url = self.url().map_or_else(|| config.issuer.clone(), ToOwned::to_owned);
        Ok(Deployment { store: Store::new(&sdk, &config.tables), sdk, config, rotation_config, url, stack })
    }

    /// Returns the settings of the AWS clients, also without a deployment.
    ///
    /// # Errors
    /// The error if there is no region.
    pub async fn sdk(&self) -> Result<SdkConfig, Error> {
        let https = config::roots(environment).map_err(Error::from)?;
        let https = aws::https(&https).map_err(|error| Error::new(error.to_string()))?;
        let mut settings = aws_config::defaults(BehaviorVersion::latest())
            .http_client(https.clone())
            // Operators connect from further away than the function does.
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(3))
                    .operation_attempt_timeout(Duration::from_secs(15))
                    .operation_timeout(Duration::from_mins(1))
                    .build(),
            )
            .retry_config(
                RetryConfig::standard().with_max_attempts(5).with_initial_backoff(Duration::from_millis(200)),
            );
        if let Some(region) = &self.region {
            settings = settings.region(Region::new(region.clone()));
        }
        let Some(profile) = &self.profile else {
            return with_region(settings.load().await);
        };
        let sdk = with_region(settings.profile_name(profile).load().await)?;
        // Without this, credentials in environment variables would take precedence over the profile.
        let provider = ProviderConfig::without_region().with_region(sdk.region().cloned()).with_http_client(https);
        let provider = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(profile).build();
        Ok(sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build())
    }
}

fn with_region(sdk: SdkConfig) -> Result<SdkConfig, Error> {
    match sdk.region() {
        Some(_) => Ok(sdk),
        None => Err(Error::new("no AWS region is set; add --region, or set AWS_REGION")),
    }
}

async fn describe(sdk: &SdkConfig, name: &str) -> Result<Stack, Error> {
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let unknown = || Error::new(format!("stack {name} not found in {region}; check --region, --profile and the name"));
    let request = aws_sdk_cloudformation::Client::new(sdk).describe_stacks().stack_name(name);
    let output = request.send().await.map_err(|error| {
        let cause = aws::cause(&error);
        if cause.starts_with("ValidationError") { unknown() } else { Error::aws(&format!("DescribeStacks: {cause}")) }
    })?;
    let stack = output.stacks.unwrap_or_default().into_iter().next().ok_or_else(unknown)?;
    let status = stack.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default();
    let parameters = stack.parameters.unwrap_or_default().into_iter();
    let parameters = parameters.filter_map(|one| Some((one.parameter_key?, one.parameter_value?)));
    let outputs = stack.outputs.unwrap_or_default().into_iter();
    let outputs = outputs.filter_map(|one| Some((one.output_key?, one.output_value?)));
    // Issuer is a parameter and an output; the output takes precedence.
    Ok(Stack { name: name.to_owned(), status, values: parameters.chain(outputs).collect() })
}

impl Deployment {
    /// Prints the deployment that the command is about to change.
    ///
    /// # Errors
    /// The error if AWS does not accept the credentials.
    pub async fn announce(&self) -> Result<(), Error> {
        let identity = aws_sdk_sts::Client::new(&self.sdk).get_caller_identity().send().await;
        let identity = identity.map_err(|error| Error::aws(&format!("GetCallerIdentity: {}", aws::cause(&error))))?;
        let account = identity.account().unwrap_or("unknown").to_owned();
        let region = self.sdk.region().map(ToString::to_string).unwrap_or_default();
        let Config { tables, keys, .. } = &self.config;
        let target = self.stack.as_ref().map_or_else(
            || format!("the tables {} and {} and the secret {}", tables.clients, tables.users, keys.secret_id),
            |stack| format!("the stack {}", stack.name),
        );
        output::remark(&format!("changing {target} in account {account}, {region}"));
        Ok(())
    }

    /// Returns true if AWS is emulated on this machine: one endpoint for all services, with a loopback host.
    pub fn is_emulated(&self) -> bool {
        let endpoint = self.sdk.endpoint_url().and_then(|endpoint| Url::parse(endpoint).ok());
        endpoint.is_some_and(|endpoint| api::is_loopback(&endpoint))
    }

    /// Returns the hasher with the deployment's parameters.
    ///
    /// # Errors
    /// The error if the parameters are not valid.
    pub fn hasher(&self) -> Result<Hasher, Error> {
        Ok(Hasher::new(self.config.argon2)?)
    }

    /// Reads the signing keys.
    ///
    /// # Errors
    /// The error if the secret cannot be read, or is not valid.
    pub async fn keys(&self) -> Result<Keys, RotationError> {
        Keys::read(&self.sdk, &self.config.keys.secret_id, Clock::System.now()).await
    }

    /// Reads the keys as the function uses them.
    ///
    /// # Errors
    /// The error if the secret cannot be read, or is not valid.
    pub async fn key_set(&self) -> Result<Arc<KeySet>, RotationError> {
        let keys = &self.config.keys;
        Ok(Keyring::new(&self.sdk, keys.secret_id.clone(), Clock::System, keys.max_age).load().await?)
    }

    /// Returns the rotator, with the settings of the rotation function.
    ///
    /// # Errors
    /// The error if the settings are not known.
    pub fn rotation(&self) -> Result<Rotator, Error> {
        let unknown = |error| Error::new(format!("the rotation settings are not known ({error}); add --stack NAME"));
        let config = self.rotation_config.as_ref().map_err(unknown)?;
        Ok(Rotator::new(&self.sdk, config.signing_secret_id.clone(), config.policy, Clock::System))
    }

    /// Returns the seconds that a key signs before it is rotated, if the stack sets them. They are at least
    /// `KEY_PUBLIC_FOR`, because the next key must be public for this time before it signs.
    pub fn signs_for(&self) -> Option<u64> {
        let days: u64 = self.stack.as_ref()?.value("RotationDays")?.parse().ok()?;
        let public_for = self.rotation_config.as_ref().ok()?.policy.public_for;
        Some((days * DAY).max(public_for.into()))
    }
}
