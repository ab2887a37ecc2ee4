//! Clients without `refresh_token_cookie`: no cookie is read, set or deleted (S-914).

use serde_json::json;

use testing::{
    APPLICATION, BROWSER_APP, BROWSER_ORIGIN, PASSWORD, RequestBuilder, SCOPE, TestApp, USERNAME, browser, form,
};

fn refresh(client_id: &str, cookie: &str) -> RequestBuilder {
    let request = form(&[("grant_type", "refresh_token")]).header("origin", BROWSER_ORIGIN);
    request.header("cookie", &format!("__Host-Http-countersign-{client_id}={cookie}"))
}

#[tokio::test]
async fn s_914_a_client_with_secrets_has_no_cookie() {
    let test = TestApp::start().await;
    test.change_client(APPLICATION.0, &json!({"allowed_origins": [BROWSER_ORIGIN]}));
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let login = form(&params).basic(APPLICATION.0, APPLICATION.1).header("origin", BROWSER_ORIGIN);
    let login = test.send(login.post()).await;
    let token = login.body["refresh_token"].as_str().unwrap();
    assert_eq!(login.cookie(), None);

    // The token of the cookie is neither used nor read.
    test.interceptor.clear_calls();
    let response = test.send(refresh(APPLICATION.0, token).basic(APPLICATION.0, APPLICATION.1).post()).await;
    response.assert_error(400, "invalid_request");
    assert_eq!(response.body["error_description"], "The refresh_token is missing.");
    assert_eq!(response.cookie(), None);
    assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"]);

    // A repeated cookie is not noticed, and a rejected token deletes nothing.
    for token in [token, "x"] {
        let request = form(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
        let cookie = format!("__Host-Http-countersign-{0}=a; __Host-Http-countersign-{0}=b", APPLICATION.0);
        let request = request.basic(APPLICATION.0, APPLICATION.1).header("cookie", &cookie);
        let response = test.send(request.post()).await;
        assert_eq!((response.status, response.cookie()), (if token == "x" { 400 } else { 200 }, None));
    }
}

#[tokio::test]
async fn s_914_a_public_client_without_refresh_token_cookie_has_no_cookie() {
    let test = TestApp::start_with_cheap_hashes().await;
    test.put_browser_app();
    let token = test.log_in_by_browser().await;
    test.put_browser_app_with(&json!({"refresh_token_cookie": false}));
    test.interceptor.clear_calls();
    let request = browser(&[("grant_type", "refresh_token")]);
    let request = request.header("cookie", &format!("__Host-Http-countersign-{BROWSER_APP}={token}"));
    let response = test.send(request.post()).await;
    response.assert_error(400, "invalid_request");
    assert_eq!(response.cookie(), None);
    assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"]);
    let in_body = browser(&[("grant_type", "refresh_token"), ("refresh_token", &token)]);
    let response = test.send(in_body.post()).await;
    assert!(response.body["refresh_token"].is_string());
    assert_eq!(response.cookie(), None);
}
