//! The forms of the pages, and who may send them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::middleware::from_fn;
use axum::response::Redirect;
use axum::routing::post;
use countersign::config::Pages;
use countersign::http::browser::pages::Look;
use countersign::http::browser::{our_form, with_pages};
use testing::gallery::{PAGES, WORDS, Words};
use tower::ServiceExt;

use super::{between, brand, sent};

/// The action of each form, and the names of its fields, in order.
fn forms(html: &str) -> Vec<(String, Vec<String>)> {
    let forms = html.split("<form ").skip(1).map(|form| form.split("</form>").next().unwrap());
    let field = |tag: &str| {
        let is_field = ["input", "select", "button"].iter().any(|element| tag.starts_with(element));
        between(tag, " name=\"", "\"").filter(|_| is_field).map(ToOwned::to_owned)
    };
    forms
        .map(|form| {
            assert!(form.contains("method=\"post\""));
            (
                between(form, "action=\"", "\"").unwrap().replace("&#38;", "&"),
                form.split('<').filter_map(field).collect(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_username_that_makes_the_page_too_long_is_not_repeated() {
    for (character, count, is_repeated) in
        [("a", 1_024, true), ("a", 1_025, false), ("<", 204, true), ("<", 205, false)]
    {
        let user: &str = character.repeat(count).leak();
        let page = sent(&brand(), Words { user, ..WORDS }, "login-credentials", "en").await;
        let shown = if is_repeated { user.replace('<', "&#60;") } else { String::new() };
        assert!(page.html.contains(&format!(" required value=\"{shown}\" aria-invalid")), "{count} {character}");
    }
}

#[tokio::test]
async fn each_form_has_its_action_and_its_fields() {
    let query = WORDS.query;
    let login = |query: &str| (format!("/tenant/oauth/login{query}"), vec!["username", "password", "cancel"]);
    let consent = (format!("/tenant/oauth/consent?{query}"), vec!["confirm", "for", "decision", "decision"]);
    let limit = || ("/tenant/account/limit".to_owned(), vec!["confirm", "client_id", "until"]);
    let remove = || ("/tenant/account/remove".to_owned(), vec!["confirm", "client_id"]);
    let sign_out = |query: &str| (format!("/tenant/account/sign-out{query}"), vec!["confirm"]);
    let everywhere = || ("/tenant/account/sign-out-everywhere".to_owned(), vec!["confirm"]);
    for (name, expected) in [
        ("login", vec![login(&format!("?{query}"))]),
        ("login-credentials", vec![login(&format!("?{query}"))]),
        ("login-account", vec![login("")]),
        ("consent", vec![consent]),
        // The last one has ended.
        ("account", vec![limit(), remove(), limit(), remove(), remove(), sign_out(""), everywhere()]),
        ("account-empty", vec![sign_out(""), everywhere()]),
        ("sign-out", vec![sign_out("")]),
        ("sign-out-query", vec![sign_out(&format!("?{query}"))]),
        ("signed-out", vec![]),
        ("error-client", vec![]),
    ] {
        let page = sent(&brand(), WORDS, name, "en").await.html;
        let found = forms(&page);
        let found: Vec<_> = found.iter().map(|(action, fields)| (action, fields)).collect();
        assert_eq!(
            format!("{found:?}"),
            format!("{:?}", expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_fields_of_the_login_page_fit_password_managers() {
    let page = sent(&Pages::default(), WORDS, "login", "en").await.html;
    for tag in [
        "<input id=\"username\" name=\"username\" type=\"text\" autocomplete=\"username\" autocapitalize=\"none\" \
         spellcheck=\"false\" required value=\"\">",
        "<input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required>",
        "<button id=\"cancel\" class=\"plain\" name=\"cancel\" value=\"1\" formnovalidate>",
    ] {
        assert!(page.contains(tag), "{tag}");
    }
    assert!(page.find("id=\"sign-in\"") < page.find("id=\"cancel\""));
    let page = sent(&Pages::default(), WORDS, "consent", "en").await.html;
    for tag in [
        "<button id=\"grant\" name=\"decision\" value=\"grant\">",
        "<button id=\"deny\" class=\"plain\" name=\"decision\" value=\"deny\">",
        "<strong>crm.example</strong>",
        "href=\"/tenant/oauth/authorize?client_id=crm&#38;prompt=login\"",
        "<a href=\"https://crm.example/privacy\" rel=\"noreferrer\">privacy policy of Example CRM</a>",
    ] {
        assert!(page.contains(tag), "{tag}");
    }
    for name in PAGES {
        let page = sent(&Pages::default(), WORDS, name, "en").await.html;
        let ids: Vec<_> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(ids.iter().all(|id| ids.iter().filter(|other| *other == id).count() == 1), "{name}: {ids:?}");
    }
}

/// Sends a form with these headers to a page of this issuer. Returns the status, the page, and true if the handler ran.
async fn post_form(issuer: &str, headers: &[(&str, &str)]) -> (u16, String, bool) {
    let ran = Arc::new(AtomicBool::new(false));
    let handler_ran = ran.clone();
    let handler = async move |_: String| {
        handler_ran.store(true, Ordering::Relaxed);
        Redirect::to("/account")
    };
    let routes = Router::new().route("/oauth/login", post(handler).layer(from_fn(our_form)));
    let router = with_pages(routes, Arc::new(Look::new(&Pages::default(), issuer)));
    let request =
        headers.iter().fold(Request::post("/oauth/login"), |request, (name, value)| request.header(*name, *value));
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    if status == StatusCode::SEE_OTHER {
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["referrer-policy"], "same-origin");
    }
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status.as_u16(), String::from_utf8(body.to_vec()).unwrap(), ran.load(Ordering::Relaxed))
}

#[tokio::test]
async fn s_812_a_form_is_accepted_only_from_our_own_pages() {
    const SITE: &str = "sec-fetch-site";
    const ISSUER: &str = "https://auth.example/tenant";
    for (issuer, headers) in [
        (ISSUER, &[(SITE, "same-origin")][..]),
        (ISSUER, &[(SITE, "same-origin"), ("origin", "null")]),
        (ISSUER, &[("origin", "https://auth.example")]),
        ("https://Auth.Example:443", &[("origin", "https://auth.example")]),
        ("http://127.0.0.1:9000", &[("origin", "http://127.0.0.1:9000")]),
        ("http://localhost:80", &[("origin", "http://localhost")]),
    ] {
        assert_eq!(post_form(issuer, headers).await, (303, String::new(), true), "{issuer} {headers:?}");
    }
    for headers in [
        &[][..],
        &[(SITE, "same-site"), ("origin", "https://auth.example")],
        &[(SITE, "cross-site")],
        &[(SITE, "none"), ("origin", "https://auth.example")],
        &[(SITE, ""), ("origin", "https://auth.example")],
        &[(SITE, "Same-Origin")],
        &[(SITE, "same-origin"), (SITE, "cross-site")],
        &[(SITE, "same-origin,cross-site")],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", "https://auth.example.evil.example")],
        &[("origin", "http://auth.example")],
        &[("origin", "https://auth.example:8443")],
        &[("origin", "https://auth.example/tenant")],
        &[("origin", "https://auth.example"), ("origin", "https://auth.example")],
        &[("referer", "https://auth.example/tenant/oauth/login")],
    ] {
        let (status, page, ran) = post_form(ISSUER, headers).await;
        assert_eq!((status, ran), (403, false), "{headers:?}");
        assert!(page.contains("<body data-page=\"error\" data-error=\"cross_site\">"), "{headers:?}");
    }
}
