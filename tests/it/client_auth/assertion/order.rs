//! The place of an assertion in the order of checks, and its round trips.

use super::*;
use crate::http::oauth::round_trips::assert_round_trips;
use testing::{CODE_CLIENT, PASSWORD, RequestBuilder, SCOPE, USERNAME, exchange};

const CLIENT: &str = "GetItem ClientsTable";
const GRANT: &str = "GetItem GrantsTable";
const USER: &str = "GetItem UsersTable";
const USE: &str = "PutItem GrantsTable";

/// Starts a deployment whose application and client of codes have this key.
async fn with_codes(key: &ClientKeyPair) -> TestApp {
    let test = TestApp::start_with_codes().await;
    let keys = json!({"jwks": [key.entry("first")]});
    test.change_client(SERVICE.0, &keys);
    test.change_client(APPLICATION.0, &keys);
    test.put_code_client(&keys);
    test
}

/// Returns a request of a client with an assertion.
fn request(key: &ClientKeyPair, client_id: &str, jti: &str, params: &[(&str, &str)]) -> RequestBuilder {
    let assertion = key.assertion(client_id, jti, &json!({}));
    form(&[params, &[("client_assertion_type", TYPE), ("client_assertion", &assertion)]].concat())
}

#[tokio::test]
async fn an_assertion_is_used_up_while_the_records_of_the_login_are_read() {
    let key = ClientKeyPair::generate("ES256");
    let test = with_codes(&key).await;
    let service = request(&key, SERVICE.0, "1", &CLIENT_CREDENTIALS).post();
    assert_round_trips(&test, test.send(service), &[&[CLIENT], &[USE]]).await.assert_issued(2);

    let password = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let password = request(&key, APPLICATION.0, "2", &password).post();
    let expected = [&[CLIENT, GRANT, USER][..], &[USE], &[USE, "UpdateItem GrantsTable"]];
    let login = assert_round_trips(&test, test.send(password), &expected).await;
    login.assert_issued(2);

    let token = login.refresh_token();
    let refresh =
        request(&key, APPLICATION.0, "3", &[("grant_type", "refresh_token"), ("refresh_token", &token)]).post();
    let expected = [&[CLIENT, GRANT][..], &[USER, USE], &["UpdateItem GrantsTable"]];
    let login = assert_round_trips(&test, test.send(refresh), &expected).await;
    login.assert_issued(2);

    let code = test.code().await;
    let exchange = request(&key, CODE_CLIENT.0, "4", &exchange(&[("code", &code)])).post();
    let expected = [&[CLIENT, GRANT][..], &[GRANT, GRANT, USER, USE], &["UpdateItem GrantsTable"]];
    assert_round_trips(&test, test.send(exchange), &expected).await.assert_issued(2);

    let token = login.refresh_token();
    let introspect = request(&key, APPLICATION.0, "5", &[("token", &token)]).to("POST", "/oauth/introspect");
    assert_round_trips(&test, test.send(introspect), &[&[CLIENT, GRANT], &[USER, USE]]).await;
    let revoke = request(&key, APPLICATION.0, "6", &[("token", &token)]).to("POST", "/oauth/revoke");
    let expected = [&[CLIENT, GRANT][..], &[USE], &["UpdateItem GrantsTable"]];
    assert_round_trips(&test, test.send(revoke), &expected).await.assert_revoked();
}

#[tokio::test]
async fn s_1008_an_assertion_is_used_up_before_the_request_is_checked_and_not_by_a_malformed_request() {
    let key = ClientKeyPair::generate("ES256");
    let test = with_codes(&key).await;
    let send = async |jti: &str, client: &str, params: &[(&str, &str)]| {
        let response = test.send(request(&key, client, jti, params).post()).await;
        (response.status, response.body["error"].as_str().unwrap_or_default().to_owned())
    };
    let rejected = |error: &str| (400, error.to_owned());
    // Checks that come before client authentication.
    assert_eq!(send("1", SERVICE.0, &[]).await, rejected("invalid_request"));
    assert_eq!(send("1", SERVICE.0, &[("grant_type", "x")]).await, rejected("unsupported_grant_type"));
    // A right guess after a wrong one with the same assertion is rejected.
    let guess =
        |password| [("grant_type", "password"), ("username", USERNAME), ("password", password), ("scope", SCOPE)];
    assert_eq!(send("1", APPLICATION.0, &guess("wrong")).await, rejected("invalid_grant"));
    assert_eq!(send("1", APPLICATION.0, &guess(PASSWORD)).await, (401, "invalid_client".to_owned()));
    // Checks that come after client authentication.
    for (jti, client, params, error) in [
        ("2", SERVICE.0, &guess(PASSWORD)[..], "unauthorized_client"),
        ("3", SERVICE.0, &[CLIENT_CREDENTIALS[0], ("scope", "admin")], "invalid_scope"),
        ("4", APPLICATION.0, &[("grant_type", "refresh_token"), ("refresh_token", "x")], "invalid_grant"),
        ("5", APPLICATION.0, &[("grant_type", "password")], "invalid_request"),
    ] {
        assert_eq!(send(jti, client, params).await, rejected(error), "{error}");
        assert_eq!(send(jti, client, params).await, (401, "invalid_client".to_owned()), "{error}");
    }
}

/// A replay gets the same bytes as a wrong secret, also for a page that may read the responses to the client.
#[tokio::test]
async fn s_1006_a_page_cannot_read_the_response_to_a_replay() {
    let key = ClientKeyPair::generate("ES256");
    let test = TestApp::start().await;
    let origin = "https://app.example.test";
    test.change_client(SERVICE.0, &json!({"jwks": [key.entry("first")], "allowed_origins": [origin]}));
    let send =
        async || test.send(request(&key, SERVICE.0, "1", &CLIENT_CREDENTIALS).header("origin", origin).post()).await;
    assert_eq!(send().await.header("access-control-allow-origin"), Some(origin));
    assert_eq!(send().await.header("access-control-allow-origin"), None);
}
