//! How we talk to AWS: TLS, timeouts, retries; and what its errors say in one line.
//!
//! What a caller does not set (region, credentials, `AWS_ENDPOINT_URL`) the SDK finds as everywhere.

use std::error::Error;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;

/// Loads the SDK's settings, with timeouts that leave a caller its answer: by default the SDK waits for one for ever.
pub async fn load(settings: ConfigLoader) -> SdkConfig {
    settings
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_millis(500))
                .operation_attempt_timeout(Duration::from_secs(1))
                .operation_timeout(Duration::from_secs(3))
                .build(),
        )
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(50)))
        .load()
        .await
}

/// One HTTP client for all services, with aws-lc for TLS: the SDK's own default brings a second stack along.
pub fn https() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https()
}

/// Puts a text where a URL that was signed beforehand says: how a custom resource answers CloudFormation.
///
/// # Errors
/// What went wrong, in one line.
pub async fn put(url: &str, text: String) -> Result<(), String> {
    let mut request = Request::new(SdkBody::from(text));
    request.set_method("PUT").map_err(|error| error.to_string())?;
    request.set_uri(url).map_err(|error| error.to_string())?;
    let settings =
        HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(2)).read_timeout(Duration::from_secs(5));
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .connector_settings(settings.build())
        .build();
    let answer = connector.call(request).await.map_err(|error| error.to_string())?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("status {}", answer.status().as_u16())) }
}

/// An SDK error in one line, for the log. Leaves out what `Debug` would show: the whole answer, secrets and all.
pub(crate) fn cause<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    if let Some(code) = error.code() {
        return format!("{code}: {}", error.message().unwrap_or("no message"));
    }
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        source = inner.source();
    }
    line
}
