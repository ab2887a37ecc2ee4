//! RP-initiated logout: its question, and its redirects.

use axum::http::Request;
use serde_json::json;
use testing::{LogLines, Response, changed_token, form_body};

use super::{Browser, JOHN, VERIFIER, attribute, field, our_form, page, query};

const BYE: &str = "https://crm.example/bye";

/// A browser that is signed in, and the ID token of a login in its session.
async fn signed_in() -> (Browser, String) {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let id_token = id_token(&mut browser, "crm").await;
    (browser, id_token)
}

async fn id_token(browser: &mut Browser, client_id: &str) -> String {
    let query = query(client_id, "openid", &[]);
    let code = browser.code(&query).await;
    browser.exchange(&query, &code, VERIFIER).await.body["id_token"].as_str().unwrap().to_owned()
}

async fn log_out(browser: &mut Browser, params: &[(&str, &str)]) -> Response {
    browser.get(&format!("/oauth/logout?{}", form_body(params))).await
}

/// Asserts that the browser is signed in as before, and that the page is the question.
#[track_caller]
fn assert_question(response: &Response, what: &str) {
    assert_eq!((response.status, page(response).0.as_deref()), (200, Some("sign-out")), "{what}");
    assert_eq!(response.header("location"), None, "{what}");
    assert_eq!(response.header("set-cookie"), None, "{what}");
}

#[track_caller]
fn assert_signed_out(response: &Response, location: Option<&str>, what: &str) {
    let expected = if location.is_some() { (303, None) } else { (200, Some("signed-out")) };
    let shown = if location.is_some() { None } else { page(response).0 };
    assert_eq!((response.status, shown.as_deref()), expected, "{what}");
    assert_eq!(response.header("location"), location, "{what}");
    assert!(response.header("set-cookie").unwrap().starts_with("__Host-session=; "), "{what}");
    assert!(response.header("set-cookie").unwrap().ends_with("; Max-Age=0"), "{what}");
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    page(&browser.get("/account").await).0.as_deref() == Some("account")
}

#[tokio::test]
async fn s_827_only_a_hint_of_this_session_signs_out_without_a_question() {
    let (mut browser, hint) = signed_in().await;
    let first_session = browser.cookie.clone();
    // The same user signs in again, which begins another session.
    browser.cookie = None;
    browser.sign_in(JOHN).await;
    let hint_of_portal = id_token(&mut browser, "portal").await;
    let forged = changed_token(&hint, |_, claims| claims["sid"] = "another".into());
    let unsigned = changed_token(&hint, |header, _| header["alg"] = "none".into());
    for (what, params) in [
        ("no hint", vec![]),
        ("no hint, and the client", vec![("client_id", "crm")]),
        ("a hint of another session", vec![("id_token_hint", hint.as_str())]),
        ("a hint of another client", vec![("id_token_hint", &hint_of_portal), ("client_id", "crm")]),
        ("a forged hint", vec![("id_token_hint", &forged)]),
        ("a hint without a signature", vec![("id_token_hint", &unsigned)]),
        ("junk", vec![("id_token_hint", "x")]),
    ] {
        for redirect in [None, Some(("post_logout_redirect_uri", BYE))] {
            let params: Vec<_> = params.iter().copied().chain(redirect).collect();
            assert_question(&log_out(&mut browser, &params).await, what);
        }
    }
    assert!(is_signed_in(&mut browser).await);
    browser.cookie = first_session;
    // The hint is valid for longer than the token.
    browser.test.advance_clock(3_601);
    let params = [("id_token_hint", hint.as_str()), ("client_id", "crm"), ("post_logout_redirect_uri", BYE)];
    assert_signed_out(&log_out(&mut browser, &params).await, Some(BYE), "the hint of this session");
    assert!(!is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn s_823_a_sign_out_by_hint_ends_the_session_and_its_logins() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let query = query("crm", "openid", &[]);
    let code = browser.code(&query).await;
    let tokens = browser.exchange(&query, &code, VERIFIER).await;
    let cookie = browser.cookie.clone();
    let hint = tokens.body["id_token"].as_str().unwrap();
    assert_signed_out(&log_out(&mut browser, &[("id_token_hint", hint)]).await, None, "the hint of this session");
    // Another program may have kept the cookie.
    browser.cookie = cookie;
    assert!(!is_signed_in(&mut browser).await);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh_token())];
    browser.token("crm", &refresh).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn the_log_says_that_a_redirect_was_dropped() {
    let mut browser = Browser::start().await;
    let dropped = "the post_logout_redirect_uri is not registered for the client";
    for (uri, reason) in [(BYE, None), ("https://evil.example/", Some(dropped))] {
        let log = LogLines::collect();
        log_out(&mut browser, &[("client_id", "crm"), ("post_logout_redirect_uri", uri)]).await;
        assert_eq!(log.lines()[0]["reason"].as_str(), reason, "{uri}");
        assert!(!log.text().contains("evil.example"));
    }
}

#[tokio::test]
async fn s_827_the_redirect_goes_to_a_registered_uri_of_the_client_only() {
    for (what, uri, state, expected) in [
        ("registered", Some(BYE), None, Some(BYE.to_owned())),
        ("with a state", Some(BYE), Some("a b&c"), Some(format!("{BYE}?state=a+b%26c"))),
        ("no URI", None, Some("s"), None),
        ("a path below", Some("https://crm.example/bye/x"), None, None),
        ("a query", Some("https://crm.example/bye?x=1"), None, None),
        ("another case", Some("https://CRM.example/bye"), None, None),
        ("a redirect URI of logins", Some("https://crm.example/cb"), None, None),
        ("another site", Some("https://evil.example/"), None, None),
        ("a script", Some("javascript:alert(1)"), None, None),
        ("no URI syntax", Some("//evil.example"), None, None),
    ] {
        let params = |hint: Option<&str>| {
            let named = hint.map_or(("client_id", "crm".to_owned()), |hint| ("id_token_hint", hint.to_owned()));
            let uri = uri.map(|uri| ("post_logout_redirect_uri", uri.to_owned()));
            let state = state.map(|state| ("state", state.to_owned()));
            let pairs: Vec<_> = [Some(named), uri, state].into_iter().flatten().collect();
            form_body(&pairs.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
        };
        let (mut browser, hint) = signed_in().await;
        let response = browser.get(&format!("/oauth/logout?{}", params(Some(&hint)))).await;
        assert_signed_out(&response, expected.as_deref(), what);
        // Signed out, the client that the request names is sufficient.
        let response = browser.get(&format!("/oauth/logout?{}", params(None))).await;
        assert_signed_out(&response, expected.as_deref(), what);
        // After the question, too.
        browser.sign_in(JOHN).await;
        let question = browser.get(&format!("/oauth/logout?{}", params(None))).await;
        assert_question(&question, what);
        let (action, confirm) = (attribute(&question, "action").unwrap(), field(&question, "confirm").unwrap());
        let response = browser.post(&action, &[("confirm", &confirm)]).await;
        let location = expected.unwrap_or_else(|| "/oauth/logout".to_owned());
        assert_signed_out(&response, Some(&location), what);
    }
}

#[tokio::test]
async fn s_827_the_uri_of_an_unknown_or_disabled_client_is_dropped() {
    let mut browser = Browser::start().await;
    for client_id in ["crm", "portal", "unknown", ""] {
        if client_id == "crm" {
            browser.change("clients", "crm", &json!({"enabled": false}));
        }
        let params = [("client_id", client_id), ("post_logout_redirect_uri", BYE)];
        assert_signed_out(&log_out(&mut browser, &params).await, None, client_id);
    }
}

/// The hint proves the session, also for a client that must not receive the browser any more.
#[tokio::test]
async fn s_827_the_hint_of_a_disabled_or_deleted_client_signs_out_without_a_redirect() {
    for is_deleted in [false, true] {
        let (mut browser, hint) = signed_in().await;
        if is_deleted {
            browser.test.delete_item("ClientsTable", &json!({"client_id": {"S": "crm"}}));
        } else {
            browser.change("clients", "crm", &json!({"enabled": false}));
        }
        let params = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE)];
        assert_signed_out(&log_out(&mut browser, &params).await, None, "the hint");
        assert!(!is_signed_in(&mut browser).await);
    }
}

/// The exception for the port of a loopback address is one of logins.
#[tokio::test]
async fn s_827_the_port_of_a_loopback_address_counts() {
    let mut browser = Browser::start().await;
    let registered = "http://127.0.0.1/bye";
    browser.change("clients", "crm", &json!({"post_logout_redirect_uris": [registered]}));
    for (uri, expected) in [(registered, Some(registered)), ("http://127.0.0.1:8080/bye", None)] {
        let params = [("client_id", "crm"), ("post_logout_redirect_uri", uri)];
        assert_signed_out(&log_out(&mut browser, &params).await, expected, uri);
    }
}

#[tokio::test]
async fn s_827_the_question_is_bound_to_the_session() {
    let (mut browser, _) = signed_in().await;
    let question = log_out(&mut browser, &[("client_id", "crm"), ("post_logout_redirect_uri", BYE)]).await;
    let (action, confirm) = (attribute(&question, "action").unwrap(), field(&question, "confirm").unwrap());
    for wrong in ["", "x", &confirm.replace(|character: char| character.is_ascii_lowercase(), "A")] {
        let response = browser.post(&action, &[("confirm", wrong)]).await;
        assert_eq!(response.status, 303);
        assert!(response.header("location").unwrap().contains("/oauth/logout?client_id=crm"), "{wrong}");
        assert_eq!(response.header("set-cookie"), None);
    }
    let cross_site = Request::post(&action)
        .header("sec-fetch-site", "cross-site")
        .header("content-type", "application/x-www-form-urlencoded");
    let response = browser.send(cross_site, &form_body(&[("confirm", &confirm)])).await;
    assert_eq!(page(&response), (Some("error".into()), Some("cross_site".into())));
    assert!(is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn a_post_is_a_redirect_to_the_same_request() {
    let (mut browser, hint) = signed_in().await;
    let fields = [("state", "s-1"), ("x", "y"), ("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE)];
    // Any site may send this form.
    let request = Request::post("/oauth/logout").header("content-type", "application/x-www-form-urlencoded");
    let response = browser.send(request.header("sec-fetch-site", "cross-site"), &form_body(&fields)).await;
    assert_eq!(response.status, 303);
    let location = response.header("location").unwrap().to_owned();
    let canonical = form_body(&[fields[2], fields[3], fields[0]]);
    assert_eq!(location, format!("/oauth/logout?{canonical}"));
    assert_signed_out(&browser.get(&location).await, Some("https://crm.example/bye?state=s-1"), "the redirect");
}

#[tokio::test]
async fn an_error_page_has_the_language_of_the_form_that_a_client_sent() {
    let mut browser = Browser::start().await;
    for (path, body) in [("/oauth/authorize", "client_id=unknown"), ("/oauth/logout", "client_id=crm&client_id=crm")] {
        for (locales, language) in [("de", "de"), ("fr", "en")] {
            let response = browser.send(our_form(path), &format!("{body}&ui_locales={locales}")).await;
            assert_eq!((response.status, page(&response).0.as_deref()), (400, Some("error")), "{path}");
            let html = String::from_utf8(response.bytes.to_vec()).unwrap();
            assert!(html.contains(&format!("<html lang=\"{language}\">")), "{path} {locales}: {html}");
        }
    }
}

#[tokio::test]
async fn malformed_requests_get_an_error_page_and_sign_no_user_out() {
    let (mut browser, hint) = signed_in().await;
    let long = "a".repeat(4_097);
    for query in [
        format!("id_token_hint={hint}&id_token_hint={hint}"),
        "client_id=crm&client_id=crm".to_owned(),
        "state=%zz".to_owned(),
        "state=%ff".to_owned(),
        format!("id_token_hint={long}"),
        format!("post_logout_redirect_uri={long}"),
        "state=%00".to_owned(),
    ] {
        let response = browser.get(&format!("/oauth/logout?{query}")).await;
        assert_eq!(response.status, 400, "{query}");
        assert_eq!(page(&response), (Some("error".into()), Some("request".into())), "{query}");
        let request = our_form("/oauth/logout");
        assert_eq!(browser.send(request, &query).await.status, 400, "{query}");
    }
    assert!(is_signed_in(&mut browser).await);
}
