//! A deployment for one test: the router over an emulated AWS with the fixtures, and a clock that the test advances.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::app::App;
use countersign::aws;
use countersign::clock::Clock;
use countersign::config::{Config, Limits};
use countersign::http::router;
use countersign::keys::SigningKey;
use countersign::password_hash::{Argon2Params, Hasher, hash_client_secret};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::cloud::{self, Cloud};
use crate::contract::{self, assert_documented};
use crate::demo;
use crate::direct::Direct;
use crate::fault_proxy::FaultProxy;
use crate::interceptor::Interceptor;
use crate::log_lines::LogLines;
use crate::request::form;
use crate::response::Response;

mod browser;
mod codes;
mod records;

pub use browser::{BROWSER_APP, BROWSER_ORIGIN, COOKIE, browser, browser_login, browser_refresh, with_cookie};
pub use codes::{BrowserLogin, CALLBACK, CHALLENGE, CODE_CLIENT, VERIFIER, exchange, with_pages};
pub(crate) use records::active_generation;

/// The issuer of every deployment.
pub const ISSUER: &str = "https://auth.example";
/// The time at which every test begins, in seconds since the epoch.
pub const NOW: u64 = 1_900_000_000;

/// A client with the grant `client_credentials`: its id and secret.
pub const SERVICE: (&str, &str) = ("billing-cron", "cs_billing-cron-secret-000000000000000000000000001");
/// A client with all grants: its id and secret.
pub const APPLICATION: (&str, &str) = ("autonomy-web", "cs_autonomy-web-secret-00000000000000000000000002");
/// A user of the fixtures.
pub const USERNAME: &str = "john.smith@itccompliance.co.uk";
/// The password of the user.
pub const PASSWORD: &str = "secret-password";
/// Another application, its id and secret. `TestApp::put_other_application` stores it.
pub const OTHER_APPLICATION: (&str, &str) = ("other-app", "other-secret");
/// A user with an imported password hash: the username and the password.
pub const IMPORTED_USER: (&str, &str) = ("old.hash@itccompliance.co.uk", "legacy-pass");
/// Parameters of cheap argon2id hashes.
pub const CHEAP_ARGON2: Argon2Params = Argon2Params { memory_kib: 64, iterations: 1, parallelism: 1 };
/// Limits that a request does not reach, also on a busy machine.
const LONG_LIMITS: Limits = Limits { request: Duration::from_mins(2), upgrade: Duration::from_mins(1) };
/// The scope of the logins.
pub const SCOPE: &str = "legacy:autonomy.write legacy:autonomy.read";
/// The parameters of a client credentials request.
pub const CLIENT_CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// The public cases and their fixtures.
pub static CASES: LazyLock<Value> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/token-endpoint.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
});

/// The signing key of most tests, in PEM, and its public key. P-256 keys are generated fastest.
pub(crate) static SIGNING_KEY: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    (pem(pair.to_pkcs8v1().unwrap().as_ref()), pair.public_key().as_ref().to_vec())
});

/// The clients and users of [`CASES`] as items. They are hashed once for all tests.
static FIXTURES: LazyLock<(Vec<Value>, Vec<Value>)> = LazyLock::new(|| fixtures(&CASES, Argon2Params::default()));

/// Returns the clients and the users of a file of cases as items.
pub fn fixtures(cases: &Value, argon2: Argon2Params) -> (Vec<Value>, Vec<Value>) {
    let hasher = Hasher::new(argon2).unwrap();
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

/// Returns a new P-256 key as PEM.
pub fn p256_pem() -> String {
    pem(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap().as_ref())
}

/// Returns a document of signing keys, as the signing secret contains it.
pub fn key_document(current_pem: &str) -> Value {
    json!({"version": 1, "current": key_record(current_pem), "refresh": {"current": URL_SAFE_NO_PAD.encode([1; 32])}})
}

/// Returns one key of such a document.
pub fn key_record(pem: &str) -> Value {
    let der = pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
    let key = SigningKey::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    json!({"kid": key.kid(), "alg": key.algorithm(), "private_key": pem, "created_at": NOW})
}

/// Returns SDK settings with long timeouts. On a busy machine the usual timeouts would send calls twice, and tests count
/// the calls.
async fn sdk_with_long_timeouts(cloud: SocketAddr) -> SdkConfig {
    with_long_timeouts(cloud::sdk(cloud)).await
}

async fn with_long_timeouts(sdk: ConfigLoader) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_mins(1)).build();
    aws::load(sdk).await.into_builder().timeout_config(timeouts).build()
}

/// A deployment with the fixtures and a fixed clock.
pub struct TestApp {
    pub app: Arc<App>,
    pub cloud: Cloud,
    pub interceptor: Interceptor,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<AtomicU64>,
    router: Router,
}

impl TestApp {
    /// Starts a deployment with the default settings.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a deployment with changed settings.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let test = Self::start_without_keys(change).await;
        test.cloud.put_secret(&key_document(&SIGNING_KEY.0).to_string()).unwrap();
        test.app.keyring.load().await.unwrap();
        test.interceptor.clear_calls();
        test
    }

    /// Starts a deployment with cheap hashes, for tests of the order of calls.
    pub async fn start_with_cheap_hashes() -> Self {
        Self::start_with_cheap_hashes_and(|_| {}).await
    }

    /// Starts a deployment with cheap hashes and other changed settings.
    pub async fn start_with_cheap_hashes_and(change: impl FnOnce(&mut Config)) -> Self {
        let test = Self::start_with(|config| {
            config.argon2 = CHEAP_ARGON2;
            change(config);
        })
        .await;
        let imported =
            bcrypt::hash_with_salt(IMPORTED_USER.1, 4, [7; 16]).unwrap().format_for_version(bcrypt::Version::TwoY);
        test.change_imported_user(&json!({"password_hash": imported}));
        test.change_user(&json!({"password_hash": test.app.hasher.hash(PASSWORD).unwrap().as_str()}));
        test
    }

    /// Starts a deployment that has loaded nothing, with an empty signing secret.
    pub async fn start_without_keys(change: impl FnOnce(&mut Config)) -> Self {
        LogLines::install();
        contract::load();
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
        config.limits = LONG_LIMITS;
        change(&mut config);
        let clock = Arc::new(AtomicU64::new(NOW));
        let app =
            Arc::new(App::new(config, &sdk_with_long_timeouts(address).await, Clock::Fixed(clock.clone())).unwrap());
        Self { router: router(app.clone()), app, cloud, interceptor, address, clock }
    }

    /// Returns another execution environment of the deployment. It shares only the emulated AWS and the clock.
    pub async fn another_execution_environment(&self) -> Self {
        self.execution_environment(&sdk_with_long_timeouts(self.address).await)
    }

    /// Returns another execution environment, whose calls have an interceptor of their own.
    pub async fn separate_execution_environment(&self) -> Self {
        let interceptor = Interceptor::default();
        let address = cloud::serve(interceptor.before(self.cloud.router().await.unwrap())).await.unwrap();
        Self { interceptor, address, ..self.execution_environment(&sdk_with_long_timeouts(address).await) }
    }

    /// Returns another execution environment, which calls AWS through a proxy, with the limits and the timeouts of the
    /// function.
    pub async fn behind(&self, proxy: &FaultProxy) -> Self {
        self.with_limits(Limits::default(), &aws::load(cloud::sdk(proxy.address())).await)
    }

    /// Returns another execution environment, which calls AWS through a proxy, with the limits of the function and long
    /// timeouts: only the deadline ends a request with a call that hangs.
    pub async fn behind_with_deadline(&self, proxy: &FaultProxy) -> Self {
        self.with_limits(Limits::default(), &sdk_with_long_timeouts(proxy.address()).await)
    }

    /// Returns another execution environment, which calls AWS through a proxy, with long limits and long timeouts.
    pub async fn behind_with_long_timeouts(&self, proxy: &FaultProxy) -> Self {
        self.execution_environment(&sdk_with_long_timeouts(proxy.address()).await)
    }

    /// Returns another execution environment, which calls AWS without a socket.
    pub async fn directly(&self) -> Self {
        let http_client = Direct(self.cloud.clone()).http_client();
        let sdk = with_long_timeouts(cloud::sdk(self.address).http_client(http_client)).await;
        let test = self.execution_environment(&sdk);
        test.app.keyring.load().await.unwrap();
        test
    }

    fn execution_environment(&self, sdk: &SdkConfig) -> Self {
        self.with_limits(self.app.config.limits, sdk)
    }

    fn with_limits(&self, limits: Limits, sdk: &SdkConfig) -> Self {
        let config = Config { limits, ..self.app.config.clone() };
        let app = Arc::new(App::new(config, sdk, self.clock()).unwrap());
        let (cloud, interceptor, clock) = (self.cloud.clone(), self.interceptor.clone(), self.clock.clone());
        Self { router: router(app.clone()), app, cloud, interceptor, address: self.address, clock }
    }

    /// Returns the address of the emulated AWS.
    pub fn cloud_address(&self) -> SocketAddr {
        self.address
    }

    /// Returns settings for an SDK client of the emulated AWS.
    pub async fn sdk(&self) -> SdkConfig {
        sdk_with_long_timeouts(self.address).await
    }

    /// Serves the API on a port, and returns its URL.
    pub async fn serve(&self) -> String {
        format!("http://{}", cloud::serve(self.router.clone()).await.unwrap())
    }

    /// Sets the clock to the system time, which other processes use.
    #[expect(clippy::disallowed_methods, reason = "the system time is what other processes use")]
    pub async fn use_system_time(&self) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        self.clock.store(now, Ordering::SeqCst);
        // Loads the keys at the new time, so that the step does not cause a reload in a request.
        if self.cloud.secret().unwrap().is_some() {
            self.app.keyring.load().await.unwrap();
        }
    }

    /// Returns the clock of the deployment.
    pub fn clock(&self) -> Clock {
        Clock::Fixed(self.clock.clone())
    }

    /// Returns the time of the clock, in seconds since the epoch.
    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Advances the clock. A negative number sets it back.
    pub fn advance_clock(&self, seconds: i64) {
        self.clock.store(self.now().checked_add_signed(seconds).unwrap(), Ordering::SeqCst);
    }

    /// Sends a request, and asserts that `openapi.yaml` documents the response.
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

    /// Sends a form to the token endpoint, with Basic credentials.
    pub async fn form(&self, (id, secret): (&str, &str), params: &[(&str, &str)]) -> Response {
        self.send(form(params).basic(id, secret).post()).await
    }

    /// Sends a form to the revocation endpoint, with Basic credentials.
    pub async fn revoke(&self, (id, secret): (&str, &str), params: &[(&str, &str)]) -> Response {
        self.send(form(params).basic(id, secret).to("POST", "/oauth/revoke")).await
    }

    /// Sends a token to the introspection endpoint, with Basic credentials.
    pub async fn introspect(&self, (id, secret): (&str, &str), token: &str) -> Response {
        self.send(form(&[("token", token)]).basic(id, secret).to("POST", "/oauth/introspect")).await
    }

    /// Logs the user [`USERNAME`] in, and returns the refresh token.
    pub async fn log_in(&self) -> String {
        self.password(USERNAME, PASSWORD).await.refresh_token()
    }

    /// Sends a password request for [`SCOPE`].
    pub async fn password(&self, username: &str, password: &str) -> Response {
        let params = [("grant_type", "password"), ("username", username), ("password", password), ("scope", SCOPE)];
        self.form(APPLICATION, &params).await
    }

    /// Sends a refresh request without a scope.
    pub async fn refresh(&self, refresh_token: &str) -> Response {
        self.form(APPLICATION, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// Sends a refresh request for a scope.
    pub async fn refresh_for(&self, refresh_token: &str, scope: &str) -> Response {
        let params = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("scope", scope)];
        self.form(APPLICATION, &params).await
    }
}
