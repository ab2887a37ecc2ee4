//! Two tabs of one browser, records that change between two steps, and what pages and redirects reveal.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use tower::ServiceExt;

use super::{Browser, JOHN, VERIFIER, code_of, our_form, page, query};

async fn signed_in() -> Browser {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    browser
}

fn consent_id(browser: &Browser) -> String {
    let item = browser.test.cloud.item("GrantsTable", &json!({"id": "owner#1042"})).unwrap().unwrap();
    item["c#crm"]["M"]["id"]["S"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_form_that_is_sent_twice_issues_two_codes_for_one_consent() {
    let mut browser = signed_in().await;
    let query = query("crm", "openid", &[]);
    let confirm = browser.confirm(&query).await;
    let fields = [("confirm", confirm.as_str()), ("decision", "grant"), ("for", "none")];
    let path = format!("/oauth/consent?{query}");
    let first = code_of(&browser.post(&path, &fields).await);
    let id = consent_id(&browser);
    let second = code_of(&browser.post(&path, &fields).await);
    assert_ne!(first, second);
    assert_eq!(consent_id(&browser), id);
    for code in [first, second] {
        browser.exchange(&query, &code, VERIFIER).await.assert_issued(2);
    }
}

#[tokio::test]
async fn a_form_whose_consent_another_tab_removed_cannot_keep_it() {
    let mut browser = signed_in().await;
    let first = query("crm", "openid", &[]);
    let unused = browser.code(&first).await;
    let id = consent_id(&browser);
    let more = query("crm", "openid email", &[]);
    let confirm = browser.confirm(&more).await;
    browser.account("remove", &[("client_id", "crm")]).await;
    let path = format!("/oauth/consent?{more}");
    let keep = [("confirm", confirm.as_str()), ("decision", "grant"), ("for", "keep")];
    let shown = browser.post(&path, &keep).await;
    assert_eq!((shown.status, page(&shown).1.as_deref()), (422, Some("for")));
    code_of(&browser.post(&path, &[keep[0], keep[1], ("for", "none")]).await);
    assert_ne!(consent_id(&browser), id);
    browser.exchange(&first, &unused, VERIFIER).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_user_who_is_replaced_between_two_steps_is_signed_out() {
    for attributes in [json!({"user_id": "7"}), json!({"enabled": false}), json!({"session_generation": 9})] {
        let mut browser = signed_in().await;
        let query = query("crm", "openid", &[]);
        let code = browser.code(&query).await;
        let confirm = browser.confirm(&format!("{query}&prompt=consent")).await;
        browser.change("users", JOHN, &attributes);
        let fields = [("confirm", confirm.as_str()), ("decision", "grant"), ("for", "none")];
        let response = browser.post(&format!("/oauth/consent?{query}&prompt=consent"), &fields).await;
        let next = response.header("location").unwrap().to_owned();
        assert!(next.starts_with("/oauth/authorize?"), "{attributes} {next}");
        assert_eq!(page(&browser.get(&next).await).0.as_deref(), Some("login"), "{attributes}");
        browser.exchange(&query, &code, VERIFIER).await.assert_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn s_802_the_page_for_a_redirect_uri_that_is_not_proven_repeats_nothing() {
    let mut browser = signed_in().await;
    let valid = query("crm", "openid", &[]);
    let mut pages = Vec::new();
    for uri in [
        "https://crm.example/cb/",
        "https://crm.example/cb?",
        "https://crm.example/CB",
        "https://CRM.example/cb",
        "https://crm.example:443/cb",
        "https://crm.example./cb",
        "https://crm.example/x/..;/cb",
        "https://crm.example/%63b",
        "https://crm.example/cb#",
        "https://crm.example/cb\0",
        "https://crm.example/cb\r\nX-Evil: 1",
        "https://crm.example/cb?tenant=8",
        "https://crm.example@evil.example/cb",
        "https://evil.example\\@crm.example/cb",
        "//crm.example/cb",
        "javascript:alert(1)//",
        "http://crm.example/cb",
        "\"><script>alert(1)</script>",
    ] {
        let encoded = testing::form_body(&[("redirect_uri", uri)]);
        let other: Vec<_> = valid.split('&').filter(|pair| !pair.starts_with("redirect_uri=")).collect();
        for (path, query) in [
            ("/oauth/authorize", format!("{}&{encoded}", other.join("&"))),
            ("/oauth/authorize", format!("{}&{encoded}&prompt=none", other.join("&"))),
            ("/oauth/consent", format!("{encoded}&{}", other.join("&"))),
        ] {
            let response = browser.get(&format!("{path}?{query}")).await;
            assert_eq!((response.status, response.header("location")), (400, None), "{uri:?}");
            assert_eq!(page(&response).1.as_deref(), Some("redirect_uri"), "{uri:?}");
            pages.push(response.bytes);
        }
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
    assert!(!String::from_utf8(pages[0].to_vec()).unwrap().contains("href"));
}

#[tokio::test]
async fn s_829_no_page_and_no_redirect_lets_a_browser_send_a_referer_to_another_origin() {
    let mut browser = Browser::start().await;
    let query = query("crm", "openid", &[]);
    let mut responses = Vec::new();
    for path in ["/account", "/oauth/login", "/oauth/logout", "/oauth/authorize?%", "/oauth/authorize"] {
        responses.push(browser.get(path).await);
    }
    for path in ["authorize", "login", "consent"] {
        responses.push(browser.get(&format!("/oauth/{path}?{query}")).await);
    }
    responses.push(browser.get(&format!("/oauth/authorize?{query}&prompt=none")).await);
    responses.push(browser.sign_in(JOHN).await);
    responses.push(browser.get(&format!("/oauth/authorize?{query}")).await);
    responses.push(browser.grant(&query, "none").await);
    responses.push(browser.get(&format!("/oauth/authorize?{query}")).await);
    responses.push(browser.account("limit", &[("client_id", "crm"), ("until", "x")]).await);
    responses.push(browser.get("/oauth/logout").await);
    responses.push(browser.account("sign-out", &[]).await);
    let redirects = responses.iter().filter(|response| response.status == 303).count();
    assert!(redirects >= 7 && responses.len() - redirects >= 7);
    for response in responses {
        let place = (response.status, response.header("location"), page(&response));
        assert_eq!(response.header("referrer-policy"), Some("same-origin"), "{place:?}");
    }
}

#[tokio::test]
async fn s_832_without_login_pages_no_path_exists() {
    let mut browser = Browser::start_with(|config| config.pages = None).await;
    let query = query("portal", "openid", &[]);
    let router = countersign::http::router(browser.test.app.clone());
    let paths = ["login", "consent", "logout"].map(|path| format!("/oauth/{path}?{query}"));
    let of_account = ["", "/remove", "/limit", "/sign-out", "/sign-out-everywhere"];
    for path in paths.into_iter().chain(of_account.map(|path| format!("/account{path}"))) {
        for request in [Request::get(&path), our_form(&path)] {
            // Not in `openapi.yaml`, because the paths do not exist.
            let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), 404, "{path}");
        }
    }
    let response = browser.get(&format!("/oauth/authorize?{query}")).await;
    assert_eq!(response.header("location"), None);
    response.assert_error(400, "unsupported_response_type");
}
