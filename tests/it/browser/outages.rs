//! Server errors of each step: pages or redirects, and never a code or a session.

use serde_json::json;

use super::{Browser, JOHN, SECRET_PASSWORD, code_of, page, parameter, query, set_cookie};
use testing::Response;

const ERROR: (u16, &str) = (400, "ThrottlingException");

fn assert_unavailable(response: &Response, what: &str) {
    assert_eq!((response.status, page(response).1.as_deref()), (503, Some("unavailable")), "{what}");
    assert!((2..=5).contains(&response.retry_after()), "{what}");
    assert_eq!(set_cookie(response), None, "{what}");
}

#[tokio::test]
async fn s_830_a_server_error_is_a_page_and_issues_nothing() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let request = format!("/oauth/authorize?{}", query("portal", "openid", &[]));
    let families = |browser: &Browser| {
        let items = browser.test.items("GrantsTable");
        items.into_iter().filter(|item| item["id"].to_string().contains("refresh#")).count()
    };
    for call in [
        "GetItem ClientsTable",
        "GetItem GrantsTable",
        "GetItem UsersTable",
        "UpdateItem GrantsTable",
        "PutItem GrantsTable",
    ] {
        browser.test.interceptor.fail(call, ERROR.0, ERROR.1);
        assert_unavailable(&browser.get(&request).await, call);
        browser.test.interceptor.stop_failing();
        assert_eq!(families(&browser), 0, "{call}");
    }
    code_of(&browser.get(&request).await);
    assert_eq!(families(&browser), 1);
}

#[tokio::test]
async fn s_830_without_a_page_the_client_gets_the_server_error() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let request = format!("/oauth/authorize?{}", query("portal", "openid", &[("prompt", "none")]));
    for (call, is_redirect) in
        [("GetItem ClientsTable", false), ("GetItem GrantsTable", true), ("PutItem GrantsTable", true)]
    {
        browser.test.interceptor.fail(call, ERROR.0, ERROR.1);
        let response = browser.get(&request).await;
        browser.test.interceptor.stop_failing();
        if is_redirect {
            assert_eq!(parameter(&response, "error").as_deref(), Some("temporarily_unavailable"), "{call}");
        } else {
            assert_unavailable(&response, call);
        }
    }
    let item = json!({"id": "owner#1042", "c#portal": {"id": "x"}});
    browser.test.cloud.put("GrantsTable", &item).unwrap();
    assert_eq!(parameter(&browser.get(&request).await, "error").as_deref(), Some("server_error"));
    let shown = browser.get(&request.replace("&prompt=none", "")).await;
    assert_eq!((shown.status, page(&shown).1.as_deref()), (500, Some("server_error")));
}

#[tokio::test]
async fn a_login_that_cannot_be_counted_or_stored_gets_no_session() {
    let mut browser = Browser::start().await;
    let fields = [("username", JOHN), ("password", SECRET_PASSWORD)];
    for call in ["GetItem UsersTable", "GetItem GrantsTable", "UpdateItem GrantsTable", "PutItem GrantsTable"] {
        browser.test.interceptor.fail(call, ERROR.0, ERROR.1);
        assert_unavailable(&browser.post("/oauth/login", &fields).await, call);
        browser.test.interceptor.stop_failing();
    }
    assert_eq!(browser.post("/oauth/login", &fields).await.status, 303);
}
