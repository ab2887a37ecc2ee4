//! What a demo needs: a key, a client of each kind, and a user.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::app::App;
use countersign::password_hash::hash_client_secret;
use serde_json::{Value, json};

use crate::cloud::{Cloud, Fault};

/// Puts in what the demo needs. What a data file holds of it already is left alone.
pub fn seed(cloud: &Cloud, app: &App) -> Result<(), Fault> {
    if cloud.secret()?.is_none() {
        cloud.put_secret(&generate_pem()?)?;
    }
    let fixtures: Value = serde_json::from_str(include_str!("demo.json"))?;
    let hash = |secret: &str, _: Option<&str>| {
        if secret.starts_with("cs_") {
            return Ok(hash_client_secret(secret));
        }
        Ok(app.hasher.hash(secret)?.as_str().to_owned())
    };
    for (table, key, list) in [("ClientsTable", "client_id", "clients"), ("UsersTable", "username", "users")] {
        for item in items(&fixtures[list], hash)? {
            if cloud.item(table, &json!({key: item[key]}))?.is_none() {
                cloud.put(table, &item)?;
            }
        }
    }
    Ok(())
}

/// Clients or users that have their secrets in the clear, as the items that are stored of them. What hashes is given a
/// secret and the scheme that it asks for.
pub fn items(
    fixtures: &Value,
    hash: impl Fn(&str, Option<&str>) -> Result<String, Fault>,
) -> Result<Vec<Value>, Fault> {
    let hash_in_place = |record: &mut Value, plain: &str, hashed: &str| -> Result<(), Fault> {
        let record = record.as_object_mut().ok_or("a fixture is no object")?;
        let scheme = record.remove("scheme");
        if let Some(secret) = record.remove(plain) {
            let secret = secret.as_str().ok_or("a secret is no string")?;
            record.insert(hashed.to_owned(), hash(secret, scheme.as_ref().and_then(Value::as_str))?.into());
        }
        Ok(())
    };
    let mut items = fixtures.as_array().ok_or("the fixtures are no list")?.clone();
    for item in &mut items {
        hash_in_place(item, "password", "password_hash")?;
        for secret in item.get_mut("secrets").and_then(Value::as_array_mut).into_iter().flatten() {
            hash_in_place(secret, "secret", "hash")?;
        }
    }
    Ok(items)
}

/// A fresh RSA key as a bare PEM, as those would put it into the secret who bring their own.
fn generate_pem() -> Result<String, Fault> {
    let der: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048)?.as_der()?;
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref())))
}
