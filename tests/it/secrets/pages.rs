//! Canaries in the requests of a browser (S-601, S-828).

use axum::http::Request;
use countersign::authorization::{AuthorizationRequest, DEFINED};
use countersign::http::request::form;

use super::{CANARIES, assert_free, everything_stored};
use crate::browser::steps::{ANNA, HINT, NONCE, STATE, STEPS, Scenario, outcome};
use crate::browser::{Browser, JOHN, SECRET_PASSWORD, VERIFIER, our_form, page, parameter, query};
use testing::{ISSUER, LogLines, Response, form_body, percent};

/// The texts of one step.
struct Texts {
    /// The secrets, without the one code that the client gets.
    secrets: Vec<String>,
    code: Option<String>,
    confirm: Option<String>,
    /// The ID token that a client sends as a hint.
    hint: String,
    /// The texts that the client sends for itself. A page about the request contains its query.
    request: [&'static str; 3],
}

impl Texts {
    async fn of(scenario: &Scenario, response: &Response) -> Self {
        let mut secrets: Vec<_> = [SECRET_PASSWORD, VERIFIER].map(ToOwned::to_owned).to_vec();
        let field = |wanted: &str| {
            let mut fields = scenario.fields.iter().flatten();
            fields.find(|(name, value)| *name == wanted && !value.is_empty()).map(|(_, value)| value.clone())
        };
        secrets.extend(field("password"));
        let cookies = [&scenario.cookie, &scenario.browser.cookie, &scenario.browser.first_cookie];
        secrets.extend(cookies.into_iter().flatten().map(|cookie| cookie["__Host-session=".len()..].to_owned()));
        let code = scenario.step.issues_code().then(|| parameter(response, "code").unwrap());
        if let Some(code) = &code {
            let tokens = scenario.browser.exchange(&scenario.request, code, VERIFIER).await;
            let names = ["access_token", "refresh_token", "id_token"];
            secrets.extend(names.map(|name| tokens.body[name].as_str().unwrap().to_owned()));
        }
        let hint = scenario.id_token.clone();
        secrets.extend(Some(hint.clone()).filter(|token| !token.is_empty()));
        Self { secrets, code, confirm: field("confirm"), hint, request: [STATE, NONCE, HINT] }
    }

    /// Returns the texts that must not be in a response, except those at a place where the protocol has them.
    fn all(&self) -> Vec<&str> {
        let secrets = self.secrets.iter().chain(&self.code).chain(&self.confirm).map(String::as_str);
        secrets.chain(self.request).collect()
    }

    /// Asserts that the response has each text only where the protocol has it.
    fn assert_placed(&self, response: &Response, what: &str) {
        let is_error_page = page(response).0.as_deref() == Some("error");
        let location = response.header("location").unwrap_or_default();
        // The query of a page, and that of a redirect to ourselves, is the request.
        let allowed_in_body = |text: &str| {
            let is_sent = self.request.contains(&text) || text == self.hint || self.confirm.as_deref() == Some(text);
            is_sent && !is_error_page
        };
        let allowed_in_location = |text: &str| {
            let is_ours = location.starts_with('/');
            if is_ours { self.request.contains(&text) } else { text == STATE || self.code.as_deref() == Some(text) }
        };
        let without =
            |allowed: &dyn Fn(&str) -> bool| self.all().into_iter().filter(|text| !allowed(text)).collect::<Vec<_>>();
        let body = String::from_utf8_lossy(&response.bytes);
        assert_free(&format!("{what}: the body"), &body, &without(&allowed_in_body));
        assert_free(&format!("{what}: the location"), location, &without(&allowed_in_location));
        let others = response.headers.iter().filter(|(name, _)| !["location", "set-cookie"].contains(&name.as_str()));
        assert_free(&format!("{what}: a header"), &format!("{:?}", others.collect::<Vec<_>>()), &self.all());
    }
}

#[tokio::test]
async fn s_828_each_secret_of_a_step_is_only_where_the_protocol_has_it() {
    for (step, expected, _) in STEPS {
        let what = format!("{step:?}");
        let log = LogLines::collect();
        let mut scenario = Scenario::prepare(*step).await;
        let response = scenario.send().await;
        assert_eq!(outcome(&response), *expected, "{what}");
        let texts = Texts::of(&scenario, &response).await;
        texts.assert_placed(&response, &what);
        assert!(!log.lines().is_empty(), "{what}");
        assert_free(&format!("{what}: the log"), &log.text(), &texts.all());
        let others = [JOHN, ANNA, "redirect_uri=", "crm.example", "portal.example", "CANARY"];
        assert_free(&format!("{what}: the log"), &log.text(), &others);
        // The family of a code keeps the nonce until the exchange.
        let mut stored = texts.all();
        stored.retain(|text| *text != NONCE);
        assert_free(&format!("{what}: a table"), &everything_stored(&scenario.browser.test), &stored);
        assert_debug_is_free(&scenario, &texts).await;
    }
}

async fn assert_debug_is_free(scenario: &Scenario, texts: &Texts) {
    let app = &scenario.browser.test.app;
    let received = form::receive(scenario.request.as_bytes(), DEFINED).unwrap();
    let client = app.store.client("crm").await.unwrap();
    let request = AuthorizationRequest::check(&received, client.as_ref(), ISSUER);
    let debug = format!("{request:?} {:?} {:?}", app.config, app.store.owner("1042").await.unwrap().consent("crm"));
    assert_free(&format!("{:?}: Debug", scenario.step), &debug, &texts.all());
}

/// Returns requests with a canary in every place of a request of a browser.
fn poisoned(canary: &str, confirm: &str) -> Vec<(axum::http::request::Builder, String)> {
    let encoded = percent(canary);
    let mut requests = Vec::new();
    let names = ["client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "prompt"];
    let more = ["code_challenge", "code_challenge_method", "max_age", "login_hint", "id_token_hint", "ui_locales"];
    let others = ["client_secret", "request", "request_uri", "registration", "unknown", &encoded];
    for name in names.into_iter().chain(more).chain(others) {
        let request = query("crm", "openid", &[(name, canary)]);
        let kept = request.split('&').filter(|pair| !pair.starts_with(&format!("{name}=")));
        let replaced = kept.chain([format!("{name}={encoded}").as_str()]).collect::<Vec<_>>().join("&");
        for query in [request, replaced] {
            requests.push((Request::get(format!("/oauth/authorize?{query}")), String::new()));
            requests.push((our_form("/oauth/authorize"), query.clone()));
            requests.push((
                our_form(&format!("/oauth/login?{query}")),
                form_body(&[("username", JOHN), ("password", "x")]),
            ));
            requests.push((our_form(&format!("/oauth/consent?{query}")), form_body(&[("confirm", confirm)])));
        }
    }
    for name in ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", &encoded] {
        let query =
            form_body(&[(name, canary), ("client_id", "crm"), ("post_logout_redirect_uri", "https://x.example")]);
        requests.push((Request::get(format!("/oauth/logout?{query}")), String::new()));
        requests.push((our_form("/oauth/logout"), query.clone()));
        requests.push((our_form(&format!("/account/sign-out?{query}")), form_body(&[("confirm", canary)])));
    }
    for path in ["/oauth/login", "/oauth/consent", "/account/remove", "/account/limit"] {
        for name in ["username", "password", "cancel", "confirm", "decision", "for", "client_id", "until", canary] {
            let fields = [("confirm", confirm), ("username", "a"), ("password", "a"), ("client_id", "crm")];
            let kept = fields.into_iter().filter(|(known, _)| *known != name);
            requests.push((our_form(path), form_body(&kept.chain([(name, canary)]).collect::<Vec<_>>())));
        }
        requests.push((our_form(path), format!("{encoded}=%zz")));
    }
    for name in ["origin", "sec-fetch-site", "content-type", "accept-language", "user-agent", "referer", "x-request-id"]
    {
        let request = Request::post("/oauth/login").header(name, encoded.as_str());
        requests.push((request, form_body(&[("username", "a"), ("password", "a")])));
    }
    for cookie in [format!("__Host-session={encoded}"), format!("{encoded}={encoded}")] {
        requests.push((Request::get("/account").header("cookie", cookie), String::new()));
    }
    requests
}

#[tokio::test]
async fn s_828_no_log_item_or_error_page_contains_what_a_browser_sends() {
    let log = LogLines::collect();
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let confirm = browser.account_confirm().await;
    for fault in [None, Some((500, "InternalServerError")), Some((400, "AccessDeniedException"))] {
        if let Some((status, code)) = fault {
            browser.test.interceptor.fail("", status, code);
        }
        for canary in CANARIES {
            for (request, body) in poisoned(canary, &confirm) {
                let what = format!("{:?} {body}", request.uri_ref());
                let response = browser.send(request, &body).await;
                assert!(fault.is_some() || response.status < 500, "{what}: {}", response.status);
                if page(&response).0.as_deref() == Some("error") {
                    assert_free(&what, &String::from_utf8_lossy(&response.bytes), &[canary]);
                }
                let location = response.header("location").unwrap_or("/");
                let is_proven = ["/", "https://crm.example/cb?"].iter().any(|start| location.starts_with(start));
                assert!(is_proven && !location.starts_with("//"), "{what}: {location}");
            }
        }
    }
    assert_free("the log", &log.text(), &CANARIES);
    assert_free("a table", &everything_stored(&browser.test), &CANARIES);
    assert!(log.lines().len() > 300);
}
