//! Server errors of each step: pages or redirects, and never a code or a session.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Browser, JOHN, SECRET_PASSWORD, code_of, location, page, parameter, query, set_cookie};
use testing::{Fault, FaultKind, FaultProxy, LogLines, Response};

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

/// Asserts that the client gets an error, and no page is shown.
fn assert_client_gets(response: &Response, error: &str, what: &str) {
    let (uri, parameters) = location(response);
    assert_eq!(uri, "https://portal.example/cb", "{what}");
    let names: Vec<_> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["error", "error_description", "state", "iss"], "{what}");
    assert_eq!(parameter(response, "error").as_deref(), Some(error), "{what}");
    assert_eq!(response.header("retry-after"), None, "{what}");
    assert!(response.bytes.is_empty(), "{what}");
}

/// The timeouts of this SDK are longer than the deadline, so that only the deadline ends the request.
#[tokio::test(flavor = "multi_thread")]
async fn s_819_after_the_deadline_the_client_gets_the_error_once_its_address_is_proven() {
    let hangs = [
        ("GetItem ClientsTable", "none", false),
        ("GetItem GrantsTable", "none", true),
        ("GetItem UsersTable", "none", true),
        ("PutItem GrantsTable", "none", true),
        ("PutItem GrantsTable", "consent", false),
        ("GetItem UsersTable", "consent", false),
    ];
    let runs: JoinSet<_> = hangs
        .into_iter()
        .map(async |(call, prompt, is_redirect)| {
            let mut browser = Browser::start().await;
            let proxy = FaultProxy::before(&browser.test).await;
            browser.test = browser.test.behind_with_deadline(&proxy).await;
            browser.test.app.warm_up().await;
            browser.sign_in(JOHN).await;
            let request = query("portal", "openid", &[("prompt", prompt)]);
            let confirm = browser.confirm(&request).await;
            proxy.arm([Fault { call: call.to_owned(), nth: 1, kind: FaultKind::Hang, lasting: true }]);
            let began = Instant::now();
            let response = match prompt {
                "consent" => {
                    let fields = [("confirm", confirm.as_str()), ("decision", "grant"), ("for", "none")];
                    browser.post(&format!("/oauth/consent?{request}"), &fields).await
                }
                _ => browser.get(&format!("/oauth/authorize?{request}")).await,
            };
            assert!(began.elapsed() >= Duration::from_millis(3_700), "{call}: not the deadline");
            if is_redirect {
                assert_client_gets(&response, "temporarily_unavailable", call);
            } else {
                assert_unavailable(&response, call);
            }
        })
        .collect();
    runs.join_all().await;
}

#[tokio::test]
async fn s_819_after_a_panic_the_client_gets_the_error_once_its_address_is_proven() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let request = format!("/oauth/authorize?{}", query("portal", "openid", &[("prompt", "none")]));
    let log = LogLines::collect();
    for (field, is_redirect) in [("client_id", false), ("user", true)] {
        log.panic_at(field);
        let response = browser.get(&request).await;
        if is_redirect {
            assert_client_gets(&response, "server_error", field);
        } else {
            assert_eq!((response.status, page(&response).1.as_deref()), (500, Some("server_error")), "{field}");
        }
        let line = log.lines().into_iter().rfind(|line| line["event"] == "authorize").unwrap();
        assert_eq!((&line["outcome"], &line["error"]), (&json!("failed"), &json!("server_error")), "{line}");
        assert_eq!(line["status"], response.status);
    }
    code_of(&browser.get(&request).await);
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
