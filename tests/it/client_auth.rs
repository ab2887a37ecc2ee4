//! Client authentication (S-2).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::password_hash::{generate_client_secret, hash_client_secret};
use serde_json::json;

use testing::{APPLICATION, CLIENT_CREDENTIALS, LogLines, NOW, Response, SERVICE, TestApp, basic, form, raw_json};

mod assertion;
mod basic;
mod certificate;
mod federation;
mod public;

/// Asserts that all responses are the same `invalid_client`.
pub fn assert_same(responses: &[Response]) {
    for response in responses {
        response.assert_error(401, "invalid_client");
        assert_eq!(response.bytes, responses[0].bytes);
        assert_eq!(response.headers, responses[0].headers);
    }
}

#[tokio::test]
async fn s_201_a_client_authenticates_by_basic_or_by_body_and_not_by_both() {
    let test = TestApp::start().await;
    let (id, secret) = SERVICE;
    let mut in_body = CLIENT_CREDENTIALS.to_vec();
    in_body.extend([("client_id", id), ("client_secret", secret)]);
    test.send(form(&in_body).post()).await.assert_issued(2);
    test.send(form(&CLIENT_CREDENTIALS).basic(id, secret).post()).await.assert_issued(2);
    let as_json = format!(r#"{{"grant_type":"client_credentials","client_id":"{id}","client_secret":null}}"#);
    test.send(raw_json(as_json).basic(id, secret).post()).await.assert_issued(2);

    // Many libraries repeat the client id in the body, or send all parameters.
    for extra in [&[("client_id", id)][..], &[("client_secret", "")], &[("client_id", ""), ("client_secret", "")]] {
        test.send(form(&[&CLIENT_CREDENTIALS[..], extra].concat()).basic(id, secret).post()).await.assert_issued(2);
    }

    for extra in [&[("client_secret", secret)][..], &[("client_secret", "x")], &[("client_id", "other")]] {
        let params = [&CLIENT_CREDENTIALS[..], extra].concat();
        test.send(form(&params).basic(id, secret).post()).await.assert_error(400, "invalid_request");
    }
    for second in [basic(id, secret).as_str(), "Bearer x", ""] {
        let twice = form(&CLIENT_CREDENTIALS).basic(id, secret).header("authorization", second);
        test.send(twice.post()).await.assert_error(400, "invalid_request");
    }
    // The gateway joins two headers with a comma.
    let valid = basic(id, secret);
    for joined in
        [&format!("Bearer x,{valid}"), &format!("{valid}, Bearer x"), &format!(",{valid}"), "Bearer x,Bearer y"]
    {
        test.send(form(&in_body).header("authorization", joined).post()).await.assert_error(400, "invalid_request");
    }
    // Other schemes do not authenticate a client.
    for other in [
        "Bearer x",
        "Bearer \u{fc}",
        "Digest username=\"a, b c\", realm=\"x y\"",
        "Digest username = \"a\", nc =1, qop = auth",
        "BasicYTpi",
        "Basic:YTpi",
        "x",
        "",
    ] {
        test.send(form(&CLIENT_CREDENTIALS).header("authorization", other).post())
            .await
            .assert_error(401, "invalid_client");
        test.send(form(&in_body).header("authorization", other).post()).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_202_every_failed_authentication_gets_the_same_response_for_the_same_work() {
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
        ("unknown", SERVICE.1),
        (SERVICE.0, "wrong"),
        (SERVICE.0, APPLICATION.1),
        (SERVICE.0, ""),
        ("switched-off", "cs_switched-off-secret-000000000000000000000000004"),
        ("switched-off", "wrong"),
        ("two-secrets", "cs_two-secrets-dead-00000000000000000000000000006"),
        ("no-secrets", "x"),
        ("no-secrets", ""),
    ] {
        test.interceptor.clear_calls();
        responses.push(test.form((id, secret), &CLIENT_CREDENTIALS).await);
        assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"], "{id}");
        assert_eq!(hashes.take_hashes(), [("sha256".to_owned(), vec![])], "{id}");
        let params = [CLIENT_CREDENTIALS[0], ("client_id", id), ("client_secret", secret)];
        responses.push(test.send(form(&params).post()).await);
        assert_eq!(hashes.take_hashes().len(), 1);
    }
    responses.push(test.send(form(&CLIENT_CREDENTIALS).post()).await);
    responses.push(test.form(("", ""), &CLIENT_CREDENTIALS).await);
    assert_same(&responses);
}

#[tokio::test]
async fn s_204_two_secrets_are_valid_until_the_older_one_expires() {
    let test = TestApp::start().await;
    let secret = |secret: &str, expires_at: Option<u64>| match expires_at {
        Some(expires_at) => {
            json!({"id": secret, "hash": hash_client_secret(secret), "created_at": 1, "expires_at": expires_at})
        }
        None => json!({"id": secret, "hash": hash_client_secret(secret), "created_at": 1}),
    };
    test.change_client(SERVICE.0, &json!({"secrets": [secret("old", Some(NOW + 60)), secret("new", None)]}));
    test.advance_clock(59);
    test.form((SERVICE.0, "old"), &CLIENT_CREDENTIALS).await.assert_issued(2);
    test.form((SERVICE.0, "new"), &CLIENT_CREDENTIALS).await.assert_issued(2);
    test.advance_clock(1);
    test.form((SERVICE.0, "old"), &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
    test.form((SERVICE.0, "new"), &CLIENT_CREDENTIALS).await.assert_issued(2);
}

/// Each imported secret runs a slow hash, so their number is limited.
#[tokio::test]
async fn s_709_a_record_with_three_active_secrets_is_malformed() {
    let test = TestApp::start().await;
    let secrets = |expires_at: [u64; 3]| {
        let secret = |at: u64| json!({"hash": hash_client_secret(SERVICE.1), "expires_at": at});
        json!({"secrets": expires_at.map(secret)})
    };
    test.change_client(SERVICE.0, &secrets([NOW, NOW + 1, NOW + 1]));
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
    test.change_client(SERVICE.0, &secrets([NOW + 1; 3]));
    for secret in [SERVICE.1, "wrong", ""] {
        let log = LogLines::collect();
        test.form((SERVICE.0, secret), &CLIENT_CREDENTIALS).await.assert_error(500, "server_error");
        let reason = "a record of table clients is malformed: secrets, of which more than two are active";
        assert_eq!(log.lines()[0]["reason"], reason);
    }
    test.advance_clock(1);
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
}

#[test]
fn s_206_generated_secrets_have_only_characters_that_no_encoding_changes() {
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
async fn s_408_a_flipped_bit_in_a_client_secret_is_rejected() {
    let test = TestApp::start().await;
    for position in 0..APPLICATION.1.len() {
        let mut secret = APPLICATION.1.as_bytes().to_vec();
        secret[position] ^= 1;
        let secret = String::from_utf8(secret).unwrap();
        test.form((APPLICATION.0, &secret), &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
    }
}
