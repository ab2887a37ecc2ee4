//! The public cases of the login pages and the authorization code.

use std::collections::HashMap;

use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::date::Date;
use serde_json::Value;

use testing::{Claims, ISSUER, Response, form_body};

use crate::browser::{Browser, CASES, JOHN, SECRET_PASSWORD, VERIFIER, attribute, field, location, page, query};

#[tokio::test]
async fn every_public_case_of_the_login_pages_gets_its_expected_response() {
    let mut failed = Vec::new();
    let mut groups: HashMap<&str, (u16, String)> = HashMap::new();
    let cases = CASES["cases"].as_array().unwrap();
    for case in cases {
        let id = text(&case["id"]);
        let Ok((response, username)) = tokio::spawn(run(id, case)).await else {
            failed.push(id);
            continue;
        };
        if let Some(group) = case["expect"]["same_as"].as_str() {
            let html = String::from_utf8(response.bytes.to_vec()).unwrap();
            let same = (response.status, username.map_or_else(|| html.clone(), |name| html.replace(&name, "")));
            assert_eq!(groups.entry(group).or_insert_with(|| same.clone()), &same, "{id} differs from its group");
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
    assert!(groups.len() >= 2);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// The state of a case.
struct Run {
    browser: Browser,
    /// The query of the authorization request, and the values of the placeholders.
    query: String,
    values: HashMap<&'static str, String>,
}

async fn run(id: &'static str, case: &'static Value) -> (Response, Option<String>) {
    let mut run = Run { browser: Browser::start().await, query: String::new(), values: HashMap::new() };
    run.prepare(&case["given"]).await;
    let request = &case["request"];
    let path = run.filled(text(&request["path"])).await;
    let mut built = Request::builder().method(text(&request["method"])).uri(&path);
    for (name, value) in request["headers"].as_object().unwrap() {
        built = built.header(name, run.filled(text(value)).await);
    }
    let body = run.filled_body(&path, request["body"].as_str().unwrap_or_default()).await;
    let response = run.browser.send(built, &body).await;
    check(id, &case["expect"], &response, &run);
    let username = case["expect"]["same_but"].is_array().then(|| field(&response, "username").unwrap());
    (response, username)
}

impl Run {
    async fn prepare(&mut self, given: &Value) {
        if let Some(username) = given["session"].as_str() {
            self.browser.sign_in(username).await;
        }
        if let Some(client_id) = given["consent"]["client_id"].as_str() {
            let scopes: Vec<_> = given["consent"]["scopes"].as_array().unwrap().iter().map(text).collect();
            let query = query(client_id, &scopes.join(" "), &[("prompt", "consent")]);
            let granted = self.browser.grant(&query, given["consent"]["for"].as_str().unwrap_or("none")).await;
            assert_eq!(granted.status, 303);
        }
        if let Some(count) = given["failed_logins"]["count"].as_u64() {
            for _ in 0..count {
                self.wrong_password(text(&given["failed_logins"]["username"])).await;
            }
        }
        for kind in ["code", "tokens"] {
            if let Some(params) = given[kind].as_object() {
                let params: Vec<_> = params.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
                self.grant(&params).await;
            }
        }
        let exchanges = given["exchanged"].as_u64().unwrap_or_default() + u64::from(given["tokens"].is_object());
        for _ in 0..exchanges {
            self.exchange(VERIFIER).await;
        }
        if let Some(client_id) = given["password_grant"].as_str() {
            let fields =
                [("grant_type", "password"), ("username", JOHN), ("password", SECRET_PASSWORD), ("scope", "openid")];
            let response = self.browser.token(client_id, &fields).await;
            self.values.insert("access_token", text(&response.body["access_token"]).to_owned());
        }
        for step in given["then"].as_array().into_iter().flatten() {
            self.step(step).await;
        }
    }

    async fn grant(&mut self, params: &[(&str, &str)]) {
        if self.browser.cookie.is_none() {
            self.browser.sign_in(JOHN).await;
        }
        self.query = form_body(params);
        let code = self.browser.code(&self.query.clone()).await;
        self.values.insert("code", code);
    }

    async fn exchange(&mut self, verifier: &str) -> Response {
        let response = self.browser.exchange(&self.query, &self.values["code"], verifier).await;
        for name in ["access_token", "refresh_token", "id_token"] {
            if let Some(token) = response.body[name].as_str() {
                self.values.insert(name, token.to_owned());
            }
        }
        if let Some(cookie) = response.header("set-cookie") {
            self.values.insert("refresh_cookie", cookie.split(';').next().unwrap().to_owned());
        }
        response
    }

    async fn wrong_password(&mut self, username: &str) {
        let fields = [("username", username), ("password", "another-password")];
        assert!(matches!(self.browser.post("/oauth/login", &fields).await.status, 422 | 429));
    }

    async fn step(&mut self, step: &Value) {
        for (kind, value) in step.as_object().unwrap() {
            match kind.as_str() {
                "clock" => self.browser.test.advance_clock(value.as_i64().unwrap()),
                "sign_in" => drop(self.browser.sign_in(text(value)).await),
                "account" => {
                    let fields = step["fields"].as_object().cloned().unwrap_or_default();
                    let mut filled = Vec::new();
                    for (name, value) in &fields {
                        filled.push((name.as_str(), self.filled(text(value)).await));
                    }
                    let fields: Vec<_> = filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    assert_eq!(self.browser.account(text(value), &fields).await.status, 303);
                }
                "set" => self.browser.change(text(value), text(&step["key"]), &step["attributes"]),
                "wrong_password" => self.wrong_password(text(value)).await,
                "wrong_verifier" => drop(self.exchange(&VERIFIER.replace('d', "e")).await),
                "replay" => drop(self.exchange(VERIFIER).await),
                "grant" => {
                    let params = value.as_object().unwrap();
                    let params: Vec<_> = params.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
                    self.browser.code(&form_body(&params)).await;
                }
                "key" | "attributes" | "fields" => {}
                other => panic!("there is no {other}"),
            }
            if kind == "account" || kind == "set" || kind == "grant" {
                break;
            }
        }
    }

    /// Replaces the placeholders of a text.
    async fn filled(&mut self, text: &str) -> String {
        let mut filled = text.replace("{issuer}", ISSUER);
        filled = filled.replace("{today}", &Date::of(self.browser.test.now()).to_string());
        for (name, value) in &self.values {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        let cookie = self.browser.cookie.clone().unwrap_or_default();
        let first = self.browser.first_cookie.clone().unwrap_or_default();
        let (kept, _) = cookie.split_at(cookie.len().min("__Host-session=".len() + 22));
        let another = format!("{kept}{}", "A".repeat(42));
        for (name, value) in [
            ("session_cookie", cookie),
            ("first_session_cookie", first),
            ("session_cookie_with_another_secret", another),
        ] {
            filled = filled.replace(&format!("{{{name}}}"), &value);
        }
        if filled.contains("{account_confirm}") {
            filled = filled.replace("{account_confirm}", &self.browser.account_confirm().await);
        }
        filled
    }

    /// Replaces the placeholders of the body of a request to this path.
    async fn filled_body(&mut self, path: &str, body: &str) -> String {
        let mut filled = self.filled(body).await;
        if filled.contains("{confirm}") {
            let query = path.split_once('?').map_or("", |(_, query)| query);
            filled = filled.replace("{confirm}", &self.browser.confirm(query).await);
        }
        if filled.contains("{confirm_of_openid}") {
            let confirm = self.browser.confirm(&query("crm", "openid", &[])).await;
            filled = filled.replace("{confirm_of_openid}", &confirm);
        }
        filled
    }
}

/// Asserts that a response has all that a case expects.
fn check(id: &str, expect: &Value, response: &Response, run: &Run) {
    let html = String::from_utf8(response.bytes.to_vec()).unwrap();
    let texts = |list: &'static str| expect[list].as_array().into_iter().flatten().map(text);
    let members = |name: &'static str| expect[name].as_object().cloned().unwrap_or_default();
    for (kind, value) in expect.as_object().unwrap() {
        match kind.as_str() {
            "status" => assert_eq!(u64::from(response.status), value.as_u64().unwrap(), "{id}: {html}"),
            "page" => {
                let error = expect["page_error"].as_str().map(ToOwned::to_owned);
                assert_eq!(page(response), (Some(text(value).to_owned()), error), "{id}");
            }
            "lang" => assert_eq!(attribute(response, "lang").as_deref(), value.as_str(), "{id}"),
            "form_action" => assert_eq!(attribute(response, "action").as_deref(), value.as_str(), "{id}"),
            "contains" => texts("contains").for_each(|part| assert!(html.contains(part), "{id}: {part} in {html}")),
            "not_contains" => texts("not_contains").for_each(|part| assert!(!html.contains(part), "{id}: {part}")),
            "location" => check_location(id, value, response),
            "location_exact" => assert_eq!(response.header("location"), value.as_str(), "{id}"),
            "header_absent" => texts("header_absent").for_each(|n| assert_eq!(response.header(n), None, "{id}: {n}")),
            "header_present" => {
                texts("header_present").for_each(|n| assert!(response.header(n).is_some(), "{id}: {n}"));
            }
            "set_cookie" => check_cookie(id, value, response),
            "no_cookie" => assert_eq!(response.header("set-cookie"), None, "{id}"),
            "error" => assert_eq!(&response.body["error"], value, "{id}: {html}"),
            "present" => texts("present").for_each(|name| assert!(!response.body[name].is_null(), "{id}: {name}")),
            "absent" => texts("absent").for_each(|name| assert!(response.body[name].is_null(), "{id}: {name}")),
            "order" => {
                let places: Vec<_> = texts("order").map(|name| html.find(&format!("\"{name}\":")).unwrap()).collect();
                assert!(places.is_sorted() && places.len() == response.body.as_object().unwrap().len(), "{id}: {html}");
            }
            "access_token" => {
                let claims = Claims::verify(text(&response.body["access_token"]), 2).0;
                check_claims(id, value, &claims, None);
            }
            "id_token" => {
                let before = run.values.get("id_token").map(|token| claims_of(token));
                check_claims(id, value, &claims_of(text(&response.body["id_token"])), before.as_ref());
            }
            "token_version" | "page_error" | "same_as" | "same_but" | "header" | "header_contains" | "json"
            | "field" => {}
            other => panic!("{id}: there is no {other}"),
        }
    }
    for (name, value) in members("header") {
        assert_eq!(response.header(&name), value.as_str(), "{id}: {name}");
    }
    for (name, parts) in members("header_contains") {
        let header = response.header(&name).unwrap_or_else(|| panic!("{id}: no {name}"));
        assert!(parts.as_array().unwrap().iter().all(|part| header.contains(text(part))), "{id}: {name}: {header}");
    }
    for (name, value) in members("json") {
        let value: Value = serde_json::from_str(&value.to_string().replace("{issuer}", ISSUER)).unwrap();
        assert_eq!(response.body[&name], value, "{id}: {name}");
    }
    for (name, value) in members("field") {
        assert_eq!(field(response, &name).as_deref(), value.as_str(), "{id}: {name}");
    }
}

fn check_location(id: &str, expect: &Value, response: &Response) {
    let (uri, query) = location(response);
    assert_eq!(uri, text(&expect["uri"]), "{id}");
    let order = ["code", "error", "error_description", "state", "iss"];
    let places: Vec<_> = query.iter().map(|(name, _)| order.iter().position(|known| known == name).unwrap()).collect();
    assert!(places.is_sorted(), "{id}: {query:?}");
    let query: HashMap<_, _> = query.into_iter().collect();
    for (name, value) in expect["query"].as_object().unwrap() {
        match value["prefix"].as_str() {
            Some(prefix) => assert!(query[name].starts_with(prefix), "{id}: {name}"),
            None => assert_eq!(query[name], text(value).replace("{issuer}", ISSUER), "{id}: {name}"),
        }
    }
    for name in expect["absent"].as_array().into_iter().flatten() {
        assert!(!query.contains_key(text(name)), "{id}: {name}");
    }
}

fn check_cookie(id: &str, expect: &Value, response: &Response) {
    let cookie = response.header("set-cookie").unwrap_or_else(|| panic!("{id}: no cookie"));
    let parts: Vec<_> = cookie.split("; ").collect();
    let (name, value) = parts[0].split_once('=').unwrap();
    assert_eq!(name, text(&expect["name"]), "{id}");
    if let Some(length) = expect["length"].as_u64() {
        assert_eq!(value.len() as u64, length, "{id}");
    }
    let texts = |list: &str| expect[list].as_array().cloned().unwrap_or_default();
    for attribute in texts("attributes") {
        assert!(parts[1..].contains(&text(&attribute)), "{id}: {attribute} in {cookie}");
    }
    for attribute in texts("absent") {
        assert!(!parts[1..].iter().any(|part| part.split('=').next() == attribute.as_str()), "{id}: {attribute}");
    }
}

/// Returns the claims of an ID token, whose signature other tests verify.
fn claims_of(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

fn check_claims(id: &str, expect: &Value, claims: &Value, before: Option<&Value>) {
    for (name, value) in expect["claims"].as_object().into_iter().flatten() {
        let value: Value = serde_json::from_str(&value.to_string().replace("{issuer}", ISSUER)).unwrap();
        assert_eq!(claims[name], value, "{id}: {name}");
    }
    let names = |list: &str| expect[list].as_array().cloned().unwrap_or_default();
    for name in names("present") {
        assert!(!claims[text(&name)].is_null(), "{id}: {name}");
    }
    for name in names("absent") {
        assert!(claims[text(&name)].is_null(), "{id}: {name}");
    }
    for name in names("same") {
        assert_eq!(claims[text(&name)], before.unwrap()[text(&name)], "{id}: {name}");
    }
    for (name, length) in expect["lengths"].as_object().into_iter().flatten() {
        assert_eq!(text(&claims[name]).len() as u64, length.as_u64().unwrap(), "{id}: {name}");
    }
}
