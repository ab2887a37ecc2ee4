//! What a demo needs: a key, a client of each kind, and a user.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::app::App;
use countersign::secret::hash_client_secret;
use serde_json::{Value, json};

use crate::cloud::{Cloud, Fault};

/// A service: its id and its secret.
pub const SERVICE: (&str, &str) = ("demo-service", "cs_ZeMCredNtsx-jo-PBup0nRutWeco3c1iwWNMiqPiopYlTe8wH");
/// A first-party application: its id and its secret.
pub const APPLICATION: (&str, &str) = ("demo-app", "cs_4HG7xuHUrZdtD1g5wSJxgKB__alGAihun5X5vSILKkwG6pDgn");
/// A user: the name and the password.
pub const USER: (&str, &str) = ("john.smith@itccompliance.co.uk", "secret-password");
/// What they may have.
pub const SCOPES: [&str; 2] = ["legacy:autonomy.write", "legacy:autonomy.read"];

/// Puts in what the demo needs. What a data file holds of it already is left alone.
pub fn seed(cloud: &Cloud, app: &App) -> Result<(), Fault> {
    if cloud.secret()?.is_none() {
        cloud.put_secret(&generate_pem()?)?;
    }
    let now = app.clock.now();
    let client = |(client_id, secret): (&str, &str), name, grant_types: &[&str]| {
        json!({
            "client_id": client_id, "name": name, "enabled": true, "created_at": now, "updated_at": now,
            "secrets": [{"id": "demo", "hash": hash_client_secret(secret), "created_at": now}],
            "grant_types": grant_types, "scopes": ["legacy:*"], "default_scopes": SCOPES,
        })
    };
    let put_new = |table, key: &str, item: Value| match cloud.item(table, &json!({key: item[key]}))? {
        Some(_) => Ok(()),
        None => cloud.put(table, &item),
    };
    put_new("ClientsTable", "client_id", client(SERVICE, "Demo service", &["client_credentials"]))?;
    put_new("ClientsTable", "client_id", client(APPLICATION, "Demo application", &["password", "refresh_token"]))?;
    let user = json!({
        "username": USER.0, "user_id": "1", "password_hash": app.hasher.hash(USER.1)?.as_str(), "enabled": true,
        "scopes": SCOPES, "dealer": {"id": "D-77", "name": "Smith Motors"},
    });
    put_new("UsersTable", "username", user)
}

/// A fresh RSA key as a bare PEM, as those would put it into the secret who bring their own.
fn generate_pem() -> Result<String, Fault> {
    let der: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048)?.as_der()?;
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref())))
}
