//! Public clients: `token_endpoint_auth_method` is `none` (S-202, S-709, S-912).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::assert_same;
use testing::{
    BROWSER_APP, BROWSER_ORIGIN, CLIENT_CREDENTIALS, COOKIE, LogLines, PASSWORD, RequestBuilder, SERVICE, TestApp,
    USERNAME, basic, form, raw_json,
};

const PUBLIC: &str = "public-app";

/// Starts a deployment with a public client, a client with a cookie, and a disabled public client.
async fn started() -> TestApp {
    let test = TestApp::start_with_cheap_hashes().await;
    let public = json!({"client_id": PUBLIC, "refresh_token_cookie": null});
    test.put_browser_app_with(&public);
    test.put_browser_app_with(&json!({"client_id": "disabled-app", "refresh_token_cookie": null, "enabled": false}));
    test.put_browser_app();
    test
}

/// Returns a refresh request with this client id and secret in the body.
fn in_body(id: &str, secret: &str) -> RequestBuilder {
    form(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", id), ("client_secret", secret)])
}

/// Returns a refresh request with this value of `Authorization`.
fn with_basic(value: &str) -> RequestBuilder {
    form(&[("grant_type", "refresh_token"), ("refresh_token", "x")]).header("authorization", value)
}

#[tokio::test]
async fn a_public_client_authenticates_with_its_id_and_without_a_secret() {
    let test = started().await;
    let json_body = format!(r#"{{"grant_type":"refresh_token","refresh_token":"x","client_id":"{PUBLIC}"}}"#);
    let with_null =
        json!({"grant_type": "refresh_token", "refresh_token": "x", "client_id": PUBLIC, "client_secret": null});
    for (what, request) in [
        ("no secret", form(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", PUBLIC)])),
        ("an empty secret", in_body(PUBLIC, "")),
        ("Basic with an empty secret", with_basic(&basic(PUBLIC, ""))),
        // `public%2Dapp:`, as some libraries encode the id.
        ("Basic with an encoded id", with_basic("Basic cHVibGljJTJEYXBwOg==")),
        ("Basic and the same id in the body", in_body(PUBLIC, "").header("authorization", &basic(PUBLIC, ""))),
        ("JSON", raw_json(json_body)),
        ("JSON with null", raw_json(with_null.to_string())),
        ("a page of any origin", in_body(PUBLIC, "").header("origin", "https://evil.example.test")),
    ] {
        let response = test.send(request.post()).await;
        assert_eq!((response.status, &response.body["error"]), (400, &json!("invalid_grant")), "{what}");
        assert_eq!(response.cookie(), None, "{what}");
    }
}

#[tokio::test]
async fn s_202_every_failed_authentication_of_a_public_client_gets_the_same_response_for_the_same_work() {
    let test = started().await;
    let hashes = LogLines::collect();
    let mut in_bodies = Vec::new();
    for (id, secret) in [
        (PUBLIC, "x"),
        (PUBLIC, SERVICE.1),
        (BROWSER_APP, ""),
        (BROWSER_APP, "x"),
        ("disabled-app", ""),
        ("disabled-app", "x"),
        ("unknown", ""),
        ("unknown", "x"),
        (SERVICE.0, ""),
        (SERVICE.0, "x"),
    ] {
        test.interceptor.clear_calls();
        in_bodies.push(test.send(in_body(id, secret).post()).await);
        assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"], "{id}");
        assert_eq!(hashes.take_hashes(), [("sha256".to_owned(), vec![])], "{id}");
    }
    assert_same(&in_bodies);

    let mut with_headers = Vec::new();
    for (what, value) in [
        ("a secret", basic(PUBLIC, "x")),
        // `public-app:%zz`: a secret that cannot be decoded is not an empty one.
        ("a malformed secret", format!("Basic {}", STANDARD.encode(format!("{PUBLIC}:%zz")))),
        ("no id", "Basic Og==".to_owned()),
        ("a disabled client", basic("disabled-app", "")),
        ("an unknown client", basic("unknown", "")),
    ] {
        with_headers.push(test.send(with_basic(&value).post()).await);
        assert_eq!(hashes.take_hashes().len(), 1, "{what}");
    }
    assert_same(&with_headers);
    assert_eq!(with_headers[0].bytes, in_bodies[0].bytes);
}

/// The raw halves of Basic prove a client only against an imported secret (S-211), and a public client has none.
#[tokio::test]
async fn s_211_a_public_client_is_not_found_by_an_id_without_form_decoding() {
    let test = started().await;
    test.put_browser_app_with(&json!({"client_id": "a+b", "refresh_token_cookie": null}));
    // `a+b:` is the client `a b`, and `a%2Bb:` is the client `a+b`.
    test.send(with_basic("Basic YStiOg==").post()).await.assert_error(401, "invalid_client");
    test.send(with_basic("Basic YSUyQmI6").post()).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_912_a_client_with_a_cookie_authenticates_from_its_own_origins_only() {
    let test = started().await;
    let cookie = test.log_in_by_browser().await;
    let kinds = [
        ("password", vec![("username", USERNAME), ("password", PASSWORD)]),
        ("refresh_token", vec![]),
        ("refresh_token", vec![("refresh_token", cookie.as_str())]),
    ];
    for (grant_type, params) in kinds {
        let request = || {
            let params = [&[("client_id", BROWSER_APP), ("grant_type", grant_type)], &params[..]].concat();
            form(&params).header("cookie", &format!("{COOKIE}={cookie}"))
        };
        let mut responses = Vec::new();
        for origin in [
            "null",
            "",
            "https://evil.example.test",
            "https://app.example.test:443",
            "https://app.example.test/",
            "https://App.example.test",
            "HTTPS://app.example.test",
            "http://app.example.test",
            "https://sub.app.example.test",
            "https://app.example.test.evil.test",
            "https://app.example.test, https://app.example.test",
            " https://app.example.test",
            "\u{fc}",
        ] {
            test.interceptor.clear_calls();
            let response = test.send(request().header("origin", origin).post()).await;
            assert_eq!((response.status, response.cookie()), (401, None), "{origin}");
            assert!(response.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{origin}");
            assert_eq!(response.header("www-authenticate"), Some("Bearer realm=\"oauth\""), "{origin}");
            // A record is read beside the client, if the body names it. The cookie names none.
            let families = test.interceptor.calls().iter().filter(|call| call.ends_with("GrantsTable")).count();
            assert_eq!(families, usize::from(grant_type == "password" || params.len() == 1), "{origin}");
            responses.push((response.bytes, response.headers));
        }
        assert!(responses.iter().all(|response| *response == responses[0]));
        let without_origin = test.send(request().post()).await;
        without_origin.assert_error(401, "invalid_client");
        assert_eq!((without_origin.bytes.clone(), without_origin.cookie()), (responses[0].0.clone(), None));
        let with_basic = request().header("origin", BROWSER_ORIGIN).header("authorization", &basic(BROWSER_APP, "x"));
        test.send(with_basic.post()).await.assert_error(401, "invalid_client");
    }
    // No attempt had an effect.
    test.refresh_by_cookie(&cookie).await.assert_issued(2);
    assert_eq!(test.families().len(), 1);
}

#[tokio::test]
async fn s_205_a_public_client_may_use_fewer_grants_than_its_record_lists() {
    let test = started().await;
    let all = json!(["authorization_code", "client_credentials", "password", "refresh_token"]);
    test.put_browser_app_with(
        &json!({"client_id": PUBLIC, "refresh_token_cookie": null, "grant_types": all, "default_scopes": ["legacy:a"]}),
    );
    test.put_browser_app_with(&json!({"grant_types": all, "default_scopes": ["legacy:a"]}));
    let password = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD)];
    let send = async |id, params: &[(&str, &str)]| {
        let params = [&[("client_id", id)], params].concat();
        test.send(form(&params).header("origin", BROWSER_ORIGIN).post()).await
    };
    for (id, params) in [(PUBLIC, &CLIENT_CREDENTIALS[..]), (PUBLIC, &password), (BROWSER_APP, &CLIENT_CREDENTIALS)] {
        let response = send(id, params).await;
        response.assert_error(400, "unauthorized_client");
        assert_eq!(response.header("access-control-allow-origin"), Some(BROWSER_ORIGIN));
        let credentials = (id == BROWSER_APP).then_some("true");
        assert_eq!(response.header("access-control-allow-credentials"), credentials);
    }
    send(BROWSER_APP, &password).await.assert_issued(2);
}

/// A login begins by a code, or through a client that had a cookie when it began.
#[tokio::test]
async fn a_public_client_rotates_its_refresh_tokens_in_the_body() {
    let test = started().await;
    let mut token = test.log_in_by_browser().await;
    test.put_browser_app_with(&json!({"refresh_token_cookie": null}));
    let refresh = async |token: &str| {
        let params = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", BROWSER_APP)];
        test.send(form(&params).header("cookie", &format!("{COOKIE}={token}")).post()).await
    };
    for _ in 0..3 {
        let response = refresh(&token).await;
        response.assert_issued(2);
        assert_eq!(response.cookie(), None);
        assert_eq!(refresh(&token).await.refresh_token(), response.refresh_token(), "a retry");
        token = response.body["refresh_token"].as_str().unwrap().to_owned();
    }
    assert_eq!(test.active_generation(&token), Some(3));
    // Another client cannot use the token, with a secret or without.
    let params = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let other = test.send(form(&[&params[..], &[("client_id", PUBLIC)]].concat()).post()).await;
    other.assert_error(400, "invalid_grant");
    test.form(testing::APPLICATION, &params).await.assert_error(400, "invalid_grant");
    refresh(&token).await.assert_issued(2);
    test.advance_clock(60);
    refresh(&token).await.assert_error(400, "invalid_grant");
    assert_eq!(test.active_generation(&token), None, "a replay ends the login");
}

#[tokio::test]
async fn s_709_a_record_that_mixes_public_and_confidential_clients_is_malformed() {
    let test = started().await;
    let secrets = json!([{"hash": countersign::password_hash::hash_client_secret("secret")}]);
    let not_public = "refresh_token_cookie: refresh_token_cookie is for public clients; add ";
    let not_a_name = "refresh_token_cookie: the name of the cookie contains the client id; use ";
    for (problem, changes) in [
        ("secrets: a public client ", json!({"client_id": "x", "secrets": secrets})),
        (not_public, json!({"client_id": "x", "token_endpoint_auth_method": null})),
        (not_public, json!({"client_id": "x", "token_endpoint_auth_method": null, "secrets": secrets})),
        (
            "refresh_token_cookie: refresh_token_cookie needs the origins of the application in allowed_origins; add ",
            json!({"client_id": "x", "allowed_origins": null}),
        ),
        (not_a_name, json!({"client_id": "a b"})),
        (not_a_name, json!({"client_id": "a;b"})),
        (not_a_name, json!({"client_id": "a".repeat(65)})),
        (
            "token_endpoint_auth_method: tls_client_auth needs ",
            json!({"client_id": "x", "token_endpoint_auth_method": "tls_client_auth"}),
        ),
        ("refresh_token_cookie", json!({"client_id": "x", "refresh_token_cookie": "true"})),
    ] {
        test.put_browser_app_with(&changes);
        let log = LogLines::collect();
        let id = changes["client_id"].as_str().unwrap();
        let request = form(&[("grant_type", "refresh_token"), ("client_id", id)]).header("origin", BROWSER_ORIGIN);
        let response = test.send(request.post()).await;
        response.assert_error(500, "server_error");
        assert_eq!(response.cookie(), None, "{problem}");
        let reason = log.lines()[0]["reason"].as_str().unwrap().to_owned();
        assert!(reason.starts_with(&format!("a record of table clients is malformed: {problem}")), "{reason}");
    }
    test.put_browser_app_with(&json!({"client_id": "a".repeat(64)}));
    let id = "a".repeat(64);
    let request = form(&[("grant_type", "refresh_token"), ("client_id", &id)]);
    test.send(request.header("origin", BROWSER_ORIGIN).post()).await.assert_error(400, "invalid_grant");
}
