//! TLS on 127.0.0.1, as the store has it in earnest, under a certificate that is made for one run.

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

/// A certificate that is its own authority, and its key: files in PEM.
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Has openssl make one.
    pub fn make(folder: &Path) -> Result<Self, BoxError> {
        let made = Self { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        let status = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=countersign-bench", "-addext", "subjectAltName=IP:127.0.0.1"])
            // By default it makes an authority, which no server may be.
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-out"])
            .arg(&made.certificate)
            .arg("-keyout")
            .arg(&made.key)
            .stderr(Stdio::null())
            .status()
            .map_err(|error| format!("openssl: {error}"))?;
        if status.success() { Ok(made) } else { Err("openssl makes no certificate".into()) }
    }
}

/// Serves a router by TLS for as long as the runtime lives.
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
    let (sent, ready) = mpsc::channel(16);
    // Handshakes side by side: two clients connect at the start.
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (acceptor, sent) = (acceptor.clone(), sent.clone());
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = sent.send((stream, peer)).await;
                }
            });
        }
    });
    tokio::spawn(async move { axum::serve(Shaken { address, ready }, router).await });
    Ok(address)
}

/// Connections whose handshake is done.
struct Shaken {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl Listener for Shaken {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
