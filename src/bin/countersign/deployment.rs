//! Which deployment a command is about: a stack of CloudFormation, or what the function's environment names.

use std::collections::HashMap;
use std::ffi::OsString;
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
use countersign::config::{self, Config, ConfigError, RotationConfig};
use countersign::keys::{Keys, RotationError, RotationPolicy, Rotator};
use countersign::password_hash::Hasher;
use countersign::store::Store;

use crate::fault::Fault;
use crate::{api, output};

/// Which variable of a function's environment is which output or parameter of the stack, as `template.yaml` has it.
const VARIABLES: [(&str, &str); 16] = [
    ("CLIENTS_TABLE", "ClientsTableName"),
    ("USERS_TABLE", "UsersTableName"),
    ("GRANTS_TABLE", "GrantsTableName"),
    ("SIGNING_SECRET_ID", "SigningSecretArn"),
    ("ISSUER", "Issuer"),
    ("USER_TOKEN_TTL", "UserTokenTtl"),
    ("SERVICE_TOKEN_TTL", "ServiceTokenTtl"),
    ("REFRESH_TOKEN_IDLE_TTL", "RefreshTokenIdleTtl"),
    ("REFRESH_TOKEN_MAX_TTL", "RefreshTokenMaxTtl"),
    ("REFRESH_GRACE", "RefreshGrace"),
    ("KEYS_MAX_AGE", "KeysMaxAge"),
    ("ARGON2_MEMORY_KIB", "Argon2MemoryKib"),
    ("ARGON2_ITERATIONS", "Argon2Iterations"),
    ("ARGON2_PARALLELISM", "Argon2Parallelism"),
    ("SIGNING_ALGORITHM", "SigningAlgorithm"),
    ("KEY_PUBLIC_FOR", "KeyPublicFor"),
];

/// Seconds.
pub const DAY: u64 = 24 * 60 * 60;

/// How a command line names its deployment.
#[derive(Args)]
#[command(next_help_heading = "Deployment")]
pub struct Target {
    /// The CloudFormation stack of the deployment
    #[arg(long, global = true, env = "COUNTERSIGN_STACK", value_name = "NAME")]
    stack: Option<String>,
    /// The AWS region, if not the usual one
    #[arg(long, global = true)]
    region: Option<String>,
    /// The profile of the AWS configuration to use
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

/// A deployment that was found.
pub struct Deployment {
    /// How to talk to AWS.
    pub sdk: SdkConfig,
    /// The settings of the API.
    pub config: Config,
    /// The settings of the rotation, if they are known.
    pub rotation_config: Result<RotationConfig, ConfigError>,
    /// Its tables.
    pub store: Store,
    /// Where the API answers, without a slash at its end.
    pub url: String,
    /// The stack, if it was named: its name, its status, and how many days a key signs.
    pub stack: Option<Stack>,
}

/// What CloudFormation says of the stack.
pub struct Stack {
    pub name: String,
    pub status: String,
    /// Parameters and outputs.
    values: HashMap<String, String>,
}

impl Stack {
    /// The settings of its functions.
    fn configs(&self) -> Result<(Config, RotationConfig), Fault> {
        let lookup = |variable: &str| -> Option<OsString> {
            let (_, name) = VARIABLES.iter().find(|(known, _)| *known == variable)?;
            self.value(name).map(Into::into)
        };
        let foreign =
            |_| Fault::new(format!("the stack {} is no deployment of countersign: outputs are missing", self.name));
        Ok((Config::from_variables(lookup).map_err(foreign)?, RotationConfig::from_variables(lookup).map_err(foreign)?))
    }

    /// The value of an output or a parameter.
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
    /// That none was named, or the one that was is not there.
    pub async fn find(&self) -> Result<Deployment, Fault> {
        let (sdk, stack, config, rotation_config) = match self.stack.as_ref().filter(|name| !name.is_empty()) {
            None => {
                let unnamed = |error| Fault::new(format!("no deployment is named ({error}); say --stack NAME"));
                let config = Config::from_env().map_err(unnamed)?;
                // What rotates has an environment of its own.
                (self.sdk().await?, None, config, RotationConfig::from_env())
            }
            Some(name) => {
                let sdk = self.sdk().await?;
                let stack = describe(&sdk, name).await?;
                let (config, rotation_config) = stack.configs()?;
                (sdk, Some(stack), config, Ok(rotation_config))
            }
        };
        let url = self.url().map_or_else(|| config.issuer.clone(), ToOwned::to_owned);
        Ok(Deployment { store: Store::new(&sdk, &config), sdk, config, rotation_config, url, stack })
    }

    async fn sdk(&self) -> Result<SdkConfig, Fault> {
        let https = config::roots().map_err(Fault::from)?;
        let https = aws::https(&https).map_err(|error| Fault::new(error.to_string()))?;
        let mut settings = aws_config::defaults(BehaviorVersion::latest())
            .http_client(https.clone())
            // People wait, and from further away than the function does.
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
        // Credentials of the environment would come first, and may be another account's.
        let provider = ProviderConfig::without_region().with_region(sdk.region().cloned()).with_http_client(https);
        let provider = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(profile).build();
        Ok(sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build())
    }
}

fn with_region(sdk: SdkConfig) -> Result<SdkConfig, Fault> {
    match sdk.region() {
        Some(_) => Ok(sdk),
        None => Err(Fault::new("no AWS region is set; say --region, or set AWS_REGION")),
    }
}

async fn describe(sdk: &SdkConfig, name: &str) -> Result<Stack, Fault> {
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let unknown =
        || Fault::new(format!("there is no stack {name} in {region}; is it another --region, --profile or name?"));
    let request = aws_sdk_cloudformation::Client::new(sdk).describe_stacks().stack_name(name);
    let output = request.send().await.map_err(|error| {
        let cause = aws::cause(&error);
        if cause.starts_with("ValidationError") { unknown() } else { Fault::aws(&format!("DescribeStacks: {cause}")) }
    })?;
    let stack = output.stacks.unwrap_or_default().into_iter().next().ok_or_else(unknown)?;
    let status = stack.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default();
    let parameters = stack.parameters.unwrap_or_default().into_iter();
    let parameters = parameters.filter_map(|one| Some((one.parameter_key?, one.parameter_value?)));
    let outputs = stack.outputs.unwrap_or_default().into_iter();
    let outputs = outputs.filter_map(|one| Some((one.output_key?, one.output_value?)));
    // Issuer is both, and what counts is the output.
    Ok(Stack { name: name.to_owned(), status, values: parameters.chain(outputs).collect() })
}

impl Deployment {
    /// Says on which deployment the next command acts.
    ///
    /// # Errors
    /// That AWS does not know who asks.
    pub async fn announce(&self) -> Result<(), Fault> {
        let identity = aws_sdk_sts::Client::new(&self.sdk).get_caller_identity().send().await;
        let identity = identity.map_err(|error| Fault::aws(&format!("GetCallerIdentity: {}", aws::cause(&error))))?;
        let account = identity.account().unwrap_or("unknown").to_owned();
        let region = self.sdk.region().map(ToString::to_string).unwrap_or_default();
        let Config { clients_table, users_table, signing_secret_id, .. } = &self.config;
        let what = self.stack.as_ref().map_or_else(
            || format!("the tables {clients_table} and {users_table} and the secret {signing_secret_id}"),
            |stack| format!("the stack {}", stack.name),
        );
        output::remark(&format!("changing {what} in account {account}, {region}"));
        Ok(())
    }

    /// What makes and verifies hashes, with the deployment's parameters.
    ///
    /// # Errors
    /// That the parameters are none.
    pub fn hasher(&self) -> Result<Hasher, Fault> {
        let config = &self.config;
        Ok(Hasher::new(config.argon2_memory_kib, config.argon2_iterations, config.argon2_parallelism)?)
    }

    /// The keys as they are.
    ///
    /// # Errors
    /// That they cannot be read or used.
    pub async fn keys(&self) -> Result<Keys, RotationError> {
        Keys::read(&self.sdk, &self.config.signing_secret_id, Clock::System.now()).await
    }

    /// What rotates the deployment's keys: the same that the function runs, with the same settings.
    ///
    /// # Errors
    /// That the settings are not known, or the algorithm is none.
    pub fn rotation(&self) -> Result<Rotator, Fault> {
        let unknown =
            |error| Fault::new(format!("how this deployment rotates is not known ({error}); say --stack NAME"));
        let config = self.rotation_config.as_ref().map_err(unknown)?;
        let algorithm = config.signing_algorithm.parse().map_err(|_| Fault::new("the signing algorithm is none"))?;
        let policy = RotationPolicy {
            algorithm,
            public_for: config.key_public_for,
            refresh_token_max_ttl: config.refresh_token_max_ttl,
        };
        Ok(Rotator::new(&self.sdk, config.signing_secret_id.clone(), policy, Clock::System))
    }

    /// Seconds that a key signs before the next one takes its turn, if that is known: it must have been public, too.
    pub fn signs_for(&self) -> Option<u64> {
        let days: u64 = self.stack.as_ref()?.value("RotationDays")?.parse().ok()?;
        let public_for = self.rotation_config.as_ref().ok()?.key_public_for;
        Some((days * DAY).max(public_for.into()))
    }
}
