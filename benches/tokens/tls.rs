//! TLS on 127.0.0.1 with a certificate for one run, because the deployed function calls AWS over TLS.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::server::TlsStream;

use testing::cloud::BoxError;

/// The PEM files of a self-signed certificate and its key.
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Creates the files with `openssl`.
    pub fn create(folder: &Path) -> Result<Self, BoxError> {
        let created = Self { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        let status = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=countersign-bench", "-addext", "subjectAltName=IP:127.0.0.1"])
            // Without this, the certificate is one of an authority, which clients do not accept from a server.
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-out"])
            .arg(&created.certificate)
            .arg("-keyout")
            .arg(&created.key)
            .stderr(Stdio::null())
            .status()
            .map_err(|error| format!("openssl: {error}"))?;
        if status.success() { Ok(created) } else { Err("openssl did not create a certificate".into()) }
    }
}

/// Serves a router over TLS on a free port of 127.0.0.1 until the runtime ends. Returns the address.
pub async fn serve(router: Router, certificate: &Certificate) -> Result<SocketAddr, BoxError> {
    let chain = vec![CertificateDer::from_pem_slice(&fs::read(&certificate.certificate)?)?];
    let key = PrivateKeyDer::from_pem_slice(&fs::read(&certificate.key)?)?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (accepted, connections) = mpsc::channel(16);
    // Handshakes run concurrently, because a function opens two connections when it starts.
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = accepted.send((stream, peer)).await;
                }
            });
        }
    });
    tokio::spawn(async move { axum::serve(TlsListener { address, connections }, router).await });
    Ok(address)
}

/// The connections after their handshakes.
struct TlsListener {
    address: SocketAddr,
    connections: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.connections.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
