//! `countersign doctor`: finds each problem of a deployment, and says how to fix it.

use serde_json::{Value, json};

use super::keys::made;
use crate::{command_line, started};
use testing::p256_pem;
use testing::{CASES, ClientKeyPair, CommandLine, CommandOutput, ISSUER, TestApp};

const ROTATING: [&str; 2] = ["SIGNING_ALGORITHM", "ES256"];

async fn doctor(line: &CommandLine, url: &str, more: &[[&str; 2]]) -> CommandOutput {
    let mut command = line.bare(&["--url", url, "doctor", "--json"]);
    command.envs(testing::cloud::environment(ISSUER)).envs(more.iter().map(|[name, value]| (name, value)));
    CommandOutput::of(command.spawn().unwrap(), "").await
}

/// Returns the findings of a check: the level, and the finding with its fix.
fn of(ran: &CommandOutput, check: &str) -> Vec<(String, String)> {
    let report = ran.json();
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings.map(|one| (text(&one["level"]), format!("{} -> {}", text(&one["finding"]), text(&one["fix"])))).collect()
}

#[track_caller]
fn assert_found(ran: &CommandOutput, check: &str, level: &str, said: &str) {
    let found = of(ran, check);
    assert!(found.iter().any(|(found, words)| found == level && words.contains(said)), "{level} {said:?}: {found:?}");
}

#[tokio::test]
async fn healthy_parts_are_ok() {
    let test = made(5 * 86_400).await;
    let url = test.serve().await;
    let ran = doctor(&command_line(&test), &url, &[ROTATING]).await;
    for check in ["endpoint", "clock", "secret", "rotation", "published keys"] {
        assert_eq!(of(&ran, check).len(), 1, "{check}");
        assert_found(&ran, check, "ok", "");
    }
    let shown = command_line(&test).run(&["--url", &url, "doctor"]).await;
    shown.assert(shown.code, "ok       endpoint        http://127.0.0.1").assert(shown.code, "warning  table clients");
    assert!(!shown.out.contains("\u{1b}["));
    let mut of_stack = command_line(&test).bare(&["--stack", "countersign", "--url", &url, "doctor", "--json"]);
    assert_found(
        &CommandOutput::of(of_stack.spawn().unwrap(), "").await,
        "stack",
        "ok",
        "countersign is UPDATE_COMPLETE",
    );
}

#[tokio::test]
async fn a_client_with_a_cookie_needs_a_domain_of_the_api() {
    let test = started().await;
    test.put_browser_app();
    for (issuer, is_found) in [("https://a1b2.execute-api.eu-west-2.amazonaws.com", true), (ISSUER, false)] {
        let ran = doctor(&command_line(&test), "http://127.0.0.1:9", &[["ISSUER", issuer]]).await;
        let found = of(&ran, "clients");
        let found = found.iter().any(|(level, words)| {
            level == "warning" && words.starts_with("spa: a refresh token cookie") && words.contains("DomainName")
        });
        assert_eq!(found, is_found, "{issuer}");
    }
}

#[tokio::test]
async fn a_client_with_more_than_two_active_secrets_is_found() {
    let test = started().await;
    let hash = countersign::password_hash::hash_client_secret("secret");
    let secret = |expires_at: u64| json!({"hash": hash, "expires_at": expires_at});
    for (id, first) in [("two", 1), ("three", u64::from(u32::MAX))] {
        let secrets = [secret(first), secret(u32::MAX.into()), secret(u32::MAX.into())];
        test.cloud.put("ClientsTable", &json!({"client_id": id, "enabled": true, "secrets": secrets})).unwrap();
    }
    let ran = doctor(&command_line(&test), "http://127.0.0.1:9", &[]).await;
    assert_found(&ran, "clients", "warning", "three: more than two active secrets, so no tokens");
}

#[tokio::test]
async fn an_api_that_does_not_respond_or_has_another_issuer_is_an_error() {
    let test = started().await;
    let line = command_line(&test);
    let silent = doctor(&line, "http://127.0.0.1:9", &[]).await;
    assert_found(&silent, "endpoint", "error", "did not respond");
    assert_eq!(silent.code, 1);
    assert!(silent.err.contains("each finding says how to fix it"));
    let url = test.serve().await;
    let other = doctor(&line, &url, &[["ISSUER", "https://other.example"]]).await;
    assert_found(&other, "endpoint", "error", ", not https://other.example");
    let wrong_path = doctor(&line, &format!("{url}/other"), &[]).await;
    assert_found(&wrong_path, "endpoint", "error", "returned 404");

    test.app.warm_up().await;
    let clock = testing::cloud::serve(axum::Router::new().fallback(async || {
        let metadata = json!({"issuer": ISSUER, "token_endpoint": format!("{ISSUER}/oauth/token"),
                              "jwks_uri": format!("{ISSUER}/.well-known/jwks.json"), "keys": [{"kid": "x", "d": "y"}]});
        ([("date", "Sun, 22 Nov 2020 00:00:00 GMT")], metadata.to_string())
    }));
    let skewed = doctor(&line, &format!("http://{}", clock.await.unwrap()), &[]).await;
    assert_found(&skewed, "clock", "error", "this machine's is ahead by");
    assert_found(&skewed, "published keys", "error", "is published with its private key");
    assert_found(&skewed, "published keys", "warning", "not in the secret: x");
}

#[tokio::test]
async fn keys_that_are_invalid_unpublished_or_late_are_found() {
    let late = made(40 * 86_400).await;
    let url = late.serve().await;
    let mut of_stack = command_line(&late).bare(&["--stack", "countersign", "--url", &url, "doctor", "--json"]);
    let ran = CommandOutput::of(of_stack.spawn().unwrap(), "").await;
    assert_found(&ran, "rotation", "warning", "the current key has signed for 40d, but its limit is 30d");
    let ran = doctor(&command_line(&late), &url, &[["SIGNING_ALGORITHM", "EdDSA"]]).await;
    assert_found(&ran, "rotation", "warning", "the algorithm of the next key is ES256, and SigningAlgorithm is EdDSA");

    let test = started().await;
    let url = test.serve().await;
    let line = command_line(&test);
    let ran = doctor(&line, &url, &[]).await;
    assert_found(&ran, "rotation", "warning", "there is no next key");
    let published =
        test.send(axum::http::Request::get("/.well-known/jwks.json").body(axum::body::Body::empty()).unwrap());
    let mut published = published.await.body;
    published["keys"][0]["x"] = published["keys"][0]["y"].take();
    let other = axum::Router::new().fallback(async move || published.to_string());
    let other = format!("http://{}", testing::cloud::serve(other).await.unwrap());
    let ran = doctor(&line, &other, &[]).await;
    assert_found(&ran, "published keys", "error", "differs from the key in the secret");
    test.cloud.put_secret(&p256_pem()).unwrap();
    let ran = doctor(&line, &url, &[]).await;
    assert_found(&ran, "rotation", "ok", "externally managed");
    assert_found(&ran, "published keys", "error", "is not published: verifiers reject its tokens");
    for (text, said) in [("{", "replace it with a valid one"), (" ", "creates the first keys")] {
        test.cloud.put_secret(text).unwrap();
        assert_found(&doctor(&line, &url, &[]).await, "secret", "error", said);
    }
    test.interceptor.fail("GetSecretValue", 400, "AccessDeniedException");
    let ran = doctor(&line, &url, &[]).await;
    assert_found(&ran, "secret", "error", "GetSecretValue");
}

#[tokio::test]
async fn a_client_whose_attributes_do_not_fit_each_other_is_found_with_what_to_do() {
    let test = started().await;
    let item = json!({"client_id": "spa", "enabled": true, "refresh_token_cookie": true});
    test.cloud.put("ClientsTable", &item).unwrap();
    let ran = doctor(&command_line(&test), "http://127.0.0.1:9", &[]).await;
    let rule = "refresh_token_cookie is for public clients; add token_endpoint_auth_method none";
    assert_found(&ran, "clients", "error", &format!("spa: malformed (refresh_token_cookie: {rule})"));
}

#[tokio::test]
async fn problems_of_tables_and_records_are_found() {
    let test = started().await;
    let url = test.serve().await;
    let put = |item: Value| test.cloud.put("ClientsTable", &item).unwrap();
    put(json!({"client_id": "malformed", "enabled": "yes"}));
    put(json!({"client_id": "empty", "enabled": true}));
    let hash = countersign::password_hash::hash_client_secret("secret");
    let expiring = json!([{"hash": hash, "expires_at": test.now() + 3 * 86_400}]);
    put(
        json!({"client_id": "expiring", "enabled": true, "scopes": ["a"], "grant_types": ["password"], "secrets": expiring,
               "default_scopes": ["b"], "access_token_ttl": 999_999}),
    );
    let origins = json!(["https://app.auth.example", "https://other.test"]);
    put(json!({"client_id": "spa", "enabled": true, "scopes": ["a"], "token_endpoint_auth_method": "none",
               "grant_types": ["password", "client_credentials"], "allowed_origins": origins, "refresh_token_cookie": true}));
    put(json!({"client_id": "code", "enabled": true, "scopes": ["a"], "grant_types": ["authorization_code"],
               "secrets": [{"hash": hash}], "redirect_uris": ["http://127.0.0.1/cb"], "require_pkce": false}));
    put(json!({"client_id": "nowhere", "enabled": true, "scopes": ["a"], "grant_types": ["authorization_code"],
               "token_endpoint_auth_method": "none"}));
    test.cloud.put("UsersTable", &json!({"username": "odd", "enabled": true})).unwrap();
    let twin = json!({"username": "Twin@Example.com", "user_id": "1042", "enabled": true});
    test.cloud.put("UsersTable", &twin).unwrap();
    test.change_user(&json!({"sessions_valid_from": test.now()}));
    let ran = doctor(&command_line(&test), &url, &[]).await;
    for (level, said) in [
        ("error", "malformed: malformed (enabled)"),
        ("warning", "empty: no scopes, so no tokens"),
        ("warning", "empty, no-grants: no grant types, so no tokens"),
        ("warning", "empty: no active credential, so no tokens"),
        ("warning", "expiring: the last active credential expires within 7 days"),
        ("warning", "expiring: default scopes that are not among the scopes"),
        ("warning", "imported, old-base64: an imported secret, whose slow hash runs for each token"),
        ("warning", "code, nowhere: the grant authorization_code, but LoginPages is off"),
        ("warning", "nowhere: the grant authorization_code without a redirect URI"),
        ("warning", "code: secrets, but redirect URIs only for applications on the user's own device"),
        ("warning", "code: codes without PKCE"),
        ("warning", "spa: grant types that a public client may not use"),
        ("warning", "spa: an origin of another site than the issuer"),
        ("warning", "expiring: an access_token_ttl above 7 days, which is limited to 7 days"),
    ] {
        assert_found(&ran, "clients", level, said);
    }
    let found = of(&ran, "clients");
    assert!(!found.iter().any(|(_, said)| said.contains("spa: no active secret")));
    assert_found(&ran, "users", "error", "odd");
    assert_found(&ran, "users", "warning", "2 of 8 users still have a hash of an old scheme (bcrypt 2)");
    assert_found(&ran, "users", "warning", "Twin@Example.com");
    assert_found(&ran, "users", "warning", "sessions_valid_from");
    assert_found(&ran, "users", "error", "the same user_id as");
    // The emulator does not have these settings.
    assert_found(&ran, "table clients", "warning", "is not protected from deletion");
    assert_found(&ran, "table users", "warning", "is not encrypted with a KMS key");
    assert_found(&ran, "table grants", "warning", "does not delete expired items");

    let mut quick = command_line(&test).bare(&["--url", &url, "doctor", "--json", "--no-users"]);
    let quick = CommandOutput::of(quick.envs(testing::cloud::environment(ISSUER)).spawn().unwrap(), "").await;
    assert!(of(&quick, "users").is_empty());
    let gone = doctor(&command_line(&test), &url, &[["USERS_TABLE", "Nowhere"], ["GRANTS_TABLE", "UsersTable"]]).await;
    assert_found(&gone, "table users", "error", "ResourceNotFoundException");
    assert_found(&gone, "table grants", "error", "the key schema of UsersTable is not only id");
    test.interceptor.fail("DescribeTable", 400, "AccessDeniedException");
    let blind = doctor(&command_line(&test), &url, &[]).await;
    assert_found(&blind, "table clients", "warning", "your role lacks dynamodb:DescribeTable");
}

#[tokio::test]
async fn the_end_of_the_last_credential_is_found_if_the_credential_counts() {
    let test = started().await;
    let url = test.serve().await;
    let soon = test.now() + 3 * 86_400;
    let secrets = json!([{"hash": countersign::password_hash::hash_client_secret("secret"), "expires_at": soon}]);
    let key = json!({"kid": "1", "alg": "ES256", "jwk": ClientKeyPair::generate("ES256").jwk.to_string()});
    let mut expiring = key.clone();
    expiring["expires_at"] = json!(soon);
    let certificate = json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a.example"});
    for (client_id, secrets, keys, others) in [
        ("secret", &secrets, json!([]), json!({})),
        ("key", &json!([]), json!([expiring]), json!({})),
        ("both", &secrets, json!([expiring]), json!({})),
        ("with-a-key", &secrets, json!([key]), json!({})),
        ("with-a-certificate", &secrets, json!([expiring]), certificate),
    ] {
        let mut client =
            json!({"client_id": client_id, "enabled": true, "scopes": ["a"], "secrets": secrets, "jwks": keys});
        client.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        test.cloud.put("ClientsTable", &client).unwrap();
    }
    let ran = doctor(&command_line(&test), &url, &[]).await;
    assert_found(&ran, "clients", "warning", "both, key, secret: the last active credential expires within 7 days");
}

/// A deployment as the template creates it has no problems, and exit code 0.
#[tokio::test]
async fn a_new_deployment_with_a_new_client_is_healthy() {
    let test = made(5 * 86_400).await;
    let url = test.serve().await;
    test.interceptor.describe_as_deployed();
    for client in CASES["fixtures"]["clients"].as_array().unwrap() {
        let id = client["client_id"].as_str().unwrap();
        command_line(&test).run(&["client", "delete", id, "--yes"]).await.assert(0, "");
    }
    for username in ["old.hash@itccompliance.co.uk", "nfd@itccompliance.co.uk"] {
        command_line(&test).run(&["user", "delete", username, "--yes"]).await.assert(0, "");
    }
    let ran = doctor(&command_line(&test), &url, &[ROTATING]).await;
    assert_found(&ran, "clients", "warning", "there are no clients");
    assert_eq!(ran.code, 3);
    let create = ["client", "create", "cron", "--grant-type", "client_credentials", "--scope", "a"];
    command_line(&test).run(&create).await.assert(0, "");
    let ran = doctor(&command_line(&test), &url, &[ROTATING]).await;
    assert_eq!((ran.code, &ran.json()["worst"], ran.err.as_str()), (0, &json!("ok"), ""), "{ran:?}");
    for check in ["table clients", "table users", "table grants", "clients", "users"] {
        assert_found(&ran, check, "ok", "");
    }
    // The users have point-in-time recovery; the grants must not.
    let ran = doctor(&command_line(&test), &url, &[ROTATING, ["GRANTS_TABLE", "UsersTable"]]).await;
    assert_found(&ran, "table grants", "warning", "has point-in-time recovery, and a restored copy would make revoked");
    assert_found(&ran, "table grants", "warning", "PointInTimeRecoveryEnabled=false");
}

/// Doctor changes nothing, even if it finds problems.
#[tokio::test]
async fn doctor_only_reads() {
    let test: TestApp = started().await;
    let url = test.serve().await;
    test.interceptor.clear_calls();
    doctor(&command_line(&test), &url, &[]).await;
    let reads =
        ["GetSecretValue", "DescribeTable", "DescribeContinuousBackups", "DescribeTimeToLive", "GetItem", "Scan"];
    for call in test.interceptor.calls() {
        assert!(reads.iter().any(|read| call.starts_with(read)), "{call}");
    }
}
