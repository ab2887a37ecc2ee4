//! Connections to AWS: TLS, timeouts, retries; and errors in one line.
//!
//! The SDK finds the settings that a caller does not set (region, credentials, `AWS_ENDPOINT_URL`) in its usual places.

use std::error::Error;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

/// The limit of a response body. The responses that are expected here are much shorter.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// Loads the SDK's settings, with timeouts that leave time to respond to the caller. By default the SDK waits for a
/// response without a limit.
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

/// The root certificates that are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The certificates that the machine trusts.
    System,
    /// The certificates of Amazon Trust Services, which issue those of AWS's endpoints. They are five, and a machine
    /// has more than a hundred, which each cold start would parse.
    Amazon,
    /// Certificates in PEM.
    Pem(String),
}

/// The root certificates of Amazon Trust Services (`amazontrust.com/repository`): all that AWS requires its callers to
/// trust. The first of them expires in 2037.
const AMAZON_TRUST_SERVICES: &str = include_str!("aws/amazon_trust_services.pem");

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
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls).build_https())
}

/// The response of a URL.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header `Date`, if there is one.
    pub date: Option<String>,
    /// The header `Age`: seconds that the response spent in caches (RFC 9111 section 5.1).
    pub age: u64,
    /// The body, if it is text.
    pub text: String,
}

/// Sends a request to a URL that the SDK does not know: a presigned URL, or one of the API.
///
/// # Errors
/// The reason why there is no response, in one line.
pub async fn ask(method: &str, url: &str, headers: &[(&'static str, String)], body: String) -> Result<Answer, String> {
    let mut request = Request::new(SdkBody::from(body));
    request.set_method(method).map_err(|error| error.to_string())?;
    request.set_uri(url).map_err(|_| "it is no URL".to_owned())?;
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.clone());
    }
    let settings =
        HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(2)).read_timeout(Duration::from_secs(5));
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .connector_settings(settings.build())
        .build();
    let response = connector.call(request).await.map_err(|error| chain(&error))?;
    let status = response.status().as_u16();
    let date = response.headers().get("date").map(ToOwned::to_owned);
    let age = response.headers().get("age").and_then(|age| age.parse().ok()).unwrap_or_default();
    let mut body = ByteStream::new(response.into_body());
    let mut text = Vec::new();
    while let Some(part) = body.try_next().await.map_err(|error| chain(&error))? {
        text.extend_from_slice(&part);
        if text.len() > MAX_RESPONSE_BYTES {
            return Err("the answer has no end".to_owned());
        }
    }
    Ok(Answer { status, date, age, text: String::from_utf8_lossy(&text).into_owned() })
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
