//! `Authorization: Basic`: decoding, and imported secrets that a caller does not form-encode (S-201, S-202, S-211).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::password_hash::{Hasher, hash_client_secret};
use serde_json::{Value, json};

use super::assert_same;
use testing::{CHEAP_ARGON2, CLIENT_CREDENTIALS, LogLines, NOW, RequestBuilder, Response, SERVICE, TestApp, form};

/// Returns a request with this id and secret, which are not form-encoded.
fn basic(credentials: &str) -> RequestBuilder {
    form(&CLIENT_CREDENTIALS).header("authorization", &format!("Basic {}", STANDARD.encode(credentials)))
}

async fn send(test: &TestApp, credentials: &str) -> Response {
    test.send(basic(credentials).post()).await
}

/// Returns a client with these secret hashes.
fn client(id: &str, hashes: &[String]) -> Value {
    let secrets: Vec<_> = hashes.iter().map(|hash| json!({"hash": hash})).collect();
    json!({
        "client_id": id, "enabled": true, "grant_types": ["client_credentials"], "scopes": ["a"], "default_scopes": ["a"],
        "secrets": secrets,
    })
}

/// Returns a cheap hash of an imported secret.
fn imported(secret: &str) -> String {
    Hasher::new(CHEAP_ARGON2).unwrap().hash(secret).unwrap().as_str().to_owned()
}

fn take_schemes(log: &LogLines) -> Vec<String> {
    log.take_hashes().into_iter().map(|(scheme, _)| scheme).collect()
}

#[tokio::test]
async fn s_201_basic_is_decoded_strictly() {
    let test = TestApp::start().await;
    let (id, secret) = SERVICE;
    for scheme in ["Basic ", "basic ", "BASIC ", "bAsIc  "] {
        let header = format!("{scheme}{}", STANDARD.encode(format!("{id}:{secret}")));
        test.send(form(&CLIENT_CREDENTIALS).header("authorization", &header).post()).await.assert_issued(2);
    }
    // The header is split at the first colon. Both parts are form-decoded once (RFC 6749 section 2.3.1).
    send(&test, &format!("billing%2Dcron:{secret}")).await.assert_issued(2);
    send(&test, "imported:s%2Be%25c%2Fr%3D%21%2A~-_.").await.assert_issued(2);
    for wrong in ["imported:s%252Be", "a:b:c", "a:", &"a".repeat(256), &format!("a:{}", "b".repeat(1024))] {
        let credentials = if wrong.contains(':') { wrong.to_owned() } else { format!("{wrong}:b") };
        send(&test, &credentials).await.assert_error(401, "invalid_client");
    }
    let long_when_encoded = format!("a:{}", "%62".repeat(342));
    for malformed in [
        "",
        "no-colon",
        "a\u{e4}:b",
        "a:\u{e4}",
        "a:b\n",
        "a\0:b",
        "a\t:b",
        "a:\u{7f}",
        &format!("{}:b", "a".repeat(257)),
        &format!("a:{}", "b".repeat(1025)),
        &long_when_encoded,
    ] {
        send(&test, malformed).await.assert_error(400, "invalid_request");
    }
    let not_utf_8 = format!("Basic {}", STANDARD.encode(b"a:\xff"));
    for header in [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YTpi\u{fc}",
        "Basic YTpi=",
        "Basic YTo",
        "Basic YT\tpi",
        "Basic \tYTpi",
        "Basic YTpi YTpi",
        "Basic YTpi,Basic YTpi",
        &not_utf_8,
    ] {
        test.send(form(&CLIENT_CREDENTIALS).header("authorization", header).post())
            .await
            .assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn s_201_credentials_that_are_not_form_encoded_are_rejected_as_invalid_client() {
    let test = TestApp::start().await;
    // The table of clients contains an item that is not a client. Only a decoded id can contain its key.
    test.cloud.put("ClientsTable", &json!({"client_id": "\u{a7}scopes", "texts": {"a": "b"}})).unwrap();
    for credentials in [
        "a%:b",
        "a:%zz",
        "%zz:%zz",
        "a:%ff",
        "%ff:b",
        "a:%00",
        "a:b%0a",
        "%C3%BC:b",
        "%C2%A7scopes:b",
        "%:",
        "billing-cron:%",
    ] {
        send(&test, credentials).await.assert_error(401, "invalid_client");
    }
}

#[tokio::test]
async fn s_211_credentials_without_form_encoding_are_accepted_only_for_an_imported_secret() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    for (id, generated) in [("both", "ma+chine"), ("percent", "100%")] {
        let hashes = [imported("im+ported"), hash_client_secret(generated)];
        test.cloud.put("ClientsTable", &client(id, &hashes)).unwrap();
    }
    log.take_hashes();
    for (credentials, status, schemes) in [
        // Form-decoding turns a plus into a space. A single percent sign cannot be decoded.
        ("old-base64:q7Zs+0xT/4Vb9mLkPw2yRg==", 200, &["argon2", "argon2"][..]),
        ("imported:s+e%c/r=!*~-_.", 200, &["sha256", "argon2"]),
        // The decoded secret is valid, so the raw secret is not verified.
        ("old-base64:q7Zs%2B0xT%2F4Vb9mLkPw2yRg%3D%3D", 200, &["argon2"]),
        ("old-base64:q7Zs%2b0xT/4Vb9mLkPw2yRg==", 200, &["argon2"]),
        // The raw and the decoded secret are the same.
        ("old-base64:wrong", 401, &["argon2"]),
        ("old-base64:wr+ong", 401, &["argon2", "argon2"]),
        ("both:im%2Bported", 200, &["sha256", "argon2"]),
        ("both:ma%2Bchine", 200, &["sha256"]),
        ("both:im+ported", 200, &["sha256", "argon2", "argon2"]),
        ("both:ma+chine", 401, &["sha256", "argon2", "argon2"]),
        ("percent:100%", 401, &["sha256", "argon2"]),
    ] {
        test.interceptor.clear_calls();
        let response = send(&test, credentials).await;
        assert_eq!(response.status, status, "{credentials}");
        assert_eq!(take_schemes(&log), schemes, "{credentials}");
        // A check of an imported secret is one counted guess, in one form or in two.
        let calls = ["GetItem ClientsTable", "GetItem GrantsTable", "UpdateItem GrantsTable"];
        let count = if schemes.contains(&"argon2") { 3 } else { 1 };
        assert_eq!(test.interceptor.calls(), calls[..count], "{credentials}");
    }
    let expired = json!([{"hash": imported("a+b"), "expires_at": NOW}]);
    test.change_client("old-base64", &json!({"secrets": expired}));
    send(&test, "old-base64:a+b").await.assert_error(401, "invalid_client");
    test.change_client("old-base64", &json!({"secrets": [{"hash": imported("a+b")}], "enabled": false}));
    send(&test, "old-base64:a+b").await.assert_error(401, "invalid_client");
    send(&test, "old-base64:a%2Bb").await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_211_a_raw_id_that_differs_from_the_decoded_id_needs_a_second_read() {
    let test = TestApp::start().await;
    for (id, secret) in [("a+b", "first"), ("a b", "second"), ("50%", "third")] {
        test.cloud.put("ClientsTable", &client(id, &[imported(secret)])).unwrap();
    }
    let reads = async |credentials: &str| {
        test.interceptor.clear_calls();
        let status = send(&test, credentials).await.status;
        (status, test.interceptor.calls().len())
    };
    // A guess at an imported secret has two further calls.
    assert_eq!(reads("a+b:first").await, (200, 6));
    assert_eq!(reads("a+b:second").await, (200, 3), "the decoded id is read first");
    assert_eq!(reads("a%2Bb:first").await, (200, 3));
    assert_eq!(reads("50%:third").await, (200, 3), "the id cannot be decoded");
    assert_eq!(reads("a+b:neither").await, (401, 6));
    assert_eq!(reads("unknown+b:first").await, (401, 2));
    assert_eq!(reads("a+b:").await, (401, 2));

    // The client id in the body may be the raw id or the decoded id.
    for (id, status) in [("a+b", 200), ("a b", 200), ("a%2Bb", 400)] {
        let request = form(&[CLIENT_CREDENTIALS[0], ("client_id", id)]);
        let header = format!("Basic {}", STANDARD.encode("a+b:first"));
        assert_eq!(test.send(request.header("authorization", &header).post()).await.status, status, "{id}");
    }
}

#[tokio::test]
async fn s_202_credentials_without_form_encoding_get_the_same_response_for_the_same_work() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    let expired = json!([{"hash": hash_client_secret("a+b"), "expires_at": NOW}]);
    test.change_client("two-secrets", &json!({"secrets": expired}));
    test.change_client("switched-off", &json!({"secrets": [{"hash": hash_client_secret("a+b")}]}));
    test.change_client("no-grants", &json!({"secrets": null}));
    let mut responses = Vec::new();
    for credentials in [
        "unknown:a+b",
        "billing-cron:a+b",
        "two-secrets:a+b",
        "two-secrets:a%2Bb",
        "switched-off:a+b",
        "switched-off:a%2Bb",
        "no-grants:a+b",
        "billing-cron:%",
    ] {
        test.interceptor.clear_calls();
        responses.push(send(&test, credentials).await);
        assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"], "{credentials}");
        assert_eq!(take_schemes(&log), ["sha256"], "{credentials}");
    }
    assert_same(&responses);
}
