//! What the tests share: a deployment per test, requests, and what every answer must be.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::app::App;
use countersign::aws;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::http::router;
use countersign::keys::SigningKey;
use countersign::secret::{Hasher, hash_client_secret};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::cloud::{self, Cloud};

mod door;
mod log_lines;

pub use door::Door;
pub use log_lines::LogLines;

pub const ISSUER: &str = "https://auth.example";
/// When every test begins, in seconds since the epoch.
pub const NOW: u64 = 1_900_000_000;

pub const SERVICE: (&str, &str) = ("billing-cron", "cs_billing-cron-secret-000000000000000000000000001");
pub const APPLICATION: (&str, &str) = ("autonomy-web", "cs_autonomy-web-secret-00000000000000000000000002");
pub const USERNAME: &str = "john.smith@itccompliance.co.uk";
pub const PASSWORD: &str = "secret-password";
pub const SCOPE: &str = "legacy:autonomy.write legacy:autonomy.read";

/// The public cases and the fixtures that they are asked of.
pub static CASES: LazyLock<Value> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/token-endpoint.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
});

/// The key of most tests: P-256, the quickest to make.
static SIGNING_KEY: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    (pem(pair.to_pkcs8v1().unwrap().as_ref()), pair.public_key().as_ref().to_vec())
});

/// The fixtures as items: hashed once, for all tests.
static FIXTURES: LazyLock<(Vec<Value>, Vec<Value>)> = LazyLock::new(|| {
    let hasher = Hasher::new(19_456, 2, 1).unwrap();
    let hash = |secret: &Value, scheme: &Value| {
        let secret = secret.as_str().unwrap();
        match scheme.as_str() {
            None if secret.starts_with("cs_") => hash_client_secret(secret),
            None | Some("argon2id") => hasher.hash(secret).unwrap().as_str().to_owned(),
            Some("bcrypt-2y-cost-10") => {
                bcrypt::hash_with_salt(secret, 10, [7; 16]).unwrap().format_for_version(bcrypt::Version::TwoY)
            }
            Some(other) => panic!("unknown scheme {other}"),
        }
    };
    let list = |name: &str| CASES["fixtures"][name].as_array().unwrap().clone();
    let mut clients = list("clients");
    for secret in clients.iter_mut().flat_map(|client| client["secrets"].as_array_mut().unwrap()) {
        let hashed = hash(&secret["secret"], &secret["scheme"]);
        let expires_at = secret.get("expires_at").cloned();
        *secret = json!({"id": "1", "hash": hashed, "created_at": 1});
        if let Some(expires_at) = expires_at {
            secret["expires_at"] = expires_at;
        }
    }
    let mut users = list("users");
    for user in users.iter_mut().map(|user| user.as_object_mut().unwrap()) {
        let (password, scheme) = (user.remove("password"), user.remove("scheme").unwrap_or_default());
        if let Some(password) = password {
            user.insert("password_hash".to_owned(), hash(&password, &scheme).into());
        }
    }
    (clients, users)
});

pub fn pem(pkcs8: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8))
}

/// A document of signing keys, as the secret holds it.
pub fn key_document(current_pem: &str) -> Value {
    json!({"version": 1, "current": key_record(current_pem), "refresh": {"current": URL_SAFE_NO_PAD.encode([1; 32])}})
}

/// One key of such a document.
pub fn key_record(pem: &str) -> Value {
    let der = pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
    let key = SigningKey::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    json!({"kid": key.kid(), "alg": key.header("JWT").alg, "private_key": pem, "created_at": NOW})
}

/// The SDK's settings with time enough for a machine that is busy: a call that is given up and sent again would be
/// counted twice.
async fn patient(door: SocketAddr) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_mins(1)).build();
    aws::load(cloud::sdk(door)).await.into_builder().timeout_config(timeouts).build()
}

/// One deployment with the fixtures in it, and a clock that stands.
pub struct TestApp {
    pub app: Arc<App>,
    pub cloud: Cloud,
    pub door: Door,
    address: SocketAddr,
    clock: Arc<AtomicU64>,
    router: Router,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let test = Self::start_cold(change).await;
        test.cloud.put_secret(&key_document(&SIGNING_KEY.0).to_string()).unwrap();
        test.app.keyring.load().await.unwrap();
        test.door.forget();
        test
    }

    /// A deployment that has read nothing yet, and whose secret is empty.
    pub async fn start_cold(change: impl FnOnce(&mut Config)) -> Self {
        LogLines::install();
        let cloud = Cloud::open(None).unwrap();
        for client in &FIXTURES.0 {
            cloud.put("ClientsTable", client).unwrap();
        }
        for user in &FIXTURES.1 {
            cloud.put("UsersTable", user).unwrap();
        }
        let door = Door::default();
        let address = cloud::serve(door.before(cloud.door().await.unwrap())).await.unwrap();
        let mut config = cloud::config(ISSUER).unwrap();
        change(&mut config);
        let clock = Arc::new(AtomicU64::new(NOW));
        let sdk = patient(address).await;
        let app = Arc::new(App::new(config, &sdk, Clock::Fixed(clock.clone())).unwrap());
        let router = router(app.clone());
        Self { app, cloud, door, address, clock, router }
    }

    /// The same deployment in another environment of the function: nothing in common but the cloud and the time.
    pub async fn another_environment(&self) -> Self {
        let sdk = patient(self.address).await;
        let app = App::new(self.app.config.clone(), &sdk, Clock::Fixed(self.clock.clone())).unwrap();
        app.keyring.load().await.unwrap();
        let app = Arc::new(app);
        let router = router(app.clone());
        let (cloud, door, clock) = (self.cloud.clone(), self.door.clone(), self.clock.clone());
        Self { app, cloud, door, address: self.address, clock, router }
    }

    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Moves the clock on, or back.
    pub fn pass(&self, seconds: i64) {
        self.clock.store(self.now().checked_add_signed(seconds).unwrap(), Ordering::SeqCst);
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes, body }
    }

    /// Asks with a form, the credentials by Basic.
    pub async fn form(&self, (id, secret): (&str, &str), params: &[(&str, &str)]) -> Answer {
        self.send(form(params).basic(id, secret).post()).await
    }

    /// Logs the fixtures' user in, and yields the refresh token.
    pub async fn log_in(&self) -> String {
        self.password(USERNAME, PASSWORD).await.refresh_token()
    }

    pub async fn password(&self, username: &str, password: &str) -> Answer {
        let params = [("grant_type", "password"), ("username", username), ("password", password), ("scope", SCOPE)];
        self.form(APPLICATION, &params).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.form(APPLICATION, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// Changes attributes of a stored item; `null` takes one away.
    pub fn change(&self, table: &str, key: &Value, changes: &Value) {
        let stored = match table {
            "ClientsTable" => &FIXTURES.0,
            _ => &FIXTURES.1,
        };
        let (name, value) = key.as_object().unwrap().iter().next().unwrap();
        let mut item = stored.iter().find(|item| item[name] == *value).unwrap().as_object().unwrap().clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => item.remove(name),
                value => item.insert(name.clone(), value.clone()),
            };
        }
        self.cloud.put(table, &Value::Object(item)).unwrap();
    }

    pub fn change_client(&self, client_id: &str, changes: &Value) {
        self.change("ClientsTable", &json!({"client_id": client_id}), changes);
    }

    pub fn change_user(&self, changes: &Value) {
        self.change("UsersTable", &json!({"username": USERNAME}), changes);
    }

    /// The stored state of the family that a refresh token belongs to, as DynamoDB writes it.
    pub fn family(&self, refresh_token: &str) -> Value {
        let bytes = URL_SAFE_NO_PAD.decode(refresh_token.strip_prefix("cs_rt_").unwrap()).unwrap();
        let id = format!("refresh#{}", URL_SAFE_NO_PAD.encode(&bytes[1..17]));
        self.cloud.item("GrantsTable", &json!({"id": id})).unwrap().unwrap()
    }
}

/// A request to be.
#[derive(Default)]
pub struct Ask {
    headers: Vec<(String, String)>,
    query: &'static str,
    body: Vec<u8>,
}

pub fn form(params: &[(&str, &str)]) -> Ask {
    let pairs: Vec<_> = params.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    raw_form(pairs.join("&"))
}

/// A form body to the letter.
pub fn raw_form(body: impl Into<Vec<u8>>) -> Ask {
    Ask { body: body.into(), ..Ask::default() }.header("content-type", "application/x-www-form-urlencoded")
}

/// A JSON body to the letter.
pub fn raw_json(body: impl Into<Vec<u8>>) -> Ask {
    Ask { body: body.into(), ..Ask::default() }.header("content-type", "application/json")
}

impl Ask {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn basic(self, id: &str, secret: &str) -> Self {
        let encoded = STANDARD.encode(format!("{}:{}", percent(id), percent(secret)));
        self.header("authorization", &format!("Basic {encoded}"))
    }

    pub fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    pub fn post(self) -> Request<Body> {
        self.to("POST", "/oauth/token")
    }

    pub fn to(self, method: &str, path: &str) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(format!("{path}{}", self.query));
        for (name, value) in self.headers {
            request = request.header(name, value.into_bytes());
        }
        request.body(self.body.into()).unwrap()
    }
}

/// Form-encodes everything but letters and digits.
pub fn percent(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// What holds for every answer there is.
    #[track_caller]
    fn assert_common(&self) {
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("pragma"), Some("no-cache"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
    }

    /// A refusal, whole: status, headers, and a body of exactly two members.
    #[track_caller]
    pub fn assert_refused(&self, status: u16, error: &str) {
        assert_eq!((self.status, &self.body["error"]), (status, &Value::from(error)), "{:?}", self.bytes);
        self.assert_common();
        if matches!(status, 404 | 405) {
            assert_eq!(self.bytes, format!("{{\"error\":\"{error}\"}}"));
            return;
        }
        assert_eq!(self.body.as_object().unwrap().len(), 2);
        let description = self.body["error_description"].as_str().unwrap();
        let allowed = |byte: u8| (0x20..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\';
        assert!(!description.is_empty() && description.bytes().all(allowed), "{description}");
        let challenge = (status == 401).then_some("Basic realm=\"oauth\", charset=\"UTF-8\"");
        assert_eq!(self.header("www-authenticate"), challenge);
        let retry_after = self.header("retry-after").map(|seconds| seconds.parse::<u32>().unwrap());
        assert_eq!(retry_after.is_some(), matches!(status, 429 | 503));
    }

    /// A token, whole: status, headers, the members in their order, and the access token by key and claim by claim.
    #[track_caller]
    pub fn assert_issued(&self, version: u8) -> Claims {
        assert_eq!(self.status, 200, "{:?}", self.bytes);
        self.assert_common();
        assert_eq!(self.body["token_type"], "Bearer");
        assert!(self.body["expires_in"].is_u64());
        let mut members = vec!["token_type", "expires_in", "access_token", "refresh_token", "scope"];
        members.retain(|member| !self.body[member].is_null());
        assert_eq!(members.contains(&"scope"), version == 2);
        let text = std::str::from_utf8(&self.bytes).unwrap();
        let positions: Vec<_> = members.iter().map(|member| text.find(&format!("\"{member}\":")).unwrap()).collect();
        assert!(positions.is_sorted(), "{text}");
        assert_eq!(self.body.as_object().unwrap().len(), members.len());

        let claims = Claims::verify(self.body["access_token"].as_str().unwrap(), version);
        assert_eq!(self.body["expires_in"], claims.number("exp") - claims.number("iat"));
        if version == 2 {
            assert_eq!(self.body["scope"], claims.0["scope"]);
        }
        claims
    }

    #[track_caller]
    pub fn refresh_token(&self) -> String {
        assert_eq!(self.status, 200, "{:?}", self.bytes);
        self.body["refresh_token"].as_str().unwrap().to_owned()
    }
}

/// The claims of an access token whose signature, header and shape hold.
pub struct Claims(pub Value);

impl Claims {
    #[track_caller]
    pub fn verify(token: &str, version: u8) -> Self {
        Self::verify_with(token, version, Algorithm::ES256, &DecodingKey::from_ec_der(&SIGNING_KEY.1))
    }

    #[track_caller]
    pub fn verify_with(token: &str, version: u8, algorithm: Algorithm, key: &DecodingKey) -> Self {
        let mut validation = Validation::new(algorithm);
        // The clock of the tests stands elsewhere: times are compared below.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.set_issuer(&[ISSUER]);
        let verified = jsonwebtoken::decode::<Value>(token, key, &validation).unwrap();
        let (header, claims) = (verified.header, Self(verified.claims));
        assert_eq!(header.typ.as_deref(), Some(if version == 1 { "JWT" } else { "at+jwt" }));
        assert!(header.kid.is_some());

        let optional: &[&str] = if version == 1 { &["dealer", "system"] } else { &["auth_time"] };
        let mut required = vec!["iss", "aud", "sub", "iat", "nbf", "exp", "jti"];
        required.extend(if version == 1 { &["scopes"][..] } else { &["client_id", "scope"][..] });
        for name in &required {
            assert!(!claims.0[name].is_null(), "{name} is missing");
        }
        for name in claims.0.as_object().unwrap().keys() {
            assert!(required.contains(&name.as_str()) || optional.contains(&name.as_str()), "{name} is too much");
        }
        assert_eq!(claims.number("nbf"), claims.number("iat"));
        assert!(claims.number("exp") > claims.number("iat"));
        assert_eq!(URL_SAFE_NO_PAD.decode(claims.0["jti"].as_str().unwrap()).unwrap().len(), 16);
        claims
    }

    #[track_caller]
    pub fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("{name} is no integer"))
    }
}
