//! Connections to AWS: TLS, timeouts, retries; and errors in one line.
//!
//! A function has its region, its credentials and other endpoints in environment variables. For other programs, the SDK finds
//! the settings that they do not set in its usual places.

use std::error::Error;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

mod connection;
mod http;

pub use connection::{Connection, Endpoints};
pub use http::{Response, send};

/// Loads the SDK's settings, with our timeouts and retries.
pub async fn load(settings: ConfigLoader) -> SdkConfig {
    settings.timeout_config(timeouts()).retry_config(retries()).load().await
}

/// Returns timeouts that leave time to respond to the caller. By default the SDK waits for a response without a limit.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(500))
        .operation_attempt_timeout(Duration::from_secs(1))
        .operation_timeout(Duration::from_secs(3))
        .build()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_initial_backoff(Duration::from_millis(50))
}

/// The root certificates that are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The certificates that the machine trusts.
    System,
    /// The certificates of Amazon Trust Services, which issue those of AWS's endpoints. There are five of them; a machine
    /// has more than a hundred, which each cold start would parse.
    Amazon,
    /// Certificates in PEM.
    Pem(String),
}

/// The root certificates of Amazon Trust Services (`amazontrust.com/repository`): all that AWS requires its callers to
/// trust. The first of them expires in 2037.
const AMAZON_TRUST_SERVICES: &str = include_str!("aws/amazon_trust_services.pem");

/// The maximum number of idle connections to a service. After a freeze all of them may be broken. Each costs a call one
/// attempt of a second, and a third one would leave no time for an attempt over a new connection.
const MAX_IDLE_CONNECTIONS: usize = 2;

/// Builds one HTTP client for all services, with aws-lc for TLS. The SDK's default would add a second TLS stack.
///
/// # Errors
/// The reason why the certificates are not valid.
pub fn https(roots: &Roots) -> Result<SharedHttpClient, Box<dyn Error + Send + Sync>> {
    let store = match roots {
        Roots::System => TrustStore::default(),
        Roots::Amazon => TrustStore::empty().with_pem_certificate(AMAZON_TRUST_SERVICES),
        Roots::Pem(text) => TrustStore::empty().with_pem_certificate(text.as_str()),
    };
    let tls = TlsContext::builder().with_trust_store(store).build()?;
    let client = Builder::new().pool_max_idle_per_host(MAX_IDLE_CONNECTIONS);
    Ok(client.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls).build_https())
}

/// Formats an SDK error in one line, for the log. Unlike `Debug`, does not show the response, which may contain
/// secrets.
pub fn cause<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    if let Some(code) = error.code() {
        return format!("{code}: {}", error.message().unwrap_or("no message"));
    }
    chain(error)
}

/// Formats an error and its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        source = inner.source();
    }
    line
}
