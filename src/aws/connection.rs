//! The connection of a function to AWS.

use std::error::Error;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::{Roots, https, retries, timeouts};

/// The settings of a function's connection to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// `AWS_REGION`.
    pub region: String,
    /// The endpoints that are not those of the region.
    pub endpoints: Endpoints,
    /// `AWS_USE_FIPS_ENDPOINT`.
    pub use_fips: bool,
    /// `AWS_USE_DUALSTACK_ENDPOINT`.
    pub use_dual_stack: bool,
    /// The root certificates.
    pub roots: Roots,
}

/// The URLs of endpoints. An absent one is that of the region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// `AWS_ENDPOINT_URL`: of each service that does not have its own.
    pub all: Option<String>,
    /// `AWS_ENDPOINT_URL_DYNAMODB`.
    pub dynamodb: Option<String>,
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
    pub secrets_manager: Option<String>,
}

impl Connection {
    /// Returns the SDK's settings, with our timeouts and retries. Credentials come from the environment variables that Lambda
    /// sets. The SDK's own search would also try files and services that a function does not have, which costs time at each
    /// start, and adds a client of another service to the binary.
    ///
    /// # Errors
    /// The reason why the certificates are not valid.
    pub fn sdk(self) -> Result<SdkConfig, Box<dyn Error + Send + Sync>> {
        let mut settings = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region))
            .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
            .http_client(https(&self.roots)?)
            .timeout_config(timeouts())
            .retry_config(retries())
            .use_fips(self.use_fips)
            .use_dual_stack(self.use_dual_stack);
        settings.set_endpoint_url(self.endpoints.all.clone());
        Ok(settings.service_config(self.endpoints).build())
    }
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        match (key.env(), key.service_id()) {
            ("AWS_ENDPOINT_URL", "DynamoDB") => self.dynamodb.clone(),
            ("AWS_ENDPOINT_URL", "Secrets Manager") => self.secrets_manager.clone(),
            _ => None,
        }
    }
}
