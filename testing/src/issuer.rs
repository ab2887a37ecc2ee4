//! An issuer of another party: its metadata and its keys over http on a loopback address, with outages.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, CONTENT_TYPE, LOCATION};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const METADATA: &str = ".well-known/openid-configuration";
const KEYS: &str = "keys";

/// The behaviour of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerState {
    /// The documents are served.
    Up,
    /// Nothing listens.
    Down,
    /// Each document is a redirect to a copy of itself.
    Redirect,
    /// The metadata names another issuer.
    WrongIssuer,
}

/// The content of the documents.
struct Served {
    url: String,
    /// The key set.
    keys: Mutex<Value>,
    state: Mutex<IssuerState>,
    /// The number of requests for the metadata.
    fetches: AtomicU64,
}

/// A running issuer.
pub struct ForeignIssuer {
    served: Arc<Served>,
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
}

impl ForeignIssuer {
    /// Starts an issuer with these public keys on a free port.
    pub async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(Served {
            url: format!("http://{address}"),
            keys: Mutex::new(json!({"keys": keys})),
            state: Mutex::new(IssuerState::Up),
            fetches: AtomicU64::new(0),
        });
        let server = Some(serve(listener, served.clone()));
        Self { served, address, server }
    }

    /// Returns the URL of the issuer.
    pub fn url(&self) -> &str {
        &self.served.url
    }

    /// Returns the number of requests for the metadata.
    pub fn fetches(&self) -> u64 {
        self.served.fetches.load(Ordering::SeqCst)
    }

    /// Replaces the key set.
    pub fn set_keys(&self, keys: &[Value]) {
        *self.served.keys.lock().unwrap() = json!({"keys": keys});
    }

    /// Changes the behaviour.
    pub async fn set_state(&mut self, state: IssuerState) {
        *self.served.state.lock().unwrap() = state;
        if state == IssuerState::Down {
            if let Some(server) = self.server.take() {
                server.abort();
                // The listener is closed when the task has ended.
                let _ = server.await;
            }
        } else if self.server.is_none() {
            self.server = Some(serve(TcpListener::bind(self.address).await.unwrap(), self.served.clone()));
        }
    }
}

impl Drop for ForeignIssuer {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

fn serve(listener: TcpListener, served: Arc<Served>) -> JoinHandle<()> {
    let router = Router::new().route("/{*path}", get(document)).with_state(served);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
}

/// No connection is kept, so that none survives an outage.
async fn document(State(served): State<Arc<Served>>, Path(path): Path<String>) -> Response {
    let state = *served.state.lock().unwrap();
    let url = &served.url;
    let copy = path.strip_prefix("copy/");
    let is_redirect = state == IssuerState::Redirect && copy.is_none();
    let name = copy.unwrap_or(&path);
    if name == METADATA {
        served.fetches.fetch_add(1, Ordering::SeqCst);
    }
    let (status, location, body) = match name {
        _ if is_redirect => (StatusCode::FOUND, Some(format!("{url}/copy/{name}")), String::new()),
        METADATA => {
            let issuer = if state == IssuerState::WrongIssuer { "https://another.example" } else { url };
            (StatusCode::OK, None, json!({"issuer": issuer, "jwks_uri": format!("{url}/{KEYS}")}).to_string())
        }
        KEYS => (StatusCode::OK, None, served.keys.lock().unwrap().to_string()),
        _ => (StatusCode::NOT_FOUND, None, String::new()),
    };
    let mut response =
        Response::builder().status(status).header(CONNECTION, "close").header(CONTENT_TYPE, "application/json");
    if let Some(location) = location {
        response = response.header(LOCATION, location);
    }
    response.body(Body::from(body)).unwrap()
}
