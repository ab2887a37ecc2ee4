//! `prompt=none`, the loops that must not exist, and the log.

use super::{Browser, JOHN, code_of, page, parameter, query};
use testing::{LogLines, form_body};

#[tokio::test]
async fn s_819_without_a_page_each_cause_has_its_error() {
    let mut browser = Browser::start().await;
    let silent = |client, scope| format!("/oauth/authorize?{}", query(client, scope, &[("prompt", "none")]));
    let error = |response: &testing::Response| parameter(response, "error");
    assert_eq!(error(&browser.get(&silent("portal", "openid")).await).as_deref(), Some("login_required"));
    browser.sign_in(JOHN).await;
    code_of(&browser.get(&silent("portal", "openid")).await);
    assert_eq!(error(&browser.get(&silent("crm", "openid")).await).as_deref(), Some("consent_required"));
    assert_eq!(error(&browser.get(&silent("phone", "openid")).await).as_deref(), Some("interaction_required"));
    browser.test.advance_clock(60);
    let old = query("portal", "openid", &[("prompt", "none"), ("max_age", "59")]);
    assert_eq!(error(&browser.get(&format!("/oauth/authorize?{old}")).await).as_deref(), Some("login_required"));
    let form = form_body(&[("username", JOHN), ("password", "wrong")]);
    let path = silent("portal", "openid").replace("authorize", "login");
    let rejected = browser.send(super::our_form(&path), &form).await;
    assert_eq!(error(&rejected).as_deref(), Some("login_required"));
}

#[tokio::test]
async fn s_820_one_login_satisfies_the_request() {
    for other in
        [vec![("prompt", "login")], vec![("max_age", "0")], vec![("prompt", "select_account login"), ("max_age", "1")]]
    {
        let mut browser = Browser::start().await;
        browser.sign_in(JOHN).await;
        browser.test.advance_clock(10);
        let request = query("portal", "openid", &other);
        let shown = browser.get(&format!("/oauth/authorize?{request}")).await;
        assert_eq!(page(&shown).0.as_deref(), Some("login"), "{other:?}");
        let fields = [("username", JOHN), ("password", super::SECRET_PASSWORD)];
        let signed_in = browser.post(&format!("/oauth/login?{request}"), &fields).await;
        let next = signed_in.header("location").unwrap().to_owned();
        code_of(&browser.get(&next).await);
    }
}

#[tokio::test]
async fn a_reload_of_a_form_leads_to_its_request() {
    let mut browser = Browser::start().await;
    let request = query("crm", "openid email", &[("unknown", "1")]);
    let canonical = query("crm", "openid email", &[]).replace("%20", "+");
    for path in ["/oauth/login", "/oauth/consent"] {
        let response = browser.get(&format!("{path}?{request}")).await;
        assert_eq!(response.header("location"), Some(format!("/oauth/authorize?{canonical}").as_str()));
        assert_eq!(browser.get(path).await.header("location"), Some("/account"));
        let evil = request.replace("crm.example", "evil.example");
        let rejected = browser.get(&format!("{path}?{evil}")).await;
        assert_eq!((rejected.status, page(&rejected).1.as_deref()), (400, Some("redirect_uri")));
    }
    let without = browser.post("/oauth/consent", &[("decision", "grant")]).await;
    assert_eq!((without.status, page(&without).1.as_deref()), (400, Some("request")));
}

#[tokio::test]
async fn s_828_the_log_has_no_code_cookie_verifier_hint_or_query() {
    let log = LogLines::collect();
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let request = query("crm", "openid", &[("login_hint", "the-hint"), ("nonce", "the-nonce")]);
    let confirm = browser.confirm(&request).await;
    let code = browser.code(&request).await;
    browser.exchange(&request, &code, super::VERIFIER).await.refresh_token();
    browser.account("remove", &[("client_id", "crm")]).await;
    browser.account("sign-out", &[]).await;
    let cookie = browser.first_cookie.clone().unwrap();
    let lines = log.text();
    for event in ["authorize", "login", "consent", "account", "token"] {
        assert!(lines.contains(&format!("\"event\":\"{event}\"")), "{event}: {lines}");
    }
    let secrets = [
        &code[6..],
        &cookie["__Host-session=".len()..],
        super::VERIFIER,
        "the-hint",
        "the-nonce",
        "redirect_uri",
        &confirm,
        JOHN,
    ];
    for secret in secrets {
        assert!(!lines.contains(secret), "{secret}: {lines}");
    }
}
