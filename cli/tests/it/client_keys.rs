//! The public keys of clients: `countersign client key`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{ClientKeyPair, SERVICE, TestApp, file, form, fresh_path};

fn keys(test: &TestApp) -> Vec<Value> {
    let client = test.cloud.item("ClientsTable", &json!({"client_id": SERVICE.0})).unwrap().unwrap();
    client["jwks"]["L"].as_array().cloned().unwrap_or_default()
}

fn pem(key: &ClientKeyPair) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(key.public_der()))
}

/// Asserts that an assertion that this key signs is accepted.
async fn assert_accepted(test: &TestApp, key: &ClientKeyPair, jti: &str) {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let assertion = key.assertion(SERVICE.0, jti, &json!({"iat": test.now(), "exp": test.now() + 60}));
    let params =
        [("grant_type", "client_credentials"), ("client_assertion_type", kind), ("client_assertion", &assertion)];
    test.send(form(&params).post()).await.assert_issued(2);
}

#[tokio::test]
async fn a_key_is_added_from_a_jwk_a_set_and_a_pem_and_its_assertions_are_accepted() {
    let test = started().await;
    let line = command_line(&test);
    let pairs = ["ES256", "ES384", "EdDSA", "PS256"].map(ClientKeyPair::generate);
    let with = |key: &ClientKeyPair, more: Value| {
        let mut jwk = key.jwk.clone();
        jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        jwk
    };
    let add = async |text: &str, more: &[&str]| {
        let path = file("key", text);
        line.run(&[&["client", "key", "add", SERVICE.0, path.to_str().unwrap()], more].concat()).await
    };
    add(&with(&pairs[0], json!({"kid": "one", "use": "sig", "x5t": "AA"})).to_string(), &[]).await.assert(0, "");
    add(&json!({"keys": [with(&pairs[1], json!({"alg": "ES384"}))]}).to_string(), &["--kid", "two"])
        .await
        .assert(0, "");
    add(&pem(&pairs[2]), &[]).await.assert(0, "");
    add(&pem(&pairs[3]), &[]).await.assert(1, "an RSA key needs --alg: RS256 or PS256");
    let added = line.run_with(&["client", "key", "add", SERVICE.0, "-", "--alg", "PS256"], &pem(&pairs[3])).await;
    added.assert(0, "");
    assert_eq!(added.out.lines().count(), 5, "{added:?}");
    for (number, pair) in pairs.iter().enumerate() {
        assert_accepted(&test, pair, &number.to_string()).await;
    }
    let stored = keys(&test);
    assert_eq!(
        stored.iter().map(|key| key["M"]["kid"]["S"].as_str().unwrap()).take(2).collect::<Vec<_>>(),
        ["one", "two"]
    );
    assert!(!stored[0].to_string().contains("x5t"));
    let listed = line.json(&["client", "key", "list", SERVICE.0]).await;
    assert_eq!((&listed[3]["alg"], listed.as_array().unwrap().len()), (&json!("PS256"), 4));
    assert_eq!(listed[2]["kid"].as_str().unwrap().len(), 43);
    assert_eq!(listed[1]["jwk"]["crv"], "P-384");
    assert!(line.run(&["client", "list"]).await.out.contains("1 secret + 4 keys"));

    add(&pem(&pairs[2]), &["--kid", "five"]).await.assert(1, "has 4 active keys; retire one");
    add(&pairs[0].jwk.to_string(), &["--kid", "one"]).await.assert(1, "already has a key \"one\"");
    assert_eq!(keys(&test), stored);
    for kid in ["", "a\tb"] {
        add(&pem(&pairs[2]), &["--kid", kid]).await.assert(2, "is not empty and has no control characters");
    }
}

#[tokio::test]
async fn a_private_key_and_other_files_are_rejected() {
    let test = started().await;
    let line = command_line(&test);
    let mut private = ClientKeyPair::generate("ES256").jwk;
    private["d"] = json!("AA");
    let short = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"});
    let two = json!({"keys": [{}, {}]});
    // A key of secp256k1, whose coordinates have the size of those of P-256.
    let other_curve = "-----BEGIN PUBLIC KEY-----\nMFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAECxzxsVBFhUDQj9TfeDWRwV9Hv9W5MEEV\n\
        qrbDxbLLDBEDAJS+czA6XtpJ/sOYlGpki7aqUozbg7KGo6vOp2MbRQ==\n-----END PUBLIC KEY-----\n";
    for (text, said) in [
        (private.to_string(), "has a private key, which must stay with the client"),
        (testing::p256_pem(), "has a private key, which must stay with the client"),
        (json!({"keys": [private]}).to_string(), "has a private key"),
        (json!({"kty": "oct", "k": "AA"}).to_string(), "not a usable key"),
        (short.to_string(), "do not have the size of the curve"),
        (two.to_string(), "has 2 keys"),
        (other_curve.to_owned(), "it is not on the curve P-256 or P-384"),
        (json!({"keys": []}).to_string(), "has 0 keys"),
        ("{".to_owned(), "is neither a JWK"),
        ("hello".to_owned(), "is neither a JWK"),
        (String::new(), "is neither a JWK"),
    ] {
        let path = file("key", &text);
        line.run(&["client", "key", "add", SERVICE.0, path.to_str().unwrap()]).await.assert(1, said);
    }
    for (path, said) in [("/no/such/file", "cannot read /no/such/file: "), ("/dev", "cannot read /dev: Is a directory")]
    {
        line.run(&["client", "key", "add", SERVICE.0, path]).await.assert(1, said);
    }
    let large = file("key", &"{".repeat(64 * 1024 + 1));
    line.run(&["client", "key", "add", SERVICE.0, large.to_str().unwrap()]).await.assert(1, "has more than 64 KiB");
    fs::write(&large, [0x30, 0x82, 0xff]).unwrap();
    line.run(&["client", "key", "add", SERVICE.0, large.to_str().unwrap()]).await.assert(1, "is not text");
    let path = file("key", &ClientKeyPair::generate("ES256").jwk.to_string());
    let wrong = ["client", "key", "add", SERVICE.0, path.to_str().unwrap(), "--alg", "RS256"];
    line.run(&wrong).await.assert(1, "the key does not sign by RS256");
    // The command for the public half names the file and the client.
    let path = file("a private key", &testing::p256_pem());
    let said = format!("`openssl pkey -in '{}' -pubout | countersign client key add {} -`", path.display(), SERVICE.0);
    line.run(&["client", "key", "add", SERVICE.0, path.to_str().unwrap()]).await.assert(1, &said);
    let add = ["client", "key", "add", SERVICE.0, "-"];
    line.run_with(&add, &testing::p256_pem())
        .await
        .assert(1, "stdin has a private key")
        .assert(1, "pkey -in FILE -pubout");
    let set = json!({"keys": [private]}).to_string();
    let said =
        "`jq '(.keys[0] // .) | del(.d,.p,.q,.dp,.dq,.qi,.oth)' FILE | countersign client key add billing-cron -`";
    line.run_with(&add, &set).await.assert(1, said);
    assert!(keys(&test).is_empty());
}

#[tokio::test]
async fn a_generated_key_is_in_a_new_file_that_only_its_owner_can_read() {
    let test = started().await;
    let line = command_line(&test);
    let path = fresh_path("private.pem");
    let generate = ["client", "key", "generate", SERVICE.0, "--out", path.to_str().unwrap()];
    let made = line.run(&generate).await;
    made.assert(0, "");
    let private_key = fs::read_to_string(&path).unwrap();
    assert!(!made.out.contains(private_key.lines().nth(1).unwrap()));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(private_key.lines().all(|line| line.len() <= 64));
    let stored = keys(&test);
    assert_eq!(stored.len(), 1);

    // The stored half is that of the file.
    let public = Command::new("openssl").args(["pkey", "-pubout", "-in", path.to_str().unwrap()]).output().unwrap();
    let public = file("public", &String::from_utf8(public.stdout).unwrap());
    let same = line.run(&["client", "key", "add", SERVICE.0, public.to_str().unwrap()]).await;
    same.assert(1, "already has a key");

    line.run(&generate).await.assert(1, "choose a new file");
    assert_eq!((fs::read_to_string(&path).unwrap(), keys(&test)), (private_key, stored));

    // A key that the client cannot have is not written to a file.
    let full: Vec<_> = (0..4).map(|number| ClientKeyPair::generate("ES256").entry(&number.to_string())).collect();
    test.change_client(SERVICE.0, &json!({"jwks": full}));
    let path = fresh_path("private.pem");
    let generate = async |id: &str| line.run(&["client", "key", "generate", id, "--out", path.to_str().unwrap()]).await;
    generate(SERVICE.0).await.assert(1, "has 4 active keys; retire one");
    let create = ["client", "create", "pub", "--public", "--scope", "a", "--grant-type", "refresh_token"];
    line.run(&create).await.assert(0, "");
    generate("pub")
        .await
        .assert(1, "pub is a public client, which has no keys; for a client with keys: `countersign client");
    generate("unknown").await.assert(1, "client unknown not found");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_key_is_retired_immediately_or_later() {
    let test = started().await;
    let line = command_line(&test);
    line.run(&[
        "client",
        "create",
        "report",
        "--no-secret",
        "--auth-method",
        "private_key_jwt",
        "--scope",
        "a",
        "--grant-type",
        "client_credentials",
    ])
    .await
    .assert(0, "");
    let secret = line.run(&["client", "rotate-secret", "report"]).await;
    secret.assert(1, "has to authenticate by another method than a secret");
    line.run(&["client", "key", "list", "report"]).await.assert(0, "");
    for name in ["old", "new"] {
        let path = file("key", &ClientKeyPair::generate("ES256").jwk.to_string());
        line.run(&["client", "key", "add", "report", path.to_str().unwrap(), "--kid", name]).await.assert(0, "");
    }
    let retire = async |more: &[&str]| line.run(&[&["client", "key", "retire", "report"], more].concat()).await;
    let later = retire(&["old", "--expires-in", "24h"]).await;
    later.assert(0, "");
    assert!(later.out.contains("active until"), "{later:?}");
    retire(&["old"]).await.assert(0, "");
    retire(&["old"]).await.assert(1, "has no key with this id");
    retire(&["new"]).await.assert(1, "The client will get no tokens. stdin is not a terminal; confirm with --yes");
    retire(&["new", "--yes"]).await.assert(0, "");
    assert_eq!(line.json(&["client", "key", "list", "report"]).await, json!([]));
    // An update keeps the keys.
    let path = file("key", &ClientKeyPair::generate("ES256").jwk.to_string());
    line.run(&["client", "key", "add", "report", path.to_str().unwrap(), "--kid", "new"]).await.assert(0, "");
    line.run(&["client", "update", "report", "--legacy-audience"]).await.assert(0, "");
    let shown = line.json(&["client", "show", "report"]).await;
    assert_eq!((&shown["keys"], &shown["legacy_audience"]), (&json!(["new"]), &json!(true)));
    line.run(&["client", "update", "report", "--public"]).await.assert(1, "has no keys; retire them first");
}
