//! The modules that send two authorization requests in one browser.

use super::{Params, Suite, params};
use crate::browser::page;

/// Logs a user in twice. Asserts that the second request shows the login page, and returns both times of the login.
async fn two_logins(second: &Params, seconds: i64) -> (u64, u64) {
    let mut suite = Suite::start().await;
    let first = suite.log_in(&params("openid", &[])).await;
    suite.browser.test.advance_clock(seconds);
    let shown = suite.open(second).await;
    // The text for which the browser of the suite waits.
    assert_eq!(page(&shown).0.as_deref(), Some("login"));
    assert!(std::str::from_utf8(&shown.bytes).unwrap().contains("Sign in"));
    let callback = suite.follow(shown).await;
    assert_eq!(callback.pages, ["login"]);
    let response = suite.exchange(callback.code(second)).await;
    let again = suite.finish(second, callback, response).await;
    let auth_time = |login: &super::Login| login.id_token["auth_time"].as_u64().unwrap();
    (auth_time(&first), auth_time(&again))
}

/// Sends two requests. Asserts that the second one shows no page, and that both ID tokens are of the same login.
async fn one_login(suite: &mut Suite, first: &Params, second: impl FnOnce(&str) -> Params) {
    let before = suite.log_in(first).await;
    suite.browser.test.advance_clock(2);
    let second = second(before.response.body["id_token"].as_str().unwrap());
    let after = suite.log_in(&second).await;
    assert_eq!(after.callback.pages, [""; 0]);
    for name in ["sub", "auth_time"] {
        assert_eq!(before.id_token[name], after.id_token[name], "{name}");
    }
}

#[tokio::test]
async fn oidcc_prompt_login_shows_the_login_page_again() {
    let (first, second) = two_logins(&params("openid", &[("prompt", "login")]), 1).await;
    assert!(first < second);
}

#[tokio::test]
async fn oidcc_max_age_1_shows_the_login_page_again() {
    let (first, second) = two_logins(&params("openid", &[("max_age", "1")]), 2).await;
    assert!(first < second);
}

#[tokio::test]
async fn oidcc_max_age_10000_shows_no_page() {
    let mut suite = Suite::start().await;
    let first = params("openid", &[("max_age", "15000")]);
    one_login(&mut suite, &first, |_| params("openid", &[("max_age", "10000")])).await;
}

#[tokio::test]
async fn oidcc_prompt_none_not_logged_in_is_an_error_at_the_client() {
    let mut suite = Suite::start().await;
    let state = format!("{}-._~", "aZ09".repeat(31));
    let params = params("openid", &[("prompt", "none"), ("state", &state)]);
    let callback = suite.authorize(&params).await;
    assert_eq!(callback.error(&params), "login_required");
    assert_eq!(callback.params["state"].len(), 128);
}

#[tokio::test]
async fn oidcc_prompt_none_logged_in_shows_no_page() {
    let mut suite = Suite::start().await;
    one_login(&mut suite, &params("openid", &[]), |_| params("openid", &[("prompt", "none")])).await;
}

#[tokio::test]
async fn oidcc_id_token_hint_with_prompt_none_shows_no_page() {
    let mut suite = Suite::start().await;
    let with_hint = |hint: &str| params("openid", &[("prompt", "none"), ("id_token_hint", hint)]);
    one_login(&mut suite, &params("openid", &[]), with_hint).await;
}
