//! What the tests share: a deployment for each of them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::app::App;
use countersign::aws;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::http::router;
use countersign::keys::SigningKey;
use countersign::password_hash::{Argon2Params, Hasher, hash_client_secret};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::cloud::{self, Cloud};
use crate::contract::assert_documented;
use crate::demo;
use crate::fault_proxy::FaultProxy;
use crate::interceptor::Interceptor;
use crate::log_lines::LogLines;
use crate::request::form;
use crate::response::Response;

mod records;

pub const ISSUER: &str = "https://auth.example";
/// When every test begins, in seconds since the epoch.
pub const NOW: u64 = 1_900_000_000;

pub const SERVICE: (&str, &str) = ("billing-cron", "cs_billing-cron-secret-000000000000000000000000001");
pub const APPLICATION: (&str, &str) = ("autonomy-web", "cs_autonomy-web-secret-00000000000000000000000002");
pub const USERNAME: &str = "john.smith@itccompliance.co.uk";
pub const PASSWORD: &str = "secret-password";
/// A second application, which tests store when they need it.
pub const OTHER: (&str, &str) = ("other-app", "other-secret");
/// A user with an imported hash, and the password.
pub const OLD: (&str, &str) = ("old.hash@itccompliance.co.uk", "legacy-pass");
/// Parameters of a password hash that costs next to nothing.
pub const CHEAP_ARGON2: Argon2Params = Argon2Params { memory_kib: 64, iterations: 1, parallelism: 1 };
pub const SCOPE: &str = "legacy:autonomy.write legacy:autonomy.read";

/// The public cases and the fixtures that they are asked of.
pub static CASES: LazyLock<Value> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/token-endpoint.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
});

/// The key of most tests: P-256, the quickest to make.
pub(crate) static SIGNING_KEY: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    (pem(pair.to_pkcs8v1().unwrap().as_ref()), pair.public_key().as_ref().to_vec())
});

/// The fixtures of [`CASES`] as items: hashed once, for all tests.
static FIXTURES: LazyLock<(Vec<Value>, Vec<Value>)> = LazyLock::new(|| fixtures(&CASES));

/// The clients and the users of a file of cases, as items of their tables.
pub fn fixtures(cases: &Value) -> (Vec<Value>, Vec<Value>) {
    let hasher = Hasher::new(Argon2Params::default()).unwrap();
    let hash = |secret: &str, scheme: Option<&str>| match scheme {
        None if secret.starts_with("cs_") => Ok(hash_client_secret(secret)),
        None | Some("argon2id") => Ok(hasher.hash(secret)?.as_str().to_owned()),
        Some("bcrypt-2y-cost-10") => {
            Ok(bcrypt::hash_with_salt(secret, 10, [7; 16]).unwrap().format_for_version(bcrypt::Version::TwoY))
        }
        Some(other) => panic!("unknown scheme {other}"),
    };
    let items = |list: &str| demo::items(&cases["fixtures"][list], hash).unwrap();
    (items("clients"), items("users"))
}

/// Returns a PKCS#8 key as PEM.
pub fn pem(pkcs8: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8))
}

/// Returns a new P-256 key.
pub fn p256_pem() -> String {
    pem(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap().as_ref())
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
async fn patient(cloud: SocketAddr) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_mins(1)).build();
    aws::load(cloud::sdk(cloud)).await.into_builder().timeout_config(timeouts).build()
}

/// One deployment with the fixtures in it, and a clock that stands.
pub struct TestApp {
    pub app: Arc<App>,
    pub cloud: Cloud,
    pub interceptor: Interceptor,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<AtomicU64>,
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
        test.interceptor.forget();
        test
    }

    /// Starts a deployment whose hashes cost next to nothing, for tests of the order of calls: on a busy machine an upgrade
    /// with the usual parameters takes longer than its 300 ms, and is given up.
    pub async fn start_with_cheap_hashes() -> Self {
        let test = Self::start_with(|config| config.argon2 = CHEAP_ARGON2).await;
        let old = bcrypt::hash_with_salt(OLD.1, 4, [7; 16]).unwrap().format_for_version(bcrypt::Version::TwoY);
        test.change("UsersTable", &json!({"username": OLD.0}), &json!({"password_hash": old}));
        test.change_user(&json!({"password_hash": test.app.hasher.hash(PASSWORD).unwrap().as_str()}));
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
        let interceptor = Interceptor::default();
        let address = cloud::serve(interceptor.before(cloud.router().await.unwrap())).await.unwrap();
        let mut config = cloud::config(ISSUER).unwrap();
        change(&mut config);
        let clock = Arc::new(AtomicU64::new(NOW));
        let app = Arc::new(App::new(config, &patient(address).await, Clock::Fixed(clock.clone())).unwrap());
        Self { router: router(app.clone()), app, cloud, interceptor, address, clock }
    }

    /// The same deployment in another environment of the function: nothing in common but the cloud and the time.
    pub async fn another_environment(&self) -> Self {
        self.environment(&patient(self.address).await)
    }

    /// Another environment of the function that has the cloud behind a proxy, and a function's own patience with it.
    pub async fn behind(&self, proxy: &FaultProxy) -> Self {
        self.environment(&aws::load(cloud::sdk(proxy.address())).await)
    }

    fn environment(&self, sdk: &SdkConfig) -> Self {
        let app = Arc::new(App::new(self.app.config.clone(), sdk, self.clock()).unwrap());
        let (cloud, interceptor, clock) = (self.cloud.clone(), self.interceptor.clone(), self.clock.clone());
        Self { router: router(app.clone()), app, cloud, interceptor, address: self.address, clock }
    }

    /// Returns the address of the cloud.
    pub fn cloud_address(&self) -> SocketAddr {
        self.address
    }

    pub async fn sdk(&self) -> SdkConfig {
        patient(self.address).await
    }

    /// Serves the API on a port, and yields its URL.
    pub async fn serve(&self) -> String {
        format!("http://{}", cloud::serve(self.router.clone()).await.unwrap())
    }

    /// Has it be the machine's time, by which programs go that are not in this process.
    #[expect(clippy::disallowed_methods, reason = "the machine's time is what this is about")]
    pub async fn use_system_time(&self) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        self.clock.store(now, Ordering::SeqCst);
        // As if it had always been so: nothing is to be read again for the step.
        if self.cloud.secret().unwrap().is_some() {
            self.app.keyring.load().await.unwrap();
        }
    }

    pub fn clock(&self) -> Clock {
        Clock::Fixed(self.clock.clone())
    }

    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Moves the clock on, or back.
    pub fn pass(&self, seconds: i64) {
        self.clock.store(self.now().checked_add_signed(seconds).unwrap(), Ordering::SeqCst);
    }

    /// Sends a request. Whatever the response, it is as documented.
    pub async fn send(&self, request: Request<Body>) -> Response {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let response = Response { status: parts.status.as_u16(), headers: parts.headers, bytes, body };
        assert_documented(method.as_str(), &path, &response);
        response
    }

    /// Asks with a form, the credentials by Basic.
    pub async fn form(&self, (id, secret): (&str, &str), params: &[(&str, &str)]) -> Response {
        self.send(form(params).basic(id, secret).post()).await
    }

    /// Logs the fixtures' user in, and yields the refresh token.
    pub async fn log_in(&self) -> String {
        self.password(USERNAME, PASSWORD).await.refresh_token()
    }

    pub async fn password(&self, username: &str, password: &str) -> Response {
        let params = [("grant_type", "password"), ("username", username), ("password", password), ("scope", SCOPE)];
        self.form(APPLICATION, &params).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Response {
        self.form(APPLICATION, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// The same for a scope of its own.
    pub async fn refresh_for(&self, refresh_token: &str, scope: &str) -> Response {
        let params = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("scope", scope)];
        self.form(APPLICATION, &params).await
    }
}
