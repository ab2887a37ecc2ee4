//! The records of the deployment, and an AWS of fixed responses that contains them.

use std::sync::LazyLock;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider, StalledStreamProtectionConfig};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::keys::SigningKey;
use countersign::password_hash::{Argon2Params, Hasher, hash_client_secret};
use serde_json::{Value, json};
use testing::canned::Canned;

use crate::NOW;

/// A client. The secrets are long, so that the fuzzer does not find one by chance.
pub struct Client {
    pub id: &'static str,
    pub secret: &'static str,
    pub grant_types: &'static [&'static str],
    pub scopes: &'static [&'static str],
    pub default_scopes: &'static [&'static str],
    pub enabled: bool,
    /// True if the secret was imported: it has a slow hash, and Basic credentials that are not form-encoded are accepted.
    pub imported: bool,
}

pub const CLIENTS: [Client; 5] = [
    Client {
        id: "billing-cron",
        secret: "cs_billing-cron-secret-000000000000000000000000001",
        grant_types: &["client_credentials"],
        scopes: &["legacy:autonomy.read", "legacy:autonomy.write"],
        default_scopes: &["legacy:autonomy.read"],
        enabled: true,
        imported: false,
    },
    Client {
        id: "autonomy-web",
        secret: "cs_autonomy-web-secret-00000000000000000000000002",
        grant_types: &["password", "refresh_token", "client_credentials"],
        scopes: &["legacy:*"],
        default_scopes: &[],
        enabled: true,
        imported: false,
    },
    Client {
        id: "no-grants",
        secret: "cs_no-grants-secret-00000000000000000000000000003",
        grant_types: &[],
        scopes: &["legacy:autonomy.read"],
        default_scopes: &[],
        enabled: true,
        imported: false,
    },
    Client {
        id: "switched-off",
        secret: "cs_switched-off-secret-000000000000000000000000004",
        grant_types: &["client_credentials"],
        scopes: &["legacy:autonomy.read"],
        default_scopes: &["legacy:autonomy.read"],
        enabled: false,
        imported: false,
    },
    // A secret with the characters that decoders treat differently.
    Client {
        id: "imported",
        secret: "s+e%c/r=!*~-_. &:",
        grant_types: &["client_credentials", "refresh_token"],
        scopes: &["legacy:autonomy.read"],
        default_scopes: &["legacy:autonomy.read"],
        enabled: true,
        imported: true,
    },
];

pub const USERNAME: &str = "john.smith@itccompliance.co.uk";
pub const USER_ID: &str = "1042";
/// A password that no other text normalizes to (NFC).
pub const PASSWORD: &str = "secret-password";

/// The key that authenticates refresh tokens.
pub const REFRESH_TOKEN_KEY: [u8; 32] = [1; 32];
/// Generations 4 to 6 of one family of `autonomy-web`. Generation 5 is active, and the grace of generation 4 is over.
pub const USED_TOKEN: &str = "cs_rt_AQABAgMEBQYHCAkKCwwNDg8AAAAECLlZSBuOIb2BQ3pzuPOTK0r1O8_YikzZXr_VDVp5flw";
pub const ACTIVE_TOKEN: &str = "cs_rt_AQABAgMEBQYHCAkKCwwNDg8AAAAFYZ6pLPM8QsB7bXyBMzWFXrnF3f-pX8QdLAiGYtP4aZs";
pub const SUCCESSOR_TOKEN: &str = "cs_rt_AQABAgMEBQYHCAkKCwwNDg8AAAAGMiCZ728-5dYHEHne5Slnhftu6l_kWgB7oDzCLRINQ48";
pub const FAMILY_SCOPES: [&str; 2] = ["legacy:autonomy.read", "legacy:autonomy.write"];

/// The signing key: Ed25519, the fastest algorithm.
static SIGNING_KEY: LazyLock<(SigningKey, String)> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let der = pair.to_pkcs8v1().expect("PKCS#8");
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    (SigningKey::from_pkcs8(der.as_ref()).expect("a signing key"), pem)
});

static PUBLIC_KEY: LazyLock<ParsedPublicKey> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    ParsedPublicKey::new(&ED25519, pair.public_key()).expect("a public key")
});

/// Returns the header and the claims of an access token. Panics if the signature is not valid.
pub fn verify(token: &str) -> (Value, Value) {
    let (signed, signature) = token.rsplit_once('.').expect("a JWT has three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    PUBLIC_KEY.verify_sig(signed.as_bytes(), &signature).expect("the signature is valid");
    let (header, claims) = signed.split_once('.').expect("a JWT has three parts");
    let decode = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON");
    (decode(header), decode(claims))
}

/// The fixed responses.
static CANNED: LazyLock<Canned> = LazyLock::new(|| {
    let (key, pem) = &*SIGNING_KEY;
    let document = json!({
        "version": 1,
        "current": {"kid": key.kid(), "alg": "EdDSA", "private_key": pem},
        "refresh": {"current": URL_SAFE_NO_PAD.encode(REFRESH_TOKEN_KEY)},
    });
    let argon2 = Argon2Params { memory_kib: 8, iterations: 1, parallelism: 1 };
    let slow_hash = |secret| Hasher::new(argon2).and_then(|hasher| hasher.hash(secret)).expect("a hash");
    let hash = slow_hash(PASSWORD);
    let user = json!({
        "username": {"S": USERNAME}, "user_id": {"S": USER_ID}, "password_hash": {"S": hash.as_str()},
        "dealer": {"M": {"id": {"S": "D-77"}}}, "enabled": {"BOOL": true},
    });
    let number = |number: u64| json!({"N": number.to_string()});
    let family = json!({
        "id": {"S": "refresh#AAECAwQFBgcICQoLDA0ODw"}, "client_id": {"S": "autonomy-web"},
        "username": {"S": USERNAME}, "user_id": {"S": USER_ID}, "scopes": {"SS": FAMILY_SCOPES},
        "version": number(2), "auth_time": number(NOW - 5_000), "generation": number(5), "session_generation": number(0),
        "rotated_at": number(NOW - 1_000), "rotated_by": {"S": "x"}, "revoked": {"BOOL": false},
        "absolute_expires_at": number(NOW + 1_000_000), "expires_at": number(NOW + 100_000),
    });
    let mut items = vec![("users", USERNAME, user), ("grants", "refresh#AAECAwQFBgcICQoLDA0ODw", family)];
    for client in &CLIENTS {
        let hash = if client.imported {
            slow_hash(client.secret).as_str().to_owned()
        } else {
            hash_client_secret(client.secret)
        };
        let mut attributes = json!({
            "client_id": {"S": client.id}, "enabled": {"BOOL": client.enabled}, "scopes": {"SS": client.scopes},
            "secrets": {"L": [{"M": {"hash": {"S": hash}}}]},
            "system": {"M": {"id": {"S": "7"}}},
        });
        // DynamoDB has no empty sets.
        for (name, set) in [("grant_types", client.grant_types), ("default_scopes", client.default_scopes)] {
            if !set.is_empty() {
                attributes[name] = json!({"SS": set});
            }
        }
        items.push(("clients", client.id, attributes));
    }
    Canned::new(&document.to_string(), items)
});

/// Returns the settings of the SDK for the fixed responses, without retries and timeouts.
pub fn sdk() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(CANNED.http_client())
        .region(Region::from_static("eu-west-2"))
        .endpoint_url("http://cloud.invalid")
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "fuzz")))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}
