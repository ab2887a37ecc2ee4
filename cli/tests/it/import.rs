//! `countersign import`: users and clients of another system, with their passwords and secrets.

use std::fmt::Write;
use std::path::Path;

use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use countersign::password_hash::Hasher;
use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{CHEAP_ARGON2, CommandOutput, TestApp, file};

mod cases;
mod lines;
mod overwrite;
mod runs;

const IMPORTED: &str = "imported-password";

async fn import(test: &TestApp, kind: &str, path: &Path, more: &[&str]) -> CommandOutput {
    let path = path.to_str().unwrap();
    command_line(test).run(&[&["import", kind, path, "--json"], more].concat()).await
}

/// Returns the line numbers of the rejected lines, with their reasons.
fn rejected(ran: &CommandOutput) -> Vec<(u64, String)> {
    let report = ran.json();
    let rejected = report["rejected"].as_array().unwrap().iter();
    rejected.map(|bad| (bad["line"].as_u64().unwrap(), bad["reason"].as_str().unwrap().to_owned())).collect()
}

/// Asserts that exactly these lines were rejected, with reasons that contain these words.
#[track_caller]
fn assert_rejected(ran: &CommandOutput, expected: &[(u64, &str)]) {
    let rejected = rejected(ran);
    assert_eq!(
        rejected.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        expected.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        "{rejected:?}"
    );
    for ((line, reason), (_, words)) in rejected.iter().zip(expected) {
        assert!(reason.contains(words), "line {line}: {reason}");
    }
}

fn user(test: &TestApp, username: &str) -> Value {
    test.cloud.item("UsersTable", &json!({"username": username})).unwrap().unwrap_or_default()
}

fn pbkdf2(salt: &[u8], rounds: u32) -> Vec<u8> {
    let mut hash = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds.try_into().unwrap(), salt, IMPORTED.as_bytes(), &mut hash);
    hash.to_vec()
}

/// Returns hashes of the same password in every form, each with a name and its reported scheme.
fn hashes() -> Vec<(&'static str, &'static str, String)> {
    let bcrypt = |version| bcrypt::hash_with_salt(IMPORTED, 4, [7; 16]).unwrap().format_for_version(version);
    let salt = b"salt-of-16-bytes";
    let hash = pbkdf2(salt, 1000);
    let (phc_salt, phc_hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(&hash));
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("argon2id", "argon2id", Hasher::new(CHEAP_ARGON2).unwrap().hash(IMPORTED).unwrap().as_str().to_owned()),
        ("laravel", "bcrypt", bcrypt(bcrypt::Version::TwoY)),
        ("bcrypt-b", "bcrypt", bcrypt(bcrypt::Version::TwoB)),
        ("bcrypt-a", "bcrypt", bcrypt(bcrypt::Version::TwoA)),
        ("phc", "pbkdf2-sha256", format!("$pbkdf2-sha256$i=1000${phc_salt}${phc_hash}")),
        (
            "passlib",
            "pbkdf2-sha256",
            format!("$pbkdf2-sha256$1000${}${}", phc_salt.replace('+', "."), phc_hash.replace('+', ".")),
        ),
        ("django", "pbkdf2-sha256", format!("pbkdf2_sha256$1000$salt-of-16-bytes${}", STANDARD.encode(&hash))),
        (
            "django-argon2",
            "argon2id",
            format!("argon2{}", Hasher::new(CHEAP_ARGON2).unwrap().hash(IMPORTED).unwrap().as_str()),
        ),
        ("django-bcrypt", "bcrypt", format!("bcrypt${}", bcrypt(bcrypt::Version::TwoB))),
        ("werkzeug", "pbkdf2-sha256", format!("pbkdf2:sha256:1000$salt-of-16-bytes${hex}")),
    ]
}

#[tokio::test]
async fn imported_users_log_in_with_their_password_for_every_hash_scheme() {
    let test = started().await;
    let mut lines = String::new();
    for (name, _, hash) in hashes() {
        writeln!(lines, "{}", json!({"username": name, "user_id": format!("id-{name}"), "password_hash": hash}))
            .unwrap();
    }
    writeln!(lines, "{}", json!({"username": "without"})).unwrap();
    let path = file("schemes.jsonl", &lines);
    let dry = import(&test, "users", &path, &["--dry-run"]).await;
    dry.assert(0, "");
    assert_eq!(user(&test, "laravel"), Value::Null, "a dry run writes nothing");
    let done = import(&test, "users", &path, &[]).await;
    done.assert(0, "changing the tables");
    let report = done.json();
    for (scheme, count) in [("argon2id", 2), ("bcrypt", 4), ("pbkdf2-sha256", 4), ("no password", 1)] {
        assert_eq!(report["schemes"][scheme], json!({"new": count, "replaced": 0, "existing": 0}), "{scheme}");
        assert_eq!(report["schemes"], dry.json()["schemes"]);
    }

    // Two users of the fixtures have an old hash, too.
    let status = command_line(&test).json(&["import", "status"]).await;
    assert_eq!(status["waiting"], 12);
    assert_eq!(status["waiting_by_scheme"], json!({"argon2id": 2, "bcrypt": 6, "pbkdf2-sha256": 4}));
    for (name, ..) in hashes() {
        let claims = test.password(name, IMPORTED).await.assert_issued(2).0;
        assert_eq!(claims["sub"], format!("id-{name}"));
        assert_eq!(test.password(name, "imported-passwort").await.status, 400);
        let hash = user(&test, name)["password_hash"]["S"].as_str().unwrap().to_owned();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{name}");
    }
    let status = command_line(&test).json(&["import", "status"]).await;
    assert_eq!(status["waiting_by_scheme"], json!({"bcrypt": 2}));

    // A second import of the same file changes nothing.
    let again = import(&test, "users", &path, &[]).await;
    assert_eq!(again.json()["schemes"]["bcrypt"], json!({"new": 0, "replaced": 0, "existing": 4}));
    assert_eq!(command_line(&test).json(&["import", "status"]).await["waiting"], 2);
}

#[tokio::test]
async fn clients_are_imported_with_secrets_in_plain_text_or_hashed() {
    let test = started().await;
    let generated = countersign::password_hash::generate_client_secret();
    let common = json!({"grant_types": ["client_credentials"], "scopes": ["a"], "default_scopes": ["a"]});
    let line = |more: Value| {
        let mut line = common.clone();
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.to_string()
    };
    let lines = [
        line(json!({"client_id": "plain", "secret": "40-letters-that-passport-made-one-day-00"})),
        line(json!({"client_id": "ours", "secret": generated})),
        line(json!({"client_id": "9b1c.legacy client", "secret_hash": hashes()[1].2})),
        line(json!({"client_id": "both", "secret": "x", "secret_hash": "y"})),
        line(json!({"client_id": "umlaut", "secret": "p\u{e4}ss"})),
        line(json!({"secret": "x"})),
        line(json!({"client_id": "trivial", "secret": "password"})),
        line(json!({"client_id": "repeated", "secret": "aaaaaaaaaaaaaaaaaaaaaaaa"})),
        line(json!({"client_id": "warehouse-sync-7", "secret": "warehouse-sync-7"})),
        line(json!({"client_id": "odd", "grant_types": ["implicit"]})),
        line(json!({"client_id": "typo", "scope": "a"})),
    ];
    let path = file("clients.jsonl", &lines.join("\n"));
    let ran = import(&test, "clients", &path, &[]).await;
    let reasons = [
        "both a secret and a secret_hash",
        "not allowed",
        "missing field `client_id`",
        "the secret is easy to guess",
        "the secret is easy to guess",
        "the secret is easy to guess",
        "\"implicit\" is not supported",
        "unknown field `scope`",
    ];
    assert_rejected(ran.assert(3, ""), &(4..).zip(reasons).collect::<Vec<_>>());
    let grant = [("grant_type", "client_credentials")];
    let secrets = [
        ("plain", "40-letters-that-passport-made-one-day-00", "$argon2id$"),
        ("ours", &generated, "$sha256$"),
        ("9b1c.legacy client", IMPORTED, "$2y$"),
    ];
    for (id, secret, scheme) in secrets {
        assert_eq!(test.form((id, secret), &grant).await.status, 200, "{id}");
        let item = test.cloud.item("ClientsTable", &json!({"client_id": id})).unwrap().unwrap();
        let hash = item["secrets"]["L"][0]["M"]["hash"]["S"].as_str().unwrap();
        assert!(hash.starts_with(scheme), "{id}");
        assert!(!format!("{ran:?}").contains(hash) && !format!("{ran:?}").contains(secret));
    }
}
