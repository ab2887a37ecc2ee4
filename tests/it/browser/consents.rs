//! Consents: their page, their end, their removal, and their number.

use countersign::store::ConsentKey;
use serde_json::{Value, json};

use super::{Browser, CHALLENGE, JOHN, VERIFIER, code_of, field, location, our_form, page, parameter, query};
use testing::form_body;

async fn signed_in() -> Browser {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    browser
}

/// Returns the stored consent of the user for a client.
fn consent(browser: &Browser, client_id: &str) -> Value {
    let item = browser.test.cloud.item("GrantsTable", &json!({"id": "owner#1042"})).unwrap().unwrap_or_default();
    item[format!("c#{client_id}")]["M"].clone()
}

#[tokio::test]
async fn s_813_a_form_of_another_session_or_request_leads_back_to_the_request() {
    let mut browser = signed_in().await;
    let (one, other) = (query("crm", "openid", &[]), query("crm", "openid email", &[]));
    let confirm = browser.confirm(&one).await;
    let fields = [("confirm", confirm.as_str()), ("decision", "grant"), ("for", "none")];
    let response = browser.post(&format!("/oauth/consent?{other}"), &fields).await;
    let canonical = other.replace("%20", "+");
    assert_eq!(response.header("location"), Some(format!("/oauth/authorize?{canonical}").as_str()));
    browser.cookie = None;
    let signed_out = browser.post(&format!("/oauth/consent?{one}"), &fields).await;
    assert_eq!(signed_out.header("location"), Some(format!("/oauth/authorize?{one}").as_str()));
    browser.sign_in("anna@itccompliance.co.uk").await;
    let other_user = browser.post(&format!("/oauth/consent?{one}"), &fields).await;
    assert_eq!(other_user.header("location"), Some(format!("/oauth/authorize?{one}").as_str()));
    assert_eq!(consent(&browser, "crm"), Value::Null);
}

/// A client that got codes without the page stops being first-party.
#[tokio::test]
async fn s_818_a_third_party_needs_a_consent_that_the_user_has_seen() {
    let mut browser = signed_in().await;
    let of = |more: &[(&str, &str)]| format!("/oauth/authorize?{}", query("portal", "openid", more));
    code_of(&browser.get(&of(&[])).await);
    browser.change("clients", "portal", &json!({"first_party": false}));
    let silent = browser.get(&of(&[("prompt", "none")])).await;
    assert_eq!(parameter(&silent, "error").as_deref(), Some("consent_required"));
    assert_eq!(page(&browser.get(&of(&[])).await).0.as_deref(), Some("consent"));
    browser.code(&query("portal", "openid", &[])).await;
    code_of(&browser.get(&of(&[("prompt", "none")])).await);
}

/// Returns a canonical query of this size.
fn query_of(bytes: usize) -> String {
    let (state, hint) = ("s".repeat(2_048), "&".repeat(1_000));
    let of = |nonce: usize| {
        form_body(&[
            ("client_id", "crm"),
            ("redirect_uri", "https://crm.example/cb"),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", &state),
            ("nonce", &"n".repeat(nonce)),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("login_hint", &hint),
        ])
    };
    of(bytes - of(0).len())
}

#[tokio::test]
async fn the_link_for_another_account_leads_to_a_login_or_does_not_exist() {
    let mut browser = signed_in().await;
    for (bytes, has_link) in [(6_131, true), (6_132, false), (6_144, false)] {
        let request = query_of(bytes);
        let shown = browser.get(&format!("/oauth/authorize?{request}")).await;
        assert_eq!(page(&shown).0.as_deref(), Some("consent"), "{bytes}");
        let html = String::from_utf8(shown.bytes.to_vec()).unwrap().replace("&#38;", "&");
        assert!(html.contains(&format!("action=\"/oauth/consent?{request}\"")), "{bytes}");
        let link = request.replace("&login_hint", "&prompt=login&login_hint");
        assert_eq!(html.contains(&format!("href=\"/oauth/authorize?{link}\"")), has_link, "{bytes}");
        assert_eq!(html.contains("Use another account"), has_link, "{bytes}");
        if has_link {
            let login = browser.get(&format!("/oauth/authorize?{link}")).await;
            assert_eq!(page(&login).0.as_deref(), Some("login"), "{bytes}");
        }
    }
    let too_long = browser.get(&format!("/oauth/authorize?{}", query_of(6_145))).await;
    assert_eq!(parameter(&too_long, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn s_812_a_form_of_another_site_is_rejected_before_it_is_read() {
    let mut browser = signed_in().await;
    let query = query("crm", "openid", &[]);
    let confirm = browser.confirm(&query).await;
    let fields = form_body(&[("confirm", confirm.as_str()), ("decision", "grant"), ("for", "none")]);
    let form = "application/x-www-form-urlencoded";
    for path in [format!("/oauth/consent?{query}"), "/oauth/login".to_owned(), "/account/remove".to_owned()] {
        for header in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "none"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("x-none", ""),
        ] {
            let request = axum::http::Request::post(&path).header("content-type", form).header(header.0, header.1);
            let response = browser.send(request, &fields).await;
            assert_eq!((response.status, page(&response).1.as_deref()), (403, Some("cross_site")), "{path} {header:?}");
        }
    }
    assert_eq!(consent(&browser, "crm"), Value::Null);
    let request = axum::http::Request::post(format!("/oauth/consent?{query}")).header("content-type", form);
    code_of(&browser.send(request.header("origin", testing::ISSUER), &fields).await);
}

#[tokio::test]
async fn the_form_needs_an_offered_period_and_a_decision() {
    let mut browser = signed_in().await;
    let query = query("crm", "openid", &[]);
    let confirm = browser.confirm(&query).await;
    let path = format!("/oauth/consent?{query}");
    for (decision, period) in [("grant", "keep"), ("grant", "7"), ("grant", ""), ("", "none"), ("maybe", "none")] {
        let fields = [("confirm", confirm.as_str()), ("decision", decision), ("for", period)];
        let response = browser.post(&path, &fields).await;
        let shown = (response.status, page(&response));
        assert_eq!(shown, (422, (Some("consent".to_owned()), Some("for".to_owned()))), "{decision} {period}");
    }
    assert_eq!(consent(&browser, "crm"), Value::Null);
    let denied = browser.post(&path, &[("confirm", &confirm), ("decision", "deny")]).await;
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(consent(&browser, "crm"), Value::Null, "nothing is stored");
}

#[tokio::test]
async fn s_821_nothing_is_issued_after_the_end_date() {
    let mut browser = signed_in().await;
    let offline = query("crm", "openid offline_access", &[]);
    let code = code_of(&browser.grant(&offline, "3600").await);
    let tokens = browser.exchange(&offline, &code, VERIFIER).await;
    assert_eq!(tokens.body["expires_in"], 3_600);
    let refresh_token = tokens.refresh_token();
    let before = consent(&browser, "crm");
    let other = query("crm", "openid", &[]);
    let late = code_of(&browser.get(&format!("/oauth/authorize?{other}")).await);
    browser.test.advance_clock(3_600);
    assert_eq!(browser.exchange(&other, &late, VERIFIER).await.status, 400);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    browser.token("crm", &refresh).await.assert_error(400, "invalid_grant");
    browser.sign_in(JOHN).await;
    code_of(&browser.grant(&other, "none").await);
    assert_ne!(consent(&browser, "crm")["id"], before["id"]);
    browser.token("crm", &refresh).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_822_a_removed_client_is_rejected_at_its_next_use() {
    let mut browser = signed_in().await;
    let query = query("crm", "openid offline_access", &[]);
    let code = browser.code(&query).await;
    let refresh_token = browser.exchange(&query, &code, VERIFIER).await.refresh_token();
    let unused = browser.code(&query).await;
    let removed = browser.account("remove", &[("client_id", "crm")]).await;
    assert_eq!(removed.header("location"), Some("/account"));
    assert_eq!(consent(&browser, "crm"), Value::Null);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    browser.token("crm", &refresh).await.assert_error(400, "invalid_grant");
    browser.exchange(&query, &unused, VERIFIER).await.assert_error(400, "invalid_grant");
    code_of(&browser.grant(&query, "none").await);
    browser.token("crm", &refresh).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn the_account_page_sets_and_removes_the_end_date() {
    let mut browser = signed_in().await;
    browser.code(&query("crm", "openid", &[])).await;
    let today = countersign::date::Date::of(browser.test.now());
    for (until, stored) in [
        (today.to_string(), Some(today.last_second())),
        (today.in_years(10).to_string(), Some(today.in_years(10).last_second())),
        (String::new(), None),
    ] {
        browser.account("limit", &[("client_id", "crm"), ("until", &until)]).await;
        assert_eq!(consent(&browser, "crm")["until"]["N"], json!(stored.map(|time| time.to_string())), "{until}");
    }
    // The form has only the date of an end that the consent page set.
    browser.grant(&query("crm", "openid", &[("prompt", "consent")]), "3600").await;
    let end = consent(&browser, "crm")["until"].clone();
    let shown = countersign::date::Date::of(end["N"].as_str().unwrap().parse().unwrap());
    browser.account("limit", &[("client_id", "crm"), ("until", &shown.to_string())]).await;
    assert_eq!(consent(&browser, "crm")["until"], end);
    for until in ["tomorrow", "2020-01-01", "2999-01-01", "2030-02-30"] {
        let response = browser.account("limit", &[("client_id", "crm"), ("until", until)]).await;
        let shown = (response.status, page(&response));
        assert_eq!(shown, (422, (Some("account".to_owned()), Some("until".to_owned()))), "{until}");
    }
    let unknown = browser.account("limit", &[("client_id", "spa"), ("until", "")]).await;
    assert_eq!(unknown.header("location"), Some("/account"));
    assert_eq!(consent(&browser, "spa"), Value::Null);
    browser.cookie = None;
    let signed_out = browser.send(our_form("/account/remove"), "client_id=crm").await;
    assert_eq!(signed_out.header("location"), Some("/account"));
    assert!(!consent(&browser, "crm").is_null());
}

/// The response to a grant without the page is lost. The user sets an end date before the SDK sends the write again.
#[tokio::test]
async fn s_821_a_grant_without_the_page_keeps_an_end_date_that_was_set_meanwhile() {
    let mut browser = signed_in().await;
    let (app, now) = (browser.test.app.clone(), browser.test.now());
    let limit = async move {
        let key = ConsentKey { user_id: "1042", client_id: "portal" };
        let owner = app.store.owner(key.user_id).await.unwrap();
        let limited = owner.consent(key.client_id).unwrap().limited(Some(now + 600), now).unwrap();
        assert!(app.store.put_consent(key, &owner, &limited).await.unwrap());
    };
    browser.test.interceptor.lose_response_while("UpdateItem GrantsTable", limit);
    code_of(&browser.get(&format!("/oauth/authorize?{}", query("portal", "openid", &[]))).await);
    assert_eq!(consent(&browser, "portal")["until"]["N"], (now + 600).to_string());
}

#[tokio::test]
async fn the_101st_client_of_a_user_is_rejected() {
    let mut browser = signed_in().await;
    let consent = json!({"id": "x", "name": "x", "scopes": ["openid"], "since": 1});
    let mut item = json!({"id": "owner#1042"});
    for number in 0..100 {
        item[format!("c#app-{number}")] = consent.clone();
    }
    browser.test.cloud.put("GrantsTable", &item).unwrap();
    let response = browser.grant(&query("crm", "openid", &[]), "none").await;
    assert_eq!((response.status, page(&response).1.as_deref()), (400, Some("applications")));
    let silent = browser.get(&format!("/oauth/authorize?{}", query("portal", "openid", &[("prompt", "none")]))).await;
    assert_eq!(parameter(&silent, "error").as_deref(), Some("interaction_required"));
}

#[tokio::test]
async fn s_803_every_redirect_to_a_client_has_the_issuer_and_the_state() {
    let mut browser = signed_in().await;
    let code = browser.get(&format!("/oauth/authorize?{}", query("portal", "openid", &[]))).await;
    let (uri, parameters) = location(&code);
    assert_eq!(uri, "https://portal.example/cb");
    let names: Vec<_> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["code", "state", "iss"]);
    assert_eq!((code.header("cache-control"), code.header("referrer-policy")), (Some("no-store"), Some("same-origin")));
    let error = browser.get(&format!("/oauth/authorize?{}", query("portal", "admin", &[]))).await;
    let names: Vec<_> = location(&error).1.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["error", "error_description", "state", "iss"]);
    assert_eq!(parameter(&error, "iss").as_deref(), Some(testing::ISSUER));
    assert_eq!(field(&browser.get("/account").await, "client_id").as_deref(), Some("portal"));
}
