//! `resource` in token requests (RFC 8707).

use countersign::consent::Period;
use serde_json::json;

use testing::{
    APPLICATION, CODE_CLIENT, PASSWORD, Response, SCOPE, SERVICE, TestApp, USERNAME, exchange, form, raw_json,
};

const API: &str = "https://api.example.com/v1";
const OTHER_API: &str = "https://mcp.example.com";

/// Starts a deployment with login pages, whose clients have both resources.
async fn start() -> TestApp {
    let test = TestApp::start_with_codes().await;
    let resources = json!({"resources": [API, OTHER_API, "https://files.example.com/*"]});
    test.change_client(SERVICE.0, &resources);
    test.change_client(APPLICATION.0, &resources);
    test.put_code_client(&resources);
    test
}

async fn service(test: &TestApp, resources: &[&str]) -> Response {
    let mut params = vec![("grant_type", "client_credentials")];
    params.extend(resources.iter().map(|resource| ("resource", *resource)));
    test.form(SERVICE, &params).await
}

/// Logs in with a password, for this resource if it is not empty.
async fn log_in(test: &TestApp, resource: &str) -> Response {
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    test.form(APPLICATION, &[&params[..], &[("resource", resource)]].concat()).await
}

async fn refresh(test: &TestApp, token: &str, resource: &str) -> Response {
    let params = [("grant_type", "refresh_token"), ("refresh_token", token), ("resource", resource)];
    test.form(APPLICATION, &params).await
}

/// Asserts the error with this sentence.
#[track_caller]
fn assert_rejected(response: &Response, description: &str) {
    response.assert_error(400, "invalid_target");
    assert_eq!(response.body["error_description"], description);
}

#[tokio::test]
async fn s_1001_a_service_gets_a_token_for_one_of_its_resources() {
    let test = start().await;
    for (resources, audience) in [
        (&[][..], testing::ISSUER),
        (&[""], testing::ISSUER),
        (&["", API, ""], API),
        (&["https://mcp.example.com/"], OTHER_API),
        (&["https://files.example.com/7"], "https://files.example.com/7"),
        (&["https://auth.example/"], testing::ISSUER),
    ] {
        assert_eq!(service(&test, resources).await.assert_issued(2).0["aud"], audience, "{resources:?}");
    }
    for (resources, description) in [
        (&[API, OTHER_API][..], "A request has one resource only."),
        (&[API, API], "A request has one resource only."),
        (&["api"], "The resource is not an absolute URI."),
        (&["https://api.example.com/v1#a"], "The resource has a fragment."),
        (&["https://api.example.com/v2"], "The resource is unknown or not allowed."),
    ] {
        assert_rejected(&service(&test, resources).await, description);
    }
    let long = format!("{API}{}", "x".repeat(2048));
    service(&test, &[&long]).await.assert_error(400, "invalid_request");
    service(&test, &[API, &long]).await.assert_error(400, "invalid_request");

    test.change_client(SERVICE.0, &json!({"audience": "orders", "resources": [API]}));
    for (resource, audience) in [("", "orders"), ("orders", "orders"), (API, API)] {
        assert_eq!(service(&test, &[resource]).await.assert_issued(2).0["aud"], audience);
    }
    assert_rejected(&service(&test, &["https://auth.example"]).await, "The resource is unknown or not allowed.");
}

#[tokio::test]
async fn a_resource_in_json_is_one_string() {
    let test = start().await;
    let send = async |members: &str| {
        let body = format!("{{\"grant_type\": \"client_credentials\", {members}}}");
        test.send(raw_json(body).basic(SERVICE.0, SERVICE.1).post()).await
    };
    assert_eq!(send(&format!("\"resource\": \"{API}\"")).await.assert_issued(2).0["aud"], API);
    assert_eq!(send("\"resource\": null").await.assert_issued(2).0["aud"], testing::ISSUER);
    for members in [format!("\"resource\": [\"{API}\"]"), format!("\"resource\": \"{API}\", \"resource\": \"{API}\"")] {
        send(&members).await.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_token_of_version_1_has_no_resource() {
    let test = start().await;
    let version_1 = async |resource: &str| {
        let request = form(&[("grant_type", "client_credentials"), ("resource", resource)]);
        test.send(request.basic(SERVICE.0, SERVICE.1).header("accept", "application/json; version=1").post()).await
    };
    assert_rejected(&version_1(API).await, "A token of version 1 has no resource.");
    version_1("").await.assert_issued(1);

    // The audience of such a token would not be the resource of the login.
    let token = log_in(&test, API).await.refresh_token();
    let request = form(&[("grant_type", "refresh_token"), ("refresh_token", &token)]);
    let request = request.basic(APPLICATION.0, APPLICATION.1).header("accept", "application/json; version=1").post();
    assert_rejected(&test.send(request).await, "A token of version 1 has no resource.");
    assert_eq!(refresh(&test, &token, "").await.assert_issued(2).0["aud"], API);
}

#[tokio::test]
async fn s_1002_a_rejected_resource_consumes_no_guess_and_follows_the_scope() {
    let test = start().await;
    let attempt = async |password: &str, scope: &str, resource: &str| {
        let params = [("grant_type", "password"), ("username", USERNAME), ("password", password)];
        test.form(APPLICATION, &[&params[..], &[("scope", scope), ("resource", resource)]].concat()).await
    };
    for _ in 0..20 {
        assert_rejected(
            &attempt("wrong", SCOPE, "https://evil.example").await,
            "The resource is unknown or not allowed.",
        );
    }
    assert!(test.items("GrantsTable").is_empty());
    attempt(PASSWORD, "admin", "https://evil.example").await.assert_error(400, "invalid_scope");
    attempt("wrong", SCOPE, API).await.assert_error(400, "invalid_grant");
    let service = [("grant_type", "client_credentials"), ("scope", "admin"), ("resource", "https://evil.example")];
    test.form(SERVICE, &service).await.assert_error(400, "invalid_scope");
}

#[tokio::test]
async fn s_1003_a_login_that_named_a_resource_gets_no_token_for_another() {
    let test = start().await;
    let first = log_in(&test, "https://mcp.example.com/").await;
    assert_eq!(first.assert_issued(2).0["aud"], OTHER_API);
    let token = first.refresh_token();
    assert_eq!(test.family(&token)["resource"]["S"], OTHER_API);
    for other in [API, testing::ISSUER, "https://files.example.com/7"] {
        assert_rejected(&refresh(&test, &token, other).await, "The login is for another resource.");
    }
    assert_rejected(&refresh(&test, &token, "https://evil.example").await, "The resource is unknown or not allowed.");
    // The rejected requests have not consumed the refresh token (S-1002).
    assert_eq!(test.active_generation(&token), Some(0));
    let mut token = token;
    for same in ["", OTHER_API, "https://mcp.example.com/"] {
        let response = refresh(&test, &token, same).await;
        assert_eq!(response.assert_issued(2).0["aud"], OTHER_API);
        token = response.refresh_token();
    }

    // The record does not list the resource any more; then it does again.
    test.change_client(APPLICATION.0, &json!({"resources": [API]}));
    for requested in ["", OTHER_API] {
        assert_rejected(&refresh(&test, &token, requested).await, "The resource is unknown or not allowed.");
    }
    test.change_client(APPLICATION.0, &json!({"resources": [OTHER_API]}));
    refresh(&test, &token, "").await.assert_issued(2);
}

#[tokio::test]
async fn a_refresh_may_add_the_slash_of_an_empty_path() {
    let test = start().await;
    let first = log_in(&test, "https://files.example.com").await;
    let refreshed = refresh(&test, &first.refresh_token(), "https://files.example.com/").await;
    assert_eq!(refreshed.assert_issued(2).0["aud"], first.assert_issued(2).0["aud"]);
}

#[tokio::test]
async fn a_login_that_named_no_resource_is_not_narrowed() {
    let test = start().await;
    let mut token = log_in(&test, "").await.refresh_token();
    assert!(test.family(&token).get("resource").is_none());
    for (requested, audience) in [(API, API), (OTHER_API, OTHER_API), ("", testing::ISSUER)] {
        let response = refresh(&test, &token, requested).await;
        assert_eq!(response.assert_issued(2).0["aud"], audience);
        token = response.refresh_token();
    }
}

#[tokio::test]
async fn s_1003_a_login_by_code_is_for_the_resource_of_its_authorization_request() {
    let test = start().await;
    let login = test.sign_in("openid legacy:autonomy.read", Period::Unlimited).await;
    let code = test.code_of(&login, &[("resource", "https://mcp.example.com/")]).await;
    let exchange_for = async |code: &str, resources: &[&str]| {
        let mut params = exchange(&[("code", code)]);
        params.extend(resources.iter().map(|resource| ("resource", *resource)));
        test.form(CODE_CLIENT, &params).await
    };
    assert_rejected(&exchange_for(&code, &[API]).await, "The login is for another resource.");
    assert_rejected(&exchange_for(&code, &["https://evil.example"]).await, "The resource is unknown or not allowed.");
    assert_rejected(&exchange_for(&code, &[OTHER_API, OTHER_API]).await, "A request has one resource only.");
    // The rejected requests have not consumed the code (S-1002).
    let tokens = exchange_for(&code, &[OTHER_API]).await;
    assert_eq!(tokens.assert_issued(2).0["aud"], OTHER_API);
    let refreshed = test.refresh_code_login(&tokens.refresh_token()).await;
    assert_eq!(refreshed.assert_issued(2).0["aud"], OTHER_API);

    // A request without a resource does not narrow the login.
    let tokens = exchange_for(&test.code_of(&login, &[]).await, &[API]).await;
    assert_eq!(tokens.assert_issued(2).0["aud"], API);
    let refreshed = test.refresh_code_login(&tokens.refresh_token()).await;
    assert_eq!(refreshed.assert_issued(2).0["aud"], testing::ISSUER);
}
