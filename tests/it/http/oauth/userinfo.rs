//! The userinfo endpoint: its tokens, its claims, and its responses to pages of other origins.

use axum::body::Body;
use axum::http::Request;
use countersign::consent::Period;
use serde_json::{Value, json};

use super::round_trips::assert_round_trips;
use testing::{
    APPLICATION, CODE_CLIENT, LogLines, PASSWORD, RequestBuilder, Response, SERVICE, TestApp, USERNAME, form, raw_form,
    raw_json,
};

const USERINFO: &str = "/oauth/userinfo";
const SCOPES: [&str; 4] = ["openid", "profile", "email", "legacy:*"];

/// Starts a deployment whose client may have every scope, with a user who has every claim.
async fn started() -> TestApp {
    let test = TestApp::start_with_codes().await;
    test.put_code_client(&json!({"scopes": SCOPES}));
    test.change_user(&json!({"claims": claims()}));
    test
}

fn claims() -> Value {
    json!({
        "name": "John Smith", "family_name": "Smith", "given_name": "John", "middle_name": "Q", "nickname": "Johnny",
        "picture": "https://crm.example/john.png", "profile": "https://crm.example/john", "website": "https://john.example",
        "gender": "male", "birthdate": "1970-01-01", "zoneinfo": "Europe/London", "locale": "en-GB",
        "updated_at": 1_700_000_000, "email": "john@crm.example", "email_verified": true,
    })
}

/// Logs the user in by code. Returns the response to the exchange.
async fn log_in(test: &TestApp, scope: &str) -> Response {
    let browser = test.sign_in(scope, Period::Unlimited).await;
    test.exchange(&test.code_of(&browser, &[("scope", scope)]).await).await
}

async fn get(test: &TestApp, token: &str) -> Response {
    test.send(bearer(token).to("GET", USERINFO)).await
}

fn bearer(token: &str) -> RequestBuilder {
    raw_form("").header("authorization", &format!("Bearer {token}"))
}

/// Asserts the response to a request without a token, whose challenge has no error (RFC 6750 section 3.1).
#[track_caller]
fn assert_no_token(response: &Response, what: &str) {
    let body = r#"{"error":"invalid_token","error_description":"There is no access token."}"#;
    assert_eq!((response.status, &response.bytes[..]), (401, body.as_bytes()), "{what}");
    assert_eq!(response.header("www-authenticate"), Some(r#"Bearer realm="oauth""#), "{what}");
}

#[tokio::test]
async fn s_825_the_claims_are_those_of_the_scope() {
    let test = started().await;
    let mut profile = claims();
    profile["preferred_username"] = USERNAME.into();
    let email = ["email", "email_verified"];
    let only = |is_kept: &dyn Fn(&str) -> bool| {
        let members = profile.as_object().unwrap().iter().filter(|(name, _)| is_kept(name));
        let mut members: serde_json::Map<_, _> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
        members.insert("sub".to_owned(), "1042".into());
        Value::Object(members)
    };
    for (scope, expected) in [
        ("openid", only(&|_| false)),
        ("openid legacy:autonomy.read", only(&|_| false)),
        ("openid email", only(&|name| email.contains(&name))),
        ("openid profile", only(&|name| !email.contains(&name))),
        ("openid profile email", only(&|_| true)),
    ] {
        let response = get(&test, &log_in(&test, scope).await.access_token()).await;
        assert_eq!((response.status, &response.body), (200, &expected), "{scope}");
        assert_eq!(response.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn s_825_a_claim_of_another_type_is_left_out() {
    let test = started().await;
    let token = log_in(&test, "openid profile email").await.access_token();
    let wrong = json!({
        "name": 7, "family_name": "", "given_name": ["John"], "nickname": null, "updated_at": "1700000000",
        "email": true, "email_verified": "true", "phone_number": "+44", "sub": "7", "preferred_username": "admin",
        "locale": "en-GB",
    });
    test.change_user(&json!({"claims": wrong}));
    let expected = json!({"sub": "1042", "preferred_username": USERNAME, "locale": "en-GB"});
    assert_eq!(get(&test, &token).await.body, expected);
}

/// DynamoDB has values that JSON does not have. One claim must not make the user unknown to every endpoint.
#[tokio::test]
async fn s_825_a_claim_that_is_not_json_is_left_out() {
    let test = started().await;
    let token = log_in(&test, "openid profile").await.access_token();
    let mut user = test.items("UsersTable").into_iter().find(|user| user["user_id"]["S"] == "1042").unwrap();
    let expected = json!({"sub": "1042", "preferred_username": USERNAME, "locale": "en-GB"});
    for value in [
        json!({"B": "AAEC"}),
        json!({"BS": ["AAEC"]}),
        json!({"NS": ["1"]}),
        json!({"N": "9E125"}),
        json!({"L": [{"M": {"photo": {"B": "AAEC"}}}]}),
    ] {
        for name in ["name", "employee"] {
            user["claims"] = json!({"M": {name: value, "locale": {"S": "en-GB"}}});
            test.restore_item("UsersTable", &user);
            assert_eq!(get(&test, &token).await.body, expected, "{name} {value}");
        }
    }
}

#[tokio::test]
async fn the_token_is_in_the_header_or_in_a_form() {
    let test = started().await;
    let token = log_in(&test, "openid").await.access_token();
    let in_form = || form(&[("access_token", &token)]);
    let header = |scheme: &str| raw_form("").header("authorization", &format!("{scheme} {token}"));
    for (what, request) in [
        ("GET", header("Bearer").to("GET", USERINFO)),
        ("POST without a body", header("Bearer").to("POST", USERINFO)),
        ("a lower-case scheme", header("bearer").to("GET", USERINFO)),
        ("an upper-case scheme and two spaces", header("BEARER ").to("GET", USERINFO)),
        ("a form", in_form().to("POST", USERINFO)),
        ("a form beside Basic", in_form().basic(SERVICE.0, SERVICE.1).to("POST", USERINFO)),
        ("a form beside an empty header", in_form().header("authorization", "Bearer ").to("POST", USERINFO)),
        ("an unknown parameter", form(&[("access_token", &token), ("x", "1"), ("x", "2")]).to("POST", USERINFO)),
        ("an unknown parameter in the query", header("Bearer").query("?schema=openid").to("GET", USERINFO)),
        (
            "another body beside the header",
            raw_json("{").header("authorization", &format!("Bearer {token}")).to("POST", USERINFO),
        ),
        (
            "an empty parameter beside the header",
            form(&[("access_token", "")]).header("authorization", &format!("Bearer {token}")).to("POST", USERINFO),
        ),
    ] {
        let response = test.send(request).await;
        assert_eq!((response.status, &response.body), (200, &json!({"sub": "1042"})), "{what}");
    }
    // A body of GET has no meaning (RFC 9110 section 9.3.1).
    for (what, request) in [
        ("nothing", raw_form("").to("GET", USERINFO)),
        ("a form of GET", in_form().to("GET", USERINFO)),
        ("JSON", raw_json(json!({"access_token": token}).to_string()).to("POST", USERINFO)),
        ("an empty form", raw_form("access_token=").to("POST", USERINFO)),
        ("another scheme", header("MAC").to("GET", USERINFO)),
        ("an empty scheme with proofs", raw_form("").header("authorization", "DPoP ").to("GET", USERINFO)),
        ("Basic", raw_form("").basic(SERVICE.0, SERVICE.1).to("GET", USERINFO)),
        ("an empty scheme", raw_form("").header("authorization", "Bearer").to("GET", USERINFO)),
        ("a cookie", raw_form("").header("cookie", &format!("access_token={token}")).to("GET", USERINFO)),
    ] {
        assert_no_token(&test.send(request).await, what);
    }
}

#[tokio::test]
async fn s_825_malformed_requests_are_rejected_before_any_read() {
    let test = started().await;
    let token = log_in(&test, "openid").await.access_token();
    let header = || bearer(&token);
    let in_form = || form(&[("access_token", &token)]);
    let gzip = || raw_form(format!("access_token={token}")).header("content-encoding", "gzip");
    test.interceptor.clear_calls();
    for request in [
        in_form().header("authorization", &format!("Bearer {token}")).to("POST", USERINFO),
        header().header("authorization", &format!("Bearer {token}")).to("GET", USERINFO),
        header().header("authorization", "Basic YTpi").to("GET", USERINFO),
        raw_form("").header("authorization", &format!("Bearer {token}, Bearer {token}")).to("GET", USERINFO),
        raw_form("").query(&format!("?access_token={token}")).to("GET", USERINFO),
        header().query(&format!("?access_token={token}")).to("GET", USERINFO),
        header().query("?access_token=").to("GET", USERINFO),
        header().query("?x=%zz").to("GET", USERINFO),
        form(&[("access_token", &token), ("access_token", &token)]).to("POST", USERINFO),
        raw_form("access_token=%zz").to("POST", USERINFO),
        gzip().to("POST", USERINFO),
    ] {
        test.send(request).await.assert_bearer_error(400, "invalid_request");
    }
    let large = raw_form(format!("access_token={}", "a".repeat(16 * 1024))).to("POST", USERINFO);
    test.send(large).await.assert_bearer_error(413, "invalid_request");
    for text in ["x", "a.b.c", &"a".repeat(9_000), "%", "\u{fc}"] {
        get(&test, text).await.assert_bearer_error(401, "invalid_token");
    }
    assert!(test.interceptor.calls().is_empty(), "{:?}", test.interceptor.calls());
}

#[tokio::test]
async fn s_825_only_version_2_of_a_login_by_code_passes() {
    let test = started().await;
    let password = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", "openid")];
    test.change_client(APPLICATION.0, &json!({"scopes": SCOPES}));
    let by_password = test.form(APPLICATION, &password).await;
    assert_eq!(by_password.body["scope"], "openid");
    get(&test, &by_password.access_token()).await.assert_bearer_error(401, "invalid_token");
    get(&test, &by_password.refresh_token()).await.assert_bearer_error(401, "invalid_token");
    // A client that may not have `openid` may still have version 1.
    test.put_code_client(&json!({"scopes": ["legacy:*"]}));
    let scope = "legacy:autonomy.read";
    let browser = test.sign_in(scope, Period::Unlimited).await;
    let code = test.code_of(&browser, &[("scope", scope)]).await;
    let exchange = form(&testing::exchange(&[("code", &code)])).basic(CODE_CLIENT.0, CODE_CLIENT.1);
    let version_1 = test.send(exchange.header("accept", "version=1").post()).await;
    version_1.assert_issued(1);
    get(&test, &version_1.access_token()).await.assert_bearer_error(401, "invalid_token");
    let version_2 = log_in(&test, scope).await.access_token();
    get(&test, &version_2).await.assert_bearer_error(403, "insufficient_scope");
    test.advance_clock(3_600);
    get(&test, &version_2).await.assert_bearer_error(401, "invalid_token");
}

#[tokio::test]
async fn s_825_a_scope_that_the_client_may_no_longer_have_does_not_count() {
    let test = started().await;
    let token = log_in(&test, "openid profile email legacy:autonomy.read").await.access_token();
    test.put_code_client(&json!({"scopes": ["openid", "email"]}));
    let expected = json!({"sub": "1042", "email": "john@crm.example", "email_verified": true});
    assert_eq!(get(&test, &token).await.body, expected);
    for scopes in [json!(["profile", "legacy:*"]), json!(["other"])] {
        test.put_code_client(&json!({"scopes": scopes}));
        get(&test, &token).await.assert_bearer_error(403, "insufficient_scope");
    }
}

/// The token has a part of the scope of its login.
#[tokio::test]
async fn s_825_the_scope_is_that_of_the_token() {
    let test = started().await;
    let login = log_in(&test, "openid email legacy:autonomy.read").await;
    let mut refresh_token = login.refresh_token();
    for (scope, expected) in [("openid", Ok(json!({"sub": "1042"}))), ("legacy:autonomy.read", Err(403))] {
        let narrowed = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token), ("scope", scope)];
        let response = test.form(CODE_CLIENT, &narrowed).await;
        let claims = get(&test, &response.access_token()).await;
        match expected {
            Ok(expected) => assert_eq!(claims.body, expected),
            Err(status) => claims.assert_bearer_error(status, "insufficient_scope"),
        }
        refresh_token = response.refresh_token();
    }
}

#[tokio::test]
async fn s_826_every_page_may_read_userinfo_and_no_page_sends_cookies() {
    let test = started().await;
    let token = log_in(&test, "openid").await.access_token();
    let request = |method, header: Option<(&str, &str)>| {
        let request = raw_form("").header("origin", "https://any.example");
        header.into_iter().fold(request, |request, (name, value)| request.header(name, value)).to(method, USERINFO)
    };
    let preflight = test.send(request("OPTIONS", Some(("access-control-request-method", "GET")))).await;
    assert_eq!((preflight.status, preflight.bytes.len()), (204, 0));
    for (name, value) in [
        ("access-control-allow-methods", "GET, POST"),
        ("access-control-allow-headers", "authorization, content-type, accept, dpop"),
        ("access-control-max-age", "7200"),
    ] {
        assert_eq!(preflight.header(name), Some(value));
    }
    let no_origin = raw_form("").header("access-control-request-method", "GET").to("OPTIONS", USERINFO);
    let authorization = format!("Bearer {token}");
    for (response, status) in [
        (preflight, 204),
        (test.send(request("GET", Some(("authorization", &authorization)))).await, 200),
        (test.send(request("POST", Some(("authorization", &authorization)))).await, 200),
        (test.send(request("GET", None)).await, 401),
        (test.send(request("OPTIONS", None)).await, 405),
        (test.send(no_origin).await, 405),
        (test.send(request("DELETE", None)).await, 405),
        (test.send(Request::head(USERINFO).body(Body::empty()).unwrap()).await, 405),
    ] {
        assert_eq!(response.status, status);
        assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{status}");
        assert_eq!(response.header("access-control-allow-credentials"), None, "{status}");
        assert_eq!(response.header("vary"), Some("Origin"), "{status}");
        let is_405 = status == 405;
        assert_eq!(response.header("allow"), is_405.then_some("GET,POST,OPTIONS"));
    }
}

#[tokio::test]
async fn s_701_an_outage_of_any_read_is_no_invalid_token() {
    let test = started().await;
    let token = log_in(&test, "openid").await.access_token();
    for call in ["GetItem ClientsTable", "GetItem GrantsTable", "GetItem UsersTable"] {
        test.interceptor.fail(call, 400, "ThrottlingException");
        let response = get(&test, &token).await;
        response.assert_error(503, "temporarily_unavailable");
        assert!((2..=5).contains(&response.retry_after()));
        assert_eq!(response.header("www-authenticate"), None);
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        test.interceptor.stop_failing();
    }
    assert_eq!(get(&test, &token).await.status, 200);
}

#[tokio::test]
async fn userinfo_needs_two_round_trips_and_writes_nothing() {
    let test = started().await;
    let token = log_in(&test, "openid").await.access_token();
    let (client, grant, user) = ("GetItem ClientsTable", "GetItem GrantsTable", "GetItem UsersTable");
    let response = assert_round_trips(&test, get(&test, &token), &[&[client, grant], &[grant, grant, user]]).await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn s_601_the_line_of_a_userinfo_request_names_client_user_and_login_and_no_claim() {
    let log = LogLines::collect();
    let test = started().await;
    let login = log_in(&test, "openid email").await;
    get(&test, &login.access_token()).await;
    get(&test, "junk").await;
    assert_no_token(&test.send(raw_form("").to("GET", USERINFO)).await, "no token");
    let lines = log.lines();
    let [.., done, rejected, none] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(done["event"], "userinfo");
    assert_eq!((&done["outcome"], &done["client_id"]), (&json!("done"), &json!(CODE_CLIENT.0)));
    assert!(done["session"].is_string() && done["user"].is_string() && done["jti"].is_string());
    assert_eq!((&rejected["outcome"], &rejected["error"]), (&json!("rejected"), &json!("invalid_token")));
    assert_eq!((&none["outcome"], &none["error"]), (&json!("rejected"), &json!("invalid_token")));
    assert!(!format!("{lines:?}").contains("crm.example"));
}

#[tokio::test]
async fn without_login_pages_there_is_no_userinfo() {
    let test = TestApp::start().await;
    get(&test, "x").await.assert_error(404, "not_found");
}
