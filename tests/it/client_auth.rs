//! S-2: clients.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::password_hash::{generate_client_secret, hash_client_secret};
use serde_json::json;

use testing::{APPLICATION, LogLines, NOW, PASSWORD, Response, SERVICE, TestApp, USERNAME, basic, form, raw_json};

mod basic;

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

pub fn assert_same(responses: &[Response]) {
    for response in responses {
        response.assert_error(401, "invalid_client");
        assert_eq!(response.bytes, responses[0].bytes);
        assert_eq!(response.headers, responses[0].headers);
    }
}

#[tokio::test]
async fn s_201_both_secret_methods_work_and_two_at_once_are_refused() {
    let test = TestApp::start().await;
    let (id, secret) = SERVICE;
    let mut in_body = GRANT.to_vec();
    in_body.extend([("client_id", id), ("client_secret", secret)]);
    test.send(form(&in_body).post()).await.assert_issued(2);
    test.send(form(&GRANT).basic(id, secret).post()).await.assert_issued(2);
    let as_json = format!(r#"{{"grant_type":"client_credentials","client_id":"{id}","client_secret":null}}"#);
    test.send(raw_json(as_json).basic(id, secret).post()).await.assert_issued(2);

    // Many libraries name the client in the body too, or send every parameter that they know.
    for extra in [&[("client_id", id)][..], &[("client_secret", "")], &[("client_id", ""), ("client_secret", "")]] {
        test.send(form(&[&GRANT[..], extra].concat()).basic(id, secret).post()).await.assert_issued(2);
    }

    for extra in [&[("client_secret", secret)][..], &[("client_secret", "x")], &[("client_id", "other")]] {
        let params = [&GRANT[..], extra].concat();
        test.send(form(&params).basic(id, secret).post()).await.assert_error(400, "invalid_request");
    }
    for second in [basic(id, secret).as_str(), "Bearer x", ""] {
        let twice = form(&GRANT).basic(id, secret).header("authorization", second);
        test.send(twice.post()).await.assert_error(400, "invalid_request");
    }
    // The gateway joins two headers with a comma.
    let right = basic(id, secret);
    for joined in
        [&format!("Bearer x,{right}"), &format!("{right}, Bearer x"), &format!(",{right}"), "Bearer x,Bearer y"]
    {
        test.send(form(&in_body).header("authorization", joined).post()).await.assert_error(400, "invalid_request");
    }
    // Another scheme is no client authentication.
    for other in
        ["Bearer x", "Bearer \u{fc}", "Digest username=\"a, b c\", realm=\"x y\"", "BasicYTpi", "Basic:YTpi", "x", ""]
    {
        test.send(form(&GRANT).header("authorization", other).post()).await.assert_error(401, "invalid_client");
        test.send(form(&in_body).header("authorization", other).post()).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_202_every_way_to_fail_gets_the_same_bytes_for_the_same_work() {
    let test = TestApp::start().await;
    test.cloud
        .put(
            "ClientsTable",
            &json!({"client_id": "no-secrets", "enabled": true, "grant_types": ["client_credentials"]}),
        )
        .unwrap();
    let hashes = LogLines::collect();
    let mut responses = Vec::new();
    for (id, secret) in [
        ("nobody", SERVICE.1),
        (SERVICE.0, "wrong"),
        (SERVICE.0, APPLICATION.1),
        (SERVICE.0, ""),
        ("switched-off", "cs_switched-off-secret-000000000000000000000000004"),
        ("switched-off", "wrong"),
        ("two-secrets", "cs_two-secrets-dead-00000000000000000000000000006"),
        ("no-secrets", "x"),
        ("no-secrets", ""),
    ] {
        test.interceptor.forget();
        responses.push(test.form((id, secret), &GRANT).await);
        assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"], "{id}");
        assert_eq!(hashes.take_hashes(), [("sha256".to_owned(), vec![])], "{id}");
        let params = [GRANT[0], ("client_id", id), ("client_secret", secret)];
        responses.push(test.send(form(&params).post()).await);
        assert_eq!(hashes.take_hashes().len(), 1);
    }
    responses.push(test.send(form(&GRANT).post()).await);
    responses.push(test.form(("", ""), &GRANT).await);
    assert_same(&responses);
}

#[tokio::test]
async fn s_204_two_secrets_live_and_the_older_dies_at_its_time() {
    let test = TestApp::start().await;
    let secret = |secret: &str, expires_at: Option<u64>| match expires_at {
        Some(expires_at) => {
            json!({"id": secret, "hash": hash_client_secret(secret), "created_at": 1, "expires_at": expires_at})
        }
        None => json!({"id": secret, "hash": hash_client_secret(secret), "created_at": 1}),
    };
    test.change_client(SERVICE.0, &json!({"secrets": [secret("old", Some(NOW + 60)), secret("new", None)]}));
    test.pass(59);
    test.form((SERVICE.0, "old"), &GRANT).await.assert_issued(2);
    test.form((SERVICE.0, "new"), &GRANT).await.assert_issued(2);
    test.pass(1);
    test.form((SERVICE.0, "old"), &GRANT).await.assert_error(401, "invalid_client");
    test.form((SERVICE.0, "new"), &GRANT).await.assert_issued(2);
}

#[tokio::test]
async fn s_205_no_list_means_none() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"grant_types": null}));
    test.form(SERVICE, &GRANT).await.assert_error(400, "unauthorized_client");
    test.change_client(SERVICE.0, &json!({"scopes": null}));
    test.form(SERVICE, &GRANT).await.assert_error(400, "invalid_scope");
    test.form(SERVICE, &[GRANT[0], ("scope", "legacy:autonomy.read")]).await.assert_error(400, "invalid_scope");
    test.change_client(SERVICE.0, &json!({"default_scopes": null}));
    test.form(SERVICE, &GRANT).await.assert_error(400, "invalid_scope");
}

#[tokio::test]
async fn s_205_default_scopes_are_no_way_around_the_allowed_ones() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"default_scopes": ["admin"]}));
    test.form(SERVICE, &GRANT).await.assert_error(400, "invalid_scope");
    test.change_client(SERVICE.0, &json!({"scopes": ["legacy:*"], "default_scopes": ["legacy:*"]}));
    test.form(SERVICE, &GRANT).await.assert_error(500, "server_error");
}

#[test]
fn s_206_generated_secrets_keep_to_the_characters_that_every_library_sends_alike() {
    let secrets: Vec<_> = (0..100).map(|_| generate_client_secret()).collect();
    for secret in &secrets {
        assert_eq!(secret.len(), 3 + 43 + 6);
        assert!(secret.starts_with("cs_"));
        assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        let (body, checksum) = secret.split_at(46);
        assert!(URL_SAFE_NO_PAD.encode(digest(&SHA256, body.as_bytes())).starts_with(checksum));
    }
    let distinct: std::collections::HashSet<_> = secrets.iter().collect();
    assert_eq!(distinct.len(), secrets.len());
}

#[tokio::test]
async fn s_207_client_credentials_is_for_clients_with_a_secret_and_yields_no_refresh_token() {
    let test = TestApp::start().await;
    let response = test.form(APPLICATION, &[GRANT[0], ("scope", "legacy:x")]).await;
    response.assert_issued(2);
    assert!(response.body.get("refresh_token").is_none());
    test.change_client(SERVICE.0, &json!({"secrets": []}));
    test.form((SERVICE.0, ""), &GRANT).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_208_the_machine_path_runs_no_slow_hash_and_writes_nothing() {
    let test = TestApp::start().await;
    let hashes = LogLines::collect();
    test.form(SERVICE, &GRANT).await.assert_issued(2);
    test.form((SERVICE.0, "wrong"), &GRANT).await.assert_error(401, "invalid_client");
    test.form(("nobody", "wrong"), &GRANT).await.assert_error(401, "invalid_client");
    assert!(hashes.take_hashes().iter().all(|(scheme, _)| scheme == "sha256"));
    assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"; 3]);
    // An imported, human-chosen secret needs one.
    test.form(("imported", "s+e%c/r=!*~-_."), &GRANT).await.assert_issued(2);
    assert_eq!(hashes.take_hashes()[0].0, "argon2");
}

#[tokio::test]
async fn a_client_that_may_not_refresh_gets_no_refresh_token() {
    let test = TestApp::start().await;
    test.change_client(APPLICATION.0, &json!({"grant_types": ["password"]}));
    test.interceptor.forget();
    let response = test.password(USERNAME, PASSWORD).await;
    response.assert_issued(2);
    assert!(response.body.get("refresh_token").is_none());
    let mut calls = test.interceptor.calls();
    calls.sort();
    assert_eq!(calls, ["GetItem ClientsTable", "GetItem UsersTable", "PutItem GrantsTable"]);
}

#[tokio::test]
async fn a_client_may_have_lifetimes_and_an_audience_of_its_own() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"access_token_ttl": 60, "audience": "https://api.example"}));
    let response = test.form(SERVICE, &GRANT).await;
    let claims = response.assert_issued(2);
    assert_eq!(response.body["expires_in"], 60);
    assert_eq!(claims.0["aud"], "https://api.example");
    test.change_client(SERVICE.0, &json!({"access_token_ttl": 0}));
    test.form(SERVICE, &GRANT).await.assert_error(500, "server_error");
}
