//! Requests to issuers. Redirects are not followed, and proxies are not used.
//!
//! There is no filter of addresses: the operator chooses the issuers. `https` with a host name reaches neither the runtime
//! API of Lambda nor a metadata service, and issuers in a VPC work.

use std::time::Duration;

use axum::http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use tokio::time::timeout;
use url::{Host, Url};

use crate::aws::chain;

/// The time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// The time for a request, with its connection and its body.
const TIMEOUT: Duration = Duration::from_secs(1);
/// The largest header and the largest body of a response.
const MAX_BYTES: usize = 64 * 1_024;

/// The addresses that are allowed.
#[derive(Clone, Copy)]
pub(super) struct Transport {
    /// True if `http` is allowed on this machine.
    has_loopback: bool,
}

impl Transport {
    /// Builds the transport of the deployment with this issuer.
    pub fn new(own_issuer: &str) -> Self {
        Self { has_loopback: Url::parse(own_issuer).is_ok_and(|url| is_loopback(&url)) }
    }

    /// Prepares the connections of one fetch. They end with it: a connection that was idle while the execution environment
    /// was frozen would only fail.
    pub fn connect(self) -> Result<Connection, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(aws_lc_rs::default_provider());
        let connector = tls.map_err(|error| chain(&error))?.https_or_http().enable_http1().wrap_connector(tcp);
        let mut client = Client::builder(TokioExecutor::new());
        client.http1_max_buf_size(MAX_BYTES);
        Ok(Connection { transport: self, client: client.build(connector) })
    }

    /// Returns true for a URL that may be requested.
    pub fn allows(self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.allows_url(&url))
    }

    /// Returns true for `https` with a host name, and for `http` on this machine if that is allowed.
    fn allows_url(self, url: &Url) -> bool {
        let is_public = url.scheme() == "https" && matches!(url.host(), Some(Host::Domain(_)));
        (is_public || (self.has_loopback && is_loopback(url))) && url.username().is_empty() && url.password().is_none()
    }
}

/// Returns true for `http` on this machine.
fn is_loopback(url: &Url) -> bool {
    let is_this_machine = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && is_this_machine
}

/// The connections of one fetch.
pub(super) struct Connection {
    transport: Transport,
    client: Client<HttpsConnector<HttpConnector>, Empty<&'static [u8]>>,
}

impl Connection {
    /// Gets a document.
    ///
    /// # Errors
    /// The reason, in one line.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let url = Url::parse(url).map_err(|_| "the URL is not valid")?;
        if !self.transport.allows_url(&url) {
            return Err("the URL is not an https URL with a host name".to_owned());
        }
        timeout(TIMEOUT, self.send(&url)).await.map_err(|_| "no response in 1 second".to_owned())?
    }

    async fn send(&self, url: &Url) -> Result<Vec<u8>, String> {
        // Some servers reject requests without a User-Agent.
        let request =
            Request::get(url.as_str()).header("accept", "application/json").header("user-agent", "countersign");
        let request = request.body(Empty::new()).map_err(|_| "the URL is not valid")?;
        let response = self.client.request(request).await.map_err(|error| chain(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("status {}", response.status().as_u16()));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|_| "the body ended early, or is larger than 64 KiB")?;
        Ok(body.to_bytes().to_vec())
    }
}
