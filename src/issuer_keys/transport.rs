//! Requests to issuers. Redirects are not followed, and proxies are not used.
//!
//! There is no filter of addresses: the operator chooses the issuers. `https` with a host name reaches neither the runtime
//! API of Lambda nor a metadata service, and issuers in a VPC work.

use std::time::Duration;

use axum::http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::aws_lc_rs;
use tokio::time::timeout;
use tower::ServiceExt;
use url::{Host, Origin, Position, Url};

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
    /// was frozen would only fail. hyper's client with a pool would add its code for HTTP/2 to the binary once more.
    pub fn connect(self) -> Result<Connection, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(aws_lc_rs::default_provider());
        let connector = tls.map_err(|error| chain(&error))?.https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Connection { transport: self, connector, open: None })
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

/// The connections of one fetch, one at a time.
pub(super) struct Connection {
    transport: Transport,
    connector: HttpsConnector<HttpConnector>,
    /// The connection of the last request, and the origin to which it leads.
    open: Option<(Origin, SendRequest<NoBody>)>,
}

/// The body of each request.
type NoBody = Empty<&'static [u8]>;

impl Connection {
    /// Gets a document.
    ///
    /// # Errors
    /// The reason, in one line.
    pub async fn get(&mut self, url: &str) -> Result<Vec<u8>, String> {
        let url = Url::parse(url).map_err(|_| "the URL is not valid")?;
        if !self.transport.allows_url(&url) {
            return Err("the URL is not an https URL with a host name".to_owned());
        }
        timeout(TIMEOUT, self.send(&url)).await.map_err(|_| "no response in 1 second".to_owned())?
    }

    async fn send(&mut self, url: &Url) -> Result<Vec<u8>, String> {
        // Some servers reject requests without a User-Agent.
        let request = Request::get(&url[Position::BeforePath..Position::AfterQuery])
            .header("host", &url[Position::BeforeHost..Position::AfterPort])
            .header("accept", "application/json")
            .header("user-agent", "countersign");
        let request = request.body(NoBody::new()).map_err(|_| "the URL is not valid")?;
        let mut connection = self.connection_to(url).await?;
        let response = connection.send_request(request).await.map_err(|error| chain(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("status {}", response.status().as_u16()));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|_| "the body ended early, or is larger than 64 KiB")?;
        self.open = Some((url.origin(), connection));
        Ok(body.to_bytes().to_vec())
    }

    /// Returns the open connection if it leads to the origin of the URL and can be used again, or else opens one.
    async fn connection_to(&mut self, url: &Url) -> Result<SendRequest<NoBody>, String> {
        if let Some((origin, mut open)) = self.open.take()
            && origin == url.origin()
            && open.ready().await.is_ok()
        {
            return Ok(open);
        }
        let uri = url.as_str().parse().map_err(|_| "the URL is not valid")?;
        let stream = self.connector.clone().oneshot(uri).await.map_err(|error| chain(&*error))?;
        let handshake = http1::Builder::new().max_buf_size(MAX_BYTES).handshake(stream).await;
        let (requests, connection) = handshake.map_err(|error| chain(&error))?;
        // The task ends with `requests`.
        tokio::spawn(connection);
        Ok(requests)
    }
}
