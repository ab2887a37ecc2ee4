//! Addresses and certificates that are not trusted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;

use testing::{ISSUER, LogLines, TestApp};

use super::{Federation, assert_status, put_client};

/// Serves TLS with a certificate for `localhost` that no authority issued. Returns the port.
async fn serve_tls() -> u16 {
    let pem = include_bytes!("untrusted.pem");
    let chain = vec![CertificateDer::from_pem_slice(pem).unwrap()];
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(pem).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The client ends the handshake.
            assert!(acceptor.accept(stream).await.is_err());
        }
    });
    port
}

#[tokio::test]
async fn s_1017_an_untrusted_certificate_an_ip_address_and_plain_http_are_failed_fetches() {
    let federation = Federation::start().await;
    let port = serve_tls().await;
    let log = LogLines::collect();
    let no_host = "the URL is not an https URL with a host name";
    for (issuer, reason) in [
        (format!("https://localhost:{port}"), "UnknownIssuer"),
        (format!("https://127.0.0.1:{port}"), no_host),
        (format!("https://[::1]:{port}"), no_host),
        (format!("https://0x7f.1:{port}"), no_host),
    ] {
        federation.trust(&json!({"issuer": issuer}));
        let response = federation.send(&federation.token(&json!({"iss": issuer}))).await;
        assert_status(&response, 503);
        assert!(log.text().contains(reason), "{}", log.text());
        assert!(log.lines().iter().any(|line| line["issuer"] == *issuer));
    }
}

/// Returns an address that opens no connection, and the connections that fill its queue.
async fn unreachable() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    (address, listener, waiting)
}

#[tokio::test]
async fn s_1017_a_connection_that_does_not_open_is_a_failed_fetch_after_500_ms() {
    let federation = Federation::start().await;
    let (address, _listener, _waiting) = unreachable().await;
    let log = LogLines::collect();
    let issuer = format!("http://{address}");
    federation.trust(&json!({"issuer": issuer}));
    assert_status(&federation.send(&federation.token(&json!({"iss": issuer}))).await, 503);
    let text = log.text();
    assert!(text.contains("discovery document: tcp connect error"), "{text}");
}

#[tokio::test]
async fn s_1017_a_deployment_with_https_uses_no_local_issuer() {
    let federation = Federation::start().await;
    let deployment = Federation { test: TestApp::start().await, ..federation };
    put_client(&deployment.test, &json!({"federated": [deployment.entry()]}));
    let response = deployment.send(&deployment.token(&json!({"aud": ISSUER}))).await;
    assert_status(&response, 503);
    assert_eq!(deployment.issuer.requests(), [""; 0]);
}
