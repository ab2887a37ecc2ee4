//! What the parts ask: keys, requests, and a deployment in this process.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use aws_sdk_dynamodb::config::Credentials;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::app::App;
use countersign::aws;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::http::{Origin, router};
use countersign::password_hash::Argon2Params;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use testing::canned::Canned;
use tower::ServiceExt;

use testing::cloud::{self, BoxError, Cloud};
use testing::demo::{self, FIXTURES};

pub const ISSUER: &str = "https://auth.example";
/// The structure of token that is asked for.
pub const ACCEPTED: &str = "application/json; version=2";

/// A key for each algorithm, in PKCS#8.
static KEYS: LazyLock<[(Algorithm, Vec<u8>); 3]> = LazyLock::new(|| {
    let rsa: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
    [
        (Algorithm::RS256, rsa.as_ref().to_vec()),
        (Algorithm::ES256, p256.as_ref().to_vec()),
        (Algorithm::EdDSA, ed25519.as_ref().to_vec()),
    ]
});

/// The key of an algorithm, in PKCS#8.
pub fn pkcs8(algorithm: Algorithm) -> &'static [u8] {
    &KEYS.iter().find(|(known, _)| *known == algorithm).unwrap().1
}

/// The key of an algorithm, as the secret may hold it.
pub fn pem(algorithm: Algorithm) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8(algorithm)))
}

/// The settings of the template, but that the keys are read once.
pub fn config() -> Result<Config, BoxError> {
    let mut config = cloud::config(ISSUER)?;
    config.keys.max_age = 1_000_000;
    Ok(config)
}

/// Parameters of argon2 with which a hash hides nothing.
const CHEAPEST_HASH: Argon2Params = Argon2Params { memory_kib: 8, iterations: 1, parallelism: 1 };

/// The same with a password hash that is as cheap as can be.
pub fn config_with_cheapest_hash() -> Result<Config, BoxError> {
    Ok(Config { argon2: CHEAPEST_HASH, ..config()? })
}

/// Puts the demo into an account that this process holds. Its hashes are those of the configuration.
pub fn seeded(cloud: &Cloud, config: Config) -> Result<(), BoxError> {
    // What is asked of it calls nobody.
    let sdk = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
    demo::seed(cloud, &App::new(config, &sdk, Clock::System)?)
}

/// Has an account's secret hold the key of an algorithm.
pub async fn put_key(door: SocketAddr, algorithm: Algorithm) -> Result<(), BoxError> {
    let sdk = aws::load(cloud::sdk(door)).await;
    let mut name = [0; 16];
    aws_lc_rs::rand::fill(&mut name)?;
    let write = aws_sdk_secretsmanager::Client::new(&sdk).put_secret_value().secret_id("signing");
    let write = write.client_request_token(u128::from_be_bytes(name).to_string()).secret_string(pem(algorithm));
    write.send().await?;
    Ok(())
}

/// Returns fixed responses with the fixtures, as the account stores them, and with this text of the secret. One login
/// can be refreshed again and again.
pub fn canned(cloud: &Cloud, secret: &str) -> Result<Canned, BoxError> {
    let (service, application) = (client(0).0, client(1).0);
    let records = [
        ("ClientsTable", "client_id", service),
        ("ClientsTable", "client_id", application),
        ("UsersTable", "username", username()),
    ];
    let mut items = Vec::new();
    for (table, name, key) in records {
        items.push((table, key, cloud.item(table, &json!({name: key}))?.ok_or("a fixture is missing")?));
    }
    Ok(Canned::new(secret, items).remembering_first_put())
}

/// Returns the settings of the SDK for fixed responses.
pub fn sdk(canned: &Canned) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(canned.http_client())
        .endpoint_url("http://127.0.0.1:1")
        .region(Region::from_static("eu-west-2"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
}

/// A deployment in this process that has read its keys.
pub async fn app(sdk: &SdkConfig, config: Config) -> Result<Arc<App>, BoxError> {
    let app = App::new(config, sdk, Clock::System)?;
    app.keyring.load().await?;
    Ok(Arc::new(app))
}

/// The same, over an account behind a door, with a key of this algorithm.
pub async fn app_over(door: SocketAddr, algorithm: Algorithm, config: Config) -> Result<Arc<App>, BoxError> {
    put_key(door, algorithm).await?;
    app(&aws::load(cloud::sdk(door)).await, config).await
}

/// The id and the secret of one of the demo's clients.
pub fn client(position: usize) -> (&'static str, &'static str) {
    let client = &FIXTURES["clients"][position];
    (client["client_id"].as_str().unwrap(), client["secrets"][0]["secret"].as_str().unwrap())
}

/// The name of the demo's user.
pub fn username() -> &'static str {
    FIXTURES["users"][0]["username"].as_str().unwrap()
}

/// A token request: who asks, and for what.
#[derive(Clone)]
pub struct Ask {
    pub authorization: String,
    pub form: String,
}

impl Ask {
    fn new((id, secret): (&str, &str), form: String) -> Self {
        Self { authorization: format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))), form }
    }

    /// The demo's service asks for itself; or another client that has its secret.
    pub fn client_credentials(client_id: Option<&str>) -> Self {
        let (id, secret) = client(0);
        let form = "grant_type=client_credentials&scope=legacy%3Aautonomy.read".to_owned();
        Self::new((client_id.unwrap_or(id), secret), form)
    }

    /// The demo's application asks for its user; or for another one with the same password.
    pub fn password(username: Option<&str>) -> Self {
        let user = &FIXTURES["users"][0];
        let username = username.unwrap_or(self::username()).replace('@', "%40");
        let password = user["password"].as_str().unwrap();
        let form = format!("grant_type=password&username={username}&password={password}&scope=legacy%3Aautonomy.read");
        Self::new(client(1), form)
    }

    /// The demo's application goes on.
    pub fn refresh_token(token: &str) -> Self {
        Self::new(client(1), format!("grant_type=refresh_token&refresh_token={token}"))
    }

    /// As it comes over HTTP.
    pub fn request(&self, url: &str) -> Request<Body> {
        Request::post(format!("{url}/oauth/token"))
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, ACCEPTED)
            .extension(Origin { request_id: "CNgK9GUIxgFse6Q=".to_owned(), source: "203.0.113.7".to_owned() })
            .body(self.form.clone().into())
            .unwrap()
    }
}

/// The routes of a deployment in this process, to be asked.
#[derive(Clone)]
pub struct Routes(Router);

impl Routes {
    pub fn of(app: &Arc<App>) -> Self {
        Self(router(app.clone()))
    }

    /// Has a request answered, which must succeed, and yields the body.
    pub async fn ask(&self, ask: &Ask) -> Bytes {
        let (status, body) = self.answer(ask.request("")).await;
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        body
    }

    /// Has a request answered for which there is no route.
    pub async fn ask_nowhere(&self, ask: &Ask) {
        assert_eq!(self.answer(ask.request("/nowhere")).await.0, StatusCode::NOT_FOUND);
    }

    async fn answer(&self, request: Request<Body>) -> (StatusCode, Bytes) {
        let answer = self.0.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        (status, to_bytes(answer.into_body(), usize::MAX).await.unwrap())
    }
}

/// The refresh token of an answer.
pub fn refresh_token(answer: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(answer).unwrap();
    answer["refresh_token"].as_str().unwrap().to_owned()
}
