//! The fixtures of the local example: a key, a client of each kind, and a user; and fixtures of files like them.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use countersign::password_hash::{Hasher, hash_client_secret};
use serde_json::{Value, json};

use crate::cloud::{BoxError, Cloud};
use crate::deployment::pem;

/// The clients and the user, with plain secrets.
pub static FIXTURES: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("demo.json")).unwrap());

/// Stores a key and [`FIXTURES`], unless the account contains them.
pub fn seed(cloud: &Cloud, hasher: &Hasher) -> Result<(), BoxError> {
    if cloud.secret()?.is_none() {
        cloud.put_secret(&generate_pem()?)?;
    }
    add(cloud, hasher, &FIXTURES)
}

/// Stores the clients and users of fixtures that the account does not contain. Slow hashes have the parameters of
/// `hasher`.
pub fn add(cloud: &Cloud, hasher: &Hasher, fixtures: &Value) -> Result<(), BoxError> {
    let hash = |secret: &str, _: Option<&str>| {
        if secret.starts_with("cs_") {
            return Ok(hash_client_secret(secret));
        }
        Ok(hasher.hash(secret)?.as_str().to_owned())
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

/// Converts clients or users with plain secrets to items with hashes. `hash` gets a secret, and the name of its scheme if
/// the fixture has one.
pub fn items(
    fixtures: &Value,
    hash: impl Fn(&str, Option<&str>) -> Result<String, BoxError>,
) -> Result<Vec<Value>, BoxError> {
    let hash_in_place = |record: &mut Value, plain: &str, hashed: &str| -> Result<(), BoxError> {
        let record = record.as_object_mut().ok_or("a fixture is not an object")?;
        let scheme = record.remove("scheme");
        if let Some(secret) = record.remove(plain) {
            let secret = secret.as_str().ok_or("a secret is not a string")?;
            record.insert(hashed.to_owned(), hash(secret, scheme.as_ref().and_then(Value::as_str))?.into());
        }
        Ok(())
    };
    let mut items = fixtures.as_array().ok_or("the fixtures are not a list")?.clone();
    for item in &mut items {
        hash_in_place(item, "password", "password_hash")?;
        for secret in item.get_mut("secrets").and_then(Value::as_array_mut).into_iter().flatten() {
            hash_in_place(secret, "secret", "hash")?;
        }
    }
    Ok(items)
}

/// Returns a new RSA key as PEM, the form of an externally managed key.
pub fn generate_pem() -> Result<String, BoxError> {
    let der: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048)?.as_der()?;
    Ok(pem(der.as_ref()))
}
