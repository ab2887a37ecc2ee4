//! An issuer on this machine: a discovery document and a key set, with rotation and outages.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The behavior of an issuer.
#[derive(Clone, Debug, PartialEq)]
pub enum Behavior {
    /// Both documents are served.
    Up,
    /// Connections end without a response.
    Down,
    /// Each document redirects to a copy of itself.
    Redirect,
    /// The document names another issuer.
    OtherIssuer,
    /// The document names the issuer with a final slash.
    FinalSlash,
    /// Responses take this time.
    Delayed(Duration),
    /// A response begins immediately, and continues by one byte each 100 ms.
    Dripping,
    /// The documents have more than 64 KiB.
    Huge,
    /// The headers have 256 KiB.
    HugeHeader,
    /// Responses have this status.
    Status(u16),
    /// Responses have this text.
    Text(&'static str),
    /// The key set is at another URL.
    KeysAt(String),
}

/// An issuer. Each path under its URL is an issuer with the same keys, too.
pub struct FakeIssuer {
    /// The URL, without a final slash.
    pub url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    behavior: Behavior,
    keys: Value,
    /// The paths that were requested.
    requests: Vec<String>,
}

impl FakeIssuer {
    /// Starts an issuer with these keys (RFC 7517).
    pub async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { behavior: Behavior::Up, keys: json!(keys), requests: Vec::new() }));
        let issuer = Self { url: url.clone(), state: state.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (url, state) = (url.clone(), state.clone());
                tokio::spawn(async move {
                    let _ = serve(stream, &url, &state).await;
                });
            }
        });
        issuer
    }

    /// Changes the behavior.
    pub fn set(&self, behavior: Behavior) {
        lock(&self.state).behavior = behavior;
    }

    /// Changes the keys.
    pub fn set_keys(&self, keys: &[Value]) {
        lock(&self.state).keys = json!(keys);
    }

    /// Returns the number of requests for discovery documents so far.
    pub fn fetches(&self) -> usize {
        lock(&self.state).requests.iter().filter(|path| path.ends_with(DISCOVERY)).count()
    }

    /// Returns the paths that were requested so far.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state).requests.clone()
    }
}

const DISCOVERY: &str = "/.well-known/openid-configuration";

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, url: &str, state: &Mutex<State>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let (behavior, body) = {
        let mut state = lock(state);
        state.requests.push(path.clone());
        (state.behavior.clone(), document(&state, url, &path))
    };
    let body = match &behavior {
        Behavior::Text(text) => (*text).to_owned(),
        Behavior::Huge => format!("{body}{}", " ".repeat(64 * 1_024)),
        _ => body,
    };
    let (status, location) = match &behavior {
        Behavior::Down => return Ok(()),
        Behavior::Redirect if !path.starts_with("/copy") => (302, format!("location: {url}/copy{path}\r\n")),
        Behavior::HugeHeader => (200, format!("x: {}\r\n", "x".repeat(256 * 1_024))),
        Behavior::Status(status) => (*status, String::new()),
        _ => (200, String::new()),
    };
    if let Behavior::Delayed(time) = behavior {
        sleep(time).await;
    }
    let length = body.len();
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\nconnection: close\r\n{location}\r\n");
    stream.write_all(head.as_bytes()).await?;
    if behavior == Behavior::Dripping {
        for byte in body.bytes() {
            stream.write_all(&[byte]).await?;
            sleep(Duration::from_millis(100)).await;
        }
        return Ok(());
    }
    stream.write_all(body.as_bytes()).await
}

/// Returns the document at a path.
fn document(state: &State, url: &str, path: &str) -> String {
    let path = path.strip_prefix("/copy").unwrap_or(path);
    let Some(prefix) = path.strip_suffix(DISCOVERY) else {
        return json!({"keys": state.keys}).to_string();
    };
    let issuer = match state.behavior {
        Behavior::OtherIssuer => format!("{url}/other"),
        Behavior::FinalSlash => format!("{url}{prefix}/"),
        _ => format!("{url}{prefix}"),
    };
    let jwks_uri = match &state.behavior {
        Behavior::KeysAt(url) => url.clone(),
        _ => format!("{url}/keys"),
    };
    json!({"issuer": issuer, "jwks_uri": jwks_uri, "id_token_signing_alg_values_supported": ["RS256"]}).to_string()
}
