//! Sessions of a browser: the cookie, renewals, other users, and sign-outs.

use serde_json::json;

use super::{Browser, JOHN, code_of, field, our_form, page, parameter, query, set_cookie};
use testing::form_body;

const ANNA: &str = "anna@itccompliance.co.uk";
const SIGN_IN: [(&str, &str); 2] = [("username", JOHN), ("password", super::SECRET_PASSWORD)];

/// Returns true if the cookie of the browser is signed in.
async fn is_signed_in(browser: &mut Browser) -> bool {
    match page(&browser.get("/account").await).0.as_deref() {
        Some("account") => true,
        Some("login") => false,
        other => panic!("{other:?}"),
    }
}

/// Returns the first 21 characters of the value of a cookie: the id of the session.
fn id_of(cookie: &str) -> &str {
    &cookie["__Host-session=".len()..][..21]
}

#[tokio::test]
async fn s_814_each_login_has_a_new_secret_and_nothing_of_the_request() {
    let mut browser = Browser::start().await;
    let chosen = format!("__Host-session={}", "A".repeat(64));
    let request = our_form("/oauth/login").header("cookie", &chosen);
    let response = browser.send(request, &form_body(&SIGN_IN)).await;
    let first = set_cookie(&response).unwrap();
    assert_eq!(response.header("set-cookie").unwrap(), format!("{first}; Path=/; Secure; HttpOnly; SameSite=Lax"));
    assert_ne!(id_of(&first), "A".repeat(21));
    browser.sign_in(JOHN).await;
    let second = browser.cookie.clone().unwrap();
    assert_eq!(id_of(&first), id_of(&second), "the session is renewed");
    assert_ne!(first, second);
    assert!(is_signed_in(&mut browser).await);
    browser.cookie = Some(first);
    assert!(!is_signed_in(&mut browser).await, "the secret of before");
    browser.cookie = Some(second.clone());
    let twice = format!("{second}; {second}");
    browser.cookie = Some(twice);
    assert!(!is_signed_in(&mut browser).await, "the cookie twice");
}

#[tokio::test]
async fn a_session_without_a_username_is_not_signed_in() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let mut session =
        browser.test.items("GrantsTable").into_iter().find(|item| item.get("secret_hash").is_some()).unwrap();
    for (username, is_user) in [(JOHN, true), ("two words", false), ("", false)] {
        session["username"]["S"] = json!(username);
        browser.test.restore_item("GrantsTable", &session);
        assert_eq!(is_signed_in(&mut browser).await, is_user, "{username:?}");
    }
}

#[tokio::test]
async fn a_login_by_another_user_ends_the_session_of_the_cookie() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let john = browser.cookie.clone().unwrap();
    browser.sign_in(ANNA).await;
    let anna = browser.cookie.clone().unwrap();
    assert_ne!(id_of(&john), id_of(&anna));
    assert!(is_signed_in(&mut browser).await);
    browser.cookie = Some(john);
    assert!(!is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn s_817_a_rejected_login_changes_no_session_and_shares_the_budget_of_the_password_grant() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let cookie = browser.cookie.clone();
    let sessions = browser.test.items("GrantsTable");
    let sessions: Vec<_> = sessions.into_iter().filter(|item| item["id"].to_string().contains("session#")).collect();
    let wrong = [("grant_type", "password"), ("username", ANNA), ("password", "x"), ("scope", "openid")];
    for guess in 0..5 {
        let status = if guess % 2 == 0 {
            browser.post("/oauth/login", &[("username", ANNA), ("password", "x")]).await.status
        } else {
            browser.token("portal", &wrong).await.status
        };
        assert_eq!(status, if guess % 2 == 0 { 422 } else { 400 }, "{guess}");
    }
    let blocked = browser.post("/oauth/login", &[("username", ANNA), ("password", super::SECRET_PASSWORD)]).await;
    assert_eq!((blocked.status, page(&blocked).1.as_deref()), (429, Some("throttled")));
    assert!((1..=30).contains(&blocked.retry_after()));
    assert_eq!(browser.token("portal", &wrong).await.status, 429);
    assert_eq!(browser.cookie, cookie);
    let after = browser.test.items("GrantsTable");
    let after: Vec<_> = after.into_iter().filter(|item| item["id"].to_string().contains("session#")).collect();
    assert_eq!(after, sessions);
}

#[tokio::test]
async fn s_816_every_wrong_login_gets_the_same_page() {
    let mut browser = Browser::start().await;
    let mut pages = Vec::new();
    let long = "x".repeat(1_025);
    for username in ["off@itccompliance.co.uk", "jane.smith@itccompliance.co.uk", JOHN, "a\nb", &long] {
        let response = browser.post("/oauth/login", &[("username", username), ("password", "wrong")]).await;
        assert_eq!((response.status, page(&response).1.as_deref()), (422, Some("credentials")), "{username}");
        assert_eq!(set_cookie(&response), None);
        let shown = field(&response, "username").unwrap();
        pages.push(String::from_utf8(response.bytes.to_vec()).unwrap().replace(&format!("value=\"{shown}\""), ""));
    }
    pages.truncate(3);
    assert!(pages.iter().all(|page| *page == pages[0]));
    let missing = browser.post("/oauth/login", &[("username", "  "), ("password", "x")]).await;
    assert_eq!((missing.status, page(&missing).1.as_deref()), (422, Some("missing")));
}

#[tokio::test]
async fn s_815_each_end_of_a_session_signs_the_user_out() {
    for end in 0..5 {
        let mut browser = Browser::start().await;
        browser.sign_in(JOHN).await;
        let cookie = browser.cookie.clone();
        assert!(is_signed_in(&mut browser).await);
        match end {
            0 => browser.test.advance_clock(3_600),
            1 => browser.change("users", JOHN, &json!({"enabled": false})),
            2 => browser.change("users", JOHN, &json!({"session_generation": 1})),
            3 => assert_eq!(browser.account("sign-out", &[]).await.status, 303),
            _ => assert_eq!(browser.account("sign-out-everywhere", &[]).await.status, 303),
        }
        browser.cookie.clone_from(&cookie);
        assert!(!is_signed_in(&mut browser).await, "{end}");
        let silent = query("portal", "openid", &[("prompt", "none")]);
        let response = browser.get(&format!("/oauth/authorize?{silent}")).await;
        assert_eq!(parameter(&response, "error").as_deref(), Some("login_required"));
    }
}

#[tokio::test]
async fn s_823_a_sign_out_ends_the_logins_of_the_session_without_offline_access() {
    for (scope, path, ends) in [
        ("openid", "sign-out", true),
        ("openid offline_access", "sign-out", false),
        ("openid offline_access", "sign-out-everywhere", true),
    ] {
        let mut browser = Browser::start().await;
        browser.sign_in(JOHN).await;
        let query = query("portal", scope, &[]);
        let code = browser.code(&query).await;
        let token = browser.exchange(&query, &code, super::VERIFIER).await.refresh_token();
        assert_eq!(browser.account(path, &[]).await.status, 303);
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        let status = browser.token("portal", &refresh).await.status;
        assert_eq!(status, if ends { 400 } else { 200 }, "{scope} {path}");
    }
}

#[tokio::test]
async fn a_session_in_use_lasts_until_its_absolute_end() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let query = format!("/oauth/authorize?{}", query("portal", "openid", &[("prompt", "none")]));
    for _ in 0..14 {
        code_of(&browser.get(&query).await);
        browser.test.advance_clock(3_000);
    }
    code_of(&browser.get(&query).await);
    browser.test.advance_clock(1_200);
    let response = browser.get(&query).await;
    assert_eq!(parameter(&response, "error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn a_login_after_the_end_of_a_session_renews_it() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let first = browser.cookie.clone().unwrap();
    browser.test.advance_clock(50_000);
    browser.sign_in(JOHN).await;
    assert_eq!(id_of(&first), id_of(browser.cookie.as_ref().unwrap()));
    assert!(is_signed_in(&mut browser).await);
}
