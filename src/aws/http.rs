//! Requests to URLs that the SDK does not know: presigned URLs, and the API of the deployment.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::chain;

/// The limit of a response body. Expected responses are much shorter.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// An HTTP response.
pub struct Response {
    /// The status.
    pub status: u16,
    /// The header `Date`, if there is one.
    pub date: Option<String>,
    /// The header `Age`: seconds that the response spent in caches (RFC 9111 section 5.1).
    pub age: u64,
    /// The body, as text.
    pub text: String,
}

/// Sends a request. Waits at most 2 seconds for the connection and 5 seconds for the response.
///
/// # Errors
/// The reason why there is no response, in one line.
pub async fn send(
    method: &str,
    url: &str,
    headers: &[(&'static str, String)],
    body: String,
) -> Result<Response, String> {
    let mut request = Request::new(SdkBody::from(body));
    request.set_method(method).map_err(|error| error.to_string())?;
    request.set_uri(url).map_err(|_| "the URL is not valid".to_owned())?;
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
            return Err("the response is longer than 1 MiB".to_owned());
        }
    }
    Ok(Response { status, date, age, text: String::from_utf8_lossy(&text).into_owned() })
}
