//! The deployments that are measured: keys, configurations, and an AWS with the fixtures of the demo.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use aws_sdk_dynamodb::config::Credentials;
use countersign::app::App;
use countersign::aws;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::password_hash::{Argon2Params, Hasher};
use jsonwebtoken::Algorithm;
use serde_json::json;
use testing::ISSUER;
use testing::canned::Canned;
use testing::cloud::{self, BoxError, Cloud};
use testing::demo::{self, FIXTURES};

/// A key for each algorithm, as PKCS#8.
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

/// Returns the key of an algorithm as PKCS#8.
pub fn pkcs8(algorithm: Algorithm) -> &'static [u8] {
    &KEYS.iter().find(|(known, _)| *known == algorithm).unwrap().1
}

/// Returns the key of an algorithm as PEM, the form of an externally managed key.
pub fn pem(algorithm: Algorithm) -> String {
    testing::pem(pkcs8(algorithm))
}

/// Returns the configuration of the template, except that the keys are loaded only once.
pub fn config() -> Result<Config, BoxError> {
    let mut config = cloud::config(ISSUER)?;
    config.keys.max_age = 1_000_000;
    Ok(config)
}

/// Returns [`config`] with the cheapest parameters of argon2, so that a password hash hides no other cost.
pub fn config_with_cheapest_hash() -> Result<Config, BoxError> {
    Ok(Config { argon2: Argon2Params { memory_kib: 8, iterations: 1, parallelism: 1 }, ..config()? })
}

/// Opens an emulated AWS in memory with the fixtures of the demo.
pub fn seeded_cloud(config: &Config) -> Result<Cloud, BoxError> {
    let cloud = Cloud::open(None)?;
    seed(&cloud, config)?;
    Ok(cloud)
}

/// Stores the fixtures of the demo. The configuration has the parameters of their hashes.
pub fn seed(cloud: &Cloud, config: &Config) -> Result<(), BoxError> {
    demo::seed(cloud, &Hasher::new(config.argon2)?)
}

/// Stores the key of an algorithm as the secret of the emulated AWS at this address.
pub async fn put_key(cloud: SocketAddr, algorithm: Algorithm) -> Result<(), BoxError> {
    let sdk = aws::load(cloud::sdk(cloud)).await;
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk);
    secrets.put_secret_value().secret_id("signing").secret_string(pem(algorithm)).send().await?;
    Ok(())
}

/// Returns fixed responses with the fixtures as the emulated AWS stores them, and with this text of the secret. The
/// refresh token of one login can be used again and again.
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

/// Starts a deployment in this process and loads its keys.
pub async fn app(sdk: &SdkConfig, config: Config) -> Result<Arc<App>, BoxError> {
    let app = App::new(config, sdk, Clock::System)?;
    app.keyring.load().await?;
    Ok(Arc::new(app))
}

/// Starts a deployment over the emulated AWS at this address, with a key of this algorithm.
pub async fn app_over(cloud: SocketAddr, algorithm: Algorithm, config: Config) -> Result<Arc<App>, BoxError> {
    put_key(cloud, algorithm).await?;
    app(&aws::load(cloud::sdk(cloud)).await, config).await
}

/// Returns the id and the secret of a client of the demo: 0 is the service, 1 the application.
pub fn client(position: usize) -> (&'static str, &'static str) {
    let client = &FIXTURES["clients"][position];
    (client["client_id"].as_str().unwrap(), client["secrets"][0]["secret"].as_str().unwrap())
}

/// Returns the name of the demo's user.
pub fn username() -> &'static str {
    FIXTURES["users"][0]["username"].as_str().unwrap()
}

/// Returns the password of the demo's user.
pub fn password() -> &'static str {
    FIXTURES["users"][0]["password"].as_str().unwrap()
}
