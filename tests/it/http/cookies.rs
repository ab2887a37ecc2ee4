//! The refresh token in a cookie (S-911 to S-915).

use serde_json::json;

use testing::{
    APPLICATION, BROWSER_APP, BROWSER_ORIGIN, COOKIE, LogLines, PASSWORD, Response, SERVICE, TestApp, USERNAME,
    browser, browser_login, browser_refresh, form, raw_json,
};

mod clearing;
mod other_clients;
mod revocation;

/// Starts a deployment with a client that has a cookie.
async fn started() -> TestApp {
    let test = TestApp::start_with_cheap_hashes().await;
    test.put_browser_app();
    test
}

/// Asserts that the response stores a refresh token for this number of seconds, in the cookie only. Returns the token.
#[track_caller]
fn assert_stored(response: &Response, max_age: u64) -> String {
    response.assert_issued(2);
    assert_eq!(response.body.get("refresh_token"), None);
    let (name, value, attributes) = response.cookie().unwrap();
    assert_eq!(name, COOKIE);
    assert!(value.starts_with("cs_rt_"));
    let max_age = format!("Max-Age={max_age}");
    assert_eq!(attributes, ["Path=/", "Secure", "HttpOnly", "SameSite=Strict", max_age.as_str()]);
    assert!(!String::from_utf8_lossy(&response.bytes).contains(&value[6..]));
    value.to_owned()
}

/// Asserts that the response deletes the cookie.
#[track_caller]
fn assert_cleared(response: &Response, what: &str) {
    let (name, value, attributes) = response.cookie().unwrap_or_else(|| panic!("{what}: no cookie"));
    assert_eq!((name, value), (COOKIE, ""), "{what}");
    assert_eq!(attributes, ["Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age=0"], "{what}");
}

/// Asserts the headers that let the page of the client read the response to a request with cookies.
#[track_caller]
fn assert_readable(response: &Response, what: &str) {
    for (name, value) in [
        ("access-control-allow-origin", BROWSER_ORIGIN),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "Retry-After, DPoP-Nonce"),
        ("vary", "Origin"),
    ] {
        assert_eq!(response.header(name), Some(value), "{what}: {name}");
    }
}

#[tokio::test]
async fn s_911_a_refresh_token_is_in_the_cookie_with_all_its_attributes_and_nowhere_else() {
    let test = started().await;
    let log = LogLines::collect();
    let login = test.send(browser_login(PASSWORD).post()).await;
    assert_readable(&login, "login");
    let first = assert_stored(&login, 2_592_000);
    test.advance_clock(100);
    let refreshed = test.refresh_by_cookie(&first).await;
    assert_readable(&refreshed, "refresh");
    let second = assert_stored(&refreshed, 2_592_000);
    assert_ne!(first, second);
    let body = json!({"grant_type": "refresh_token", "client_id": BROWSER_APP}).to_string();
    let in_json = raw_json(body).header("origin", BROWSER_ORIGIN).header("cookie", &format!("{COOKIE}={second}"));
    let third = assert_stored(&test.send(in_json.post()).await, 2_592_000);
    assert_eq!(test.active_generation(&third), Some(2));
    for token in [&first, &second, &third] {
        assert!(!log.text().contains(&token[6..]));
    }
    assert!(!log.text().contains("__Host"));
}

#[tokio::test]
async fn s_911_max_age_is_the_time_until_the_login_expires() {
    let test = started().await;
    test.put_browser_app_with(&json!({"refresh_token_ttl": 7_776_000}));
    let token = assert_stored(&test.send(browser_login(PASSWORD).post()).await, 7_776_000);
    test.advance_clock(1_000);
    let token = assert_stored(&test.refresh_by_cookie(&token).await, 7_775_000);
    test.put_browser_app_with(&json!({"refresh_token_ttl": 7_200}));
    let next = assert_stored(&test.refresh_by_cookie(&token).await, 7_200);
    // A retry does not extend the login.
    test.advance_clock(9);
    assert_eq!(assert_stored(&test.refresh_by_cookie(&token).await, 7_191), next);
}

#[tokio::test]
async fn s_913_two_tabs_that_use_one_cookie_get_one_successor() {
    let test = started().await;
    let token = test.log_in_by_browser().await;
    let (first, second) = tokio::join!(test.refresh_by_cookie(&token), test.refresh_by_cookie(&token));
    let successor = assert_stored(&first, 2_592_000);
    assert_eq!(assert_stored(&second, 2_592_000), successor);
    let login = test.another_execution_environment().await;
    test.advance_clock(10);
    assert_eq!(assert_stored(&login.refresh_by_cookie(&token).await, 2_591_990), successor);
    assert_eq!(test.active_generation(&token), Some(1));
    assert_stored(&test.refresh_by_cookie(&successor).await, 2_592_000);
}

#[tokio::test]
async fn a_login_through_a_client_without_the_refresh_token_grant_sets_no_cookie() {
    let test = started().await;
    test.put_browser_app_with(&json!({"grant_types": ["password"]}));
    let response = test.send(browser_login(PASSWORD).post()).await;
    response.assert_issued(2);
    assert_readable(&response, "login");
    assert_eq!(response.cookie(), None);
    let response = test.send(browser_refresh("x").post()).await;
    response.assert_error(400, "unauthorized_client");
    assert_eq!(response.cookie(), None);
}

#[tokio::test]
async fn the_cookie_is_found_among_others() {
    let test = started().await;
    let token = test.log_in_by_browser().await;
    let ours = format!("{COOKIE}={token}");
    let headers = [
        vec![format!("a=1; {ours}; b=2")],
        vec![format!("{ours};a=1")],
        vec!["a=1".to_owned(), ours.clone(), "b=2".to_owned()],
        vec![format!("a=\u{fc};  {ours} ;=; ;;x")],
        vec![format!("{COOKIE}-two=x; {}=x; x{COOKIE}=x; {ours}", COOKIE.to_lowercase())],
        vec![format!("{COOKIE}; {ours}")],
    ];
    for cookies in headers {
        let request = browser(&[("grant_type", "refresh_token")]);
        let request = cookies.iter().fold(request, |request, cookie| request.header("cookie", cookie));
        assert_stored(&test.send(request.post()).await, 2_592_000);
    }
}

#[tokio::test]
async fn a_refresh_token_in_the_wrong_place_is_rejected_and_not_used() {
    let test = started().await;
    let token = test.log_in_by_browser().await;
    let ours = format!("{COOKIE}={token}");
    let refresh = || browser(&[("grant_type", "refresh_token")]);
    let in_body = || browser(&[("grant_type", "refresh_token"), ("refresh_token", &token)]);
    for (what, request) in [
        ("in the body", in_body()),
        ("in the body and in the cookie", in_body().header("cookie", &ours)),
        ("the cookie twice", refresh().header("cookie", &format!("{ours}; {ours}"))),
        ("the cookie in two headers", refresh().header("cookie", &ours).header("cookie", &ours)),
        ("the cookie twice, once empty", refresh().header("cookie", &format!("{COOKIE}=; {ours}"))),
        ("another cookie twice, and in the body", in_body().header("cookie", "a=1; a=2")),
    ] {
        let response = test.send(request.post()).await;
        assert_eq!((response.status, &response.body["error"]), (400, &json!("invalid_request")), "{what}");
        assert_eq!(response.cookie(), None, "{what}");
        assert_readable(&response, what);
    }
    // An empty parameter counts as absent.
    let request = browser(&[("grant_type", "refresh_token"), ("refresh_token", "")]).header("cookie", &ours);
    assert_stored(&test.send(request.post()).await, 2_592_000);
    assert_eq!(test.active_generation(&token), Some(1));
}

/// The page of a client with a cookie runs on the user's device.
#[tokio::test]
async fn s_307_guesses_from_a_page_count_in_the_network_of_the_user() {
    let test = started().await;
    test.put_browser_app_with(&json!({"user_address": "forwarded"}));
    let guess = async |password: &str, source: &str| {
        // Ignored, because the record has a cookie.
        let request = browser_login(password).header("countersign-user-address", "junk");
        let mut request = request.post();
        let origin = countersign::http::Origin { source: source.to_owned(), ..countersign::http::Origin::default() };
        request.extensions_mut().insert(origin);
        test.send(request).await
    };
    assert_stored(&guess(PASSWORD, "203.0.113.7").await, 2_592_000);
    for _ in 0..5 {
        guess("wrong", "192.0.2.1").await.assert_error(400, "invalid_grant");
    }
    let blocked = guess(PASSWORD, "192.0.2.1").await;
    blocked.assert_error(429, "temporarily_unavailable");
    assert_eq!(blocked.cookie(), None);
    assert_readable(&blocked, "a page reads Retry-After");
    assert_stored(&guess(PASSWORD, "203.0.113.8").await, 2_592_000);
}

#[tokio::test]
async fn s_912_a_page_of_the_client_reads_every_response_after_authentication() {
    let test = started().await;
    for (what, request, status) in [
        ("a wrong password", browser_login("wrong"), 400),
        ("a missing parameter", browser(&[("grant_type", "password"), ("username", USERNAME)]), 400),
        ("a scope", browser(&[("grant_type", "refresh_token"), ("scope", "admin")]).header("cookie", "a=1"), 400),
        ("no cookie", browser(&[("grant_type", "refresh_token")]), 400),
        ("a forged cookie", browser_refresh("cs_rt_x"), 400),
        ("another grant", browser(&[("grant_type", "client_credentials")]), 400),
    ] {
        let response = test.send(request.post()).await;
        assert_eq!(response.status, status, "{what}");
        assert_readable(&response, what);
    }
    let token = test.log_in_by_browser().await;
    test.interceptor.fail("GetItem GrantsTable", 400, "ThrottlingException");
    let response = test.refresh_by_cookie(&token).await;
    response.assert_error(503, "temporarily_unavailable");
    assert_readable(&response, "an outage");
    test.interceptor.stop_failing();
    // Before the client is proven, no page reads anything.
    test.interceptor.fail("GetItem ClientsTable", 400, "ThrottlingException");
    let response = test.refresh_by_cookie(&token).await;
    response.assert_error(503, "temporarily_unavailable");
    assert_eq!(response.header("access-control-allow-origin"), None);
    assert_eq!(response.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn a_client_without_a_cookie_gets_no_access_control_allow_credentials() {
    let test = started().await;
    for client_id in [SERVICE.0, APPLICATION.0] {
        test.change_client(client_id, &json!({"allowed_origins": [BROWSER_ORIGIN]}));
    }
    test.put_browser_app_with(&json!({"refresh_token_cookie": null}));
    for request in [
        form(&testing::CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1).header("origin", BROWSER_ORIGIN),
        browser_refresh("x"),
    ] {
        let response = test.send(request.post()).await;
        assert_eq!(response.header("access-control-allow-origin"), Some(BROWSER_ORIGIN));
        assert_eq!(response.header("access-control-allow-credentials"), None);
    }
}
