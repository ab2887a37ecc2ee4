//! Hashes of other systems: the accepted forms, and logins with the imported passwords.

use std::fmt::Write;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::command_line;
use testing::{CHEAP_ARGON2, CommandOutput, TestApp, file};

/// Hashes of other systems: name, scheme, hash, password, and who made the hash.
fn vectors() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/hashes.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A deployment with a cheap current hash, because each login makes several.
async fn started() -> TestApp {
    let test = TestApp::start_with(|config| config.argon2 = CHEAP_ARGON2).await;
    test.use_system_time().await;
    test
}

async fn import(test: &TestApp, name: &str, lines: &str) -> CommandOutput {
    command_line(test).run(&["import", "users", file(name, lines).to_str().unwrap(), "--json"]).await
}

fn line(username: &str, hash: &str) -> String {
    json!({"username": username, "user_id": format!("id-{username}"), "password_hash": hash}).to_string()
}

#[tokio::test]
async fn users_of_every_system_log_in_with_the_password_that_they_had() {
    let test = started().await;
    let vectors = vectors();
    let text = |vector: &Value, member: &str| vector[member].as_str().unwrap().to_owned();
    let lines: String = vectors.iter().fold(String::new(), |lines, vector| {
        // Exports may surround a hash with white space.
        lines + &line(&text(vector, "name"), &format!(" {}\n", text(vector, "hash"))) + "\n"
    });
    let ran = import(&test, "hashes.jsonl", &lines).await;
    let report = ran.assert(0, "").json();
    let count: u64 =
        report["schemes"].as_object().unwrap().values().map(|counts| counts["new"].as_u64().unwrap()).sum();
    assert_eq!((count, report["lines"].as_u64()), (vectors.len() as u64, Some(vectors.len() as u64)));

    for vector in &vectors {
        let (name, password) = (text(vector, "name"), text(vector, "password"));
        let stored = || {
            let item = test.cloud.item("UsersTable", &json!({"username": name})).unwrap().unwrap();
            item["password_hash"]["S"].as_str().unwrap().to_owned()
        };
        let imported = stored();
        let scheme = countersign::password_hash::Hash::try_from(imported.clone()).unwrap().scheme();
        assert_eq!(scheme, vector["scheme"], "{name}");
        test.password(&name, "another password").await.assert_error(400, "invalid_grant");
        assert_eq!(stored(), imported, "{name}");

        assert_eq!(test.password(&name, &password).await.assert_issued(2).0["sub"], format!("id-{name}"), "{name}");
        // WordPress ignored the outer spaces of this one, so that it was not verified in full.
        let kept = password.trim() != password;
        assert_eq!(stored().starts_with("$argon2id$v=19$m=64,t=1,p=1$"), !kept, "{name}");
        test.password(&name, &password).await.assert_issued(2);
        test.password(&name, "another password").await.assert_error(400, "invalid_grant");
    }
    let schemes: std::collections::BTreeSet<_> = vectors.iter().map(|vector| text(vector, "scheme")).collect();
    let all = [
        "argon2d",
        "argon2i",
        "argon2id",
        "bcrypt",
        "bcrypt-sha256",
        "bcrypt-sha384",
        "pbkdf2-sha1",
        "pbkdf2-sha256",
        "pbkdf2-sha512",
        "phpass-md5",
        "phpass-sha512",
        "scrypt",
    ];
    assert!(schemes.iter().eq(all.iter()), "a scheme without a vector: {schemes:?}");
}

const UNKNOWN: &str = "not a hash in a known form; docs/cli.md lists the forms";

/// Returns hashes that are not accepted, each with its reason.
fn unaccepted() -> Vec<(String, &'static str)> {
    let keycloak = |credential: &str| {
        let secret = json!({"value": "YWJj", "salt": "YWJj"}).to_string();
        json!({"secretData": secret, "credentialData": credential}).to_string()
    };
    let (crypt, fast, plain) = ("a hash of crypt(3)", "a fast hash like MD5 or SHA", "a secret in plain text");
    let (costly, unknown) = ("needs too much work", UNKNOWN);
    let hashes = [
        ("$1$abcdefgh$G6eJ5eIzfjFWDg9S0.GG0.", crypt),
        ("$5$rounds=5000$saltsalt$rx2AgU1bh4zqtmkeHqc4mU0h8sZ5hvCVhBzlkyw2d3.", crypt),
        (
            "$6$MqQBEd1tBRTOmtON$IJwb/frrgmFI1QtT19DSvWdbTxZLQehXzf9MY9RqyyoF/jDpA4LicU87icccRIbFNEf6aMKglx.lSfH0lVh2s/",
            crypt,
        ),
        ("{CRYPT}$6$MqQBEd1tBRTOmtON$IJwb", crypt),
        ("{SHA512-CRYPT}$6$MqQBEd1tBRTOmtON$IJwb", crypt),
        ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", crypt),
        ("5f4dcc3b5aa765d61d8327deb882cf99", fast),
        ("5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8", fast),
        ("5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8", fast),
        ("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9hzYWx0", fast),
        ("{MD5}X03MO1qnZdYdgyfeuILPmQ==", fast),
        ("{SHA-256}5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8", fast),
        ("md5$salt$67a1e09bb1f83f5007dc119c14d663aa", fast),
        ("sha1$salt$59b3e8d637cf97edbe2384cf59cb7453dfe30789", fast),
        ("U$S$C33783772bRXEx1aCsvY.dqgaaSu76XmVlKrW9Qu8IQlvxHlmzLf", fast),
        ("{noop}password", plain),
        ("{PLAIN}password", plain),
        ("{CLEARTEXT}password", plain),
        ("$2y$15$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq", costly),
        ("pbkdf2_sha256$2000001$salt$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc=", costly),
        ("scrypt:131072:8:1$salt$f08a7f0ad61b873268844e6f9dd63db3", costly),
        ("$scrypt$ln=131072,r=8,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", costly),
        ("$scrypt$ln=63,r=8,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", costly),
        ("hunter2", unknown),
        ("scrypt:32767:8:1$salt$f08a7f0ad61b873268844e6f9dd63db3", unknown),
        ("scrypt:0:8:1$salt$f08a7f0ad61b873268844e6f9dd63db3", unknown),
        ("$scrypt$ln=65,r=8,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", costly),
        ("{scrypt}$e0801$YWJj$YWJj", unknown),
        ("{pbkdf2}5d923b44", unknown),
        ("pbkdf2_md5$1000$salt$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc=", unknown),
        // ASP.NET Identity: cut, with more at the end, of an unknown digest, and with a length that is not there.
        ("AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggE=", unknown),
        ("AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJgAAAAAAAAAAAAA=", unknown),
        ("AQAAAAMAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M", unknown),
        ("AQAAAAEAAAD6AAAA/whftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M", unknown),
        ("AQ==", unknown),
        (&*keycloak("{}"), unknown),
        (&*keycloak("no JSON"), unknown),
        (&*keycloak(r#"{"hashIterations": 1000, "algorithm": "pbkdf2-md5"}"#), unknown),
        (
            &*keycloak(r#"{"hashIterations": 5, "algorithm": "argon2", "additionalParameters": {"memory": []}}"#),
            unknown,
        ),
        (r#"{"secretData": 5}"#, unknown),
    ];
    hashes.iter().map(|(hash, reason)| ((*hash).to_owned(), *reason)).collect()
}

#[tokio::test]
async fn a_hash_that_is_not_accepted_is_rejected_with_what_to_do() {
    let test = started().await;
    let unaccepted = unaccepted();
    let lines = unaccepted.iter().enumerate().fold(String::new(), |mut lines, (number, (hash, _))| {
        writeln!(lines, "{}", line(&format!("user-{number}"), hash)).unwrap();
        lines
    });
    let ran = import(&test, "rejected.jsonl", &lines).await;
    let report = ran.assert(3, "line 1: ").json();
    let reported = report["rejected"].as_array().unwrap();
    assert_eq!(reported.len(), unaccepted.len(), "{report}");
    for ((hash, expected), line) in unaccepted.iter().zip(reported) {
        let reason = line["reason"].as_str().unwrap();
        assert!(reason.contains(expected), "{hash}: {reason}");
        let says_what_to_do = reason.ends_with("leave it out, and set a new one after the import");
        assert!(says_what_to_do || *expected == UNKNOWN, "{reason}");
        assert!(!reason.contains(hash.as_str()), "{reason}");
    }
}

/// The parsers take any text. The command would end with another code if one of them panicked.
#[tokio::test]
async fn any_text_is_imported_or_rejected() {
    let test = started().await;
    let hash = prop_oneof![
        any::<String>(),
        "[{]?(bcrypt|CRYPT|argon2@x|pbkdf2|pbkdf2@SpringSecurity_v5_8|SSHA)[}]?[$0-9a-f]{0,20}",
        "(scrypt|pbkdf2)[:$](sha1|[0-9]{0,20})[:$]?[0-9]{0,9}[:$]?[0-9]{0,9}[$][a-z0-9]{0,4}[$]([0-9a-f]{2}){0,9}",
        "[$](scrypt|pbkdf2|pbkdf2-sha1)[$](ln=|i=)?[0-9]{0,20}(,r=[0-9]{0,9},p=[0-9]{0,9})?[$][a-z]{0,4}[$][a-z]{0,9}",
        "A[AQ][A-D]A[A-Za-z0-9+/]{0,120}={0,2}",
        "[0-9a-f\u{e4}:]{0,40}",
        r#"\{"secretData":("?\{\}"?|5|\[\]),"credentialData":(null|"\{\}"|"x")\}"#,
    ];
    let mut runner = TestRunner::default();
    let lines = (0..500).fold(String::new(), |mut lines, number| {
        let hash = hash.new_tree(&mut runner).unwrap().current();
        writeln!(lines, "{}", line(&format!("user-{number}"), &hash)).unwrap();
        lines
    });
    let ran = import(&test, "any.jsonl", &lines).await;
    assert_eq!(ran.assert(3, "").json()["lines"], 500);
}
