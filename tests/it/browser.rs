//! `src/http/browser`: a browser with one cookie, which follows the pages of a deployment.

use axum::body::Body;
use axum::http::Request;
use countersign::config::{Config, Pages};
use serde_json::Value;

use testing::{CHEAP_ARGON2, RequestBuilder, Response, TestApp, fixtures, form_body};

use crate::cases::pairs;

mod account;
mod consents;
mod logout;
mod outages;
mod round_trips;
mod sessions;
mod silent;
pub mod steps;
mod tabs;

/// The verifier of every code, and its challenge (RFC 7636 appendix B).
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The user of most requests, and the password of all users.
pub const JOHN: &str = "john.smith@itccompliance.co.uk";
pub const SECRET_PASSWORD: &str = "secret-password";

/// The public cases and their fixtures.
pub static CASES: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/authorization.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
});

/// The clients and users of [`CASES`] as items. They are hashed once for all tests.
static FIXTURES: std::sync::LazyLock<(Vec<Value>, Vec<Value>)> =
    std::sync::LazyLock::new(|| fixtures(&CASES, CHEAP_ARGON2));

/// A deployment with login pages, and a browser.
pub struct Browser {
    pub test: TestApp,
    /// The session cookie, as name and value.
    pub cookie: Option<String>,
    /// The cookie of the first sign-in.
    pub first_cookie: Option<String>,
}

impl Browser {
    /// Starts a deployment with the fixtures of the cases.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a deployment with changed settings.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let test = TestApp::start_with(|config| {
            config.argon2 = CHEAP_ARGON2;
            config.pages = Some(Pages::default());
            change(config);
        })
        .await;
        let texts = serde_json::json!({"client_id": "\u{a7}scopes", "texts": CASES["fixtures"]["scope_texts"]});
        for client in FIXTURES.0.iter().chain([&texts]) {
            test.cloud.put("ClientsTable", client).unwrap();
        }
        for user in &FIXTURES.1 {
            test.cloud.put("UsersTable", user).unwrap();
        }
        Self { test, cookie: None, first_cookie: None }
    }

    /// Sends a request with the cookie, and keeps the cookie of the response.
    pub async fn send(&mut self, request: axum::http::request::Builder, body: &str) -> Response {
        let has_cookie = request.headers_ref().is_some_and(|headers| headers.contains_key("cookie"));
        let request = match &self.cookie {
            Some(cookie) if !has_cookie => request.header("cookie", cookie),
            _ => request,
        };
        let response = self.test.send(request.body(Body::from(body.to_owned())).unwrap()).await;
        if let Some(value) = set_cookie(&response) {
            self.cookie = (!value.ends_with('=')).then_some(value);
        }
        response
    }

    /// Stores a fixture with changed attributes, as an operator does.
    pub fn change(&self, table: &str, key: &str, attributes: &Value) {
        let (table, name, fixtures) = match table {
            "users" => ("UsersTable", "username", &FIXTURES.1),
            _ => ("ClientsTable", "client_id", &FIXTURES.0),
        };
        let mut item = fixtures.iter().find(|item| item[name] == key).unwrap().clone();
        for (name, value) in attributes.as_object().unwrap() {
            item[name] = value.clone();
        }
        self.test.cloud.put(table, &item).unwrap();
    }

    /// Follows a link.
    pub async fn get(&mut self, path: &str) -> Response {
        self.send(Request::get(path), "").await
    }

    /// Sends a form of one of our pages.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.send(our_form(path), &form_body(fields)).await
    }

    /// Signs a user in, without an authorization request.
    pub async fn sign_in(&mut self, username: &str) -> Response {
        let fields = [("username", username), ("password", SECRET_PASSWORD)];
        let response = self.post("/oauth/login", &fields).await;
        assert_eq!(response.status, 303, "{:?}", response.bytes);
        if self.first_cookie.is_none() {
            self.first_cookie.clone_from(&self.cookie);
        }
        response
    }

    /// Sends a form of the account page.
    pub async fn account(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let confirm = self.account_confirm().await;
        self.post(&format!("/account/{path}"), &[&[("confirm", confirm.as_str())], fields].concat()).await
    }

    /// Returns the hidden field of the account page.
    pub async fn account_confirm(&mut self) -> String {
        field(&self.get("/account").await, "confirm").unwrap_or_default()
    }

    /// Returns the hidden field of the consent page.
    pub async fn confirm(&mut self, query: &str) -> String {
        field(&self.get(&format!("/oauth/authorize?{query}")).await, "confirm").unwrap_or_default()
    }

    /// Sends an authorization request, and allows it on the consent page if that is shown.
    pub async fn grant(&mut self, query: &str, period: &str) -> Response {
        let response = self.get(&format!("/oauth/authorize?{query}")).await;
        match field(&response, "confirm") {
            Some(confirm) => {
                let fields = [("confirm", confirm.as_str()), ("decision", "grant"), ("for", period)];
                self.post(&format!("/oauth/consent?{query}"), &fields).await
            }
            None => response,
        }
    }

    /// Returns a code for a request that the user grants.
    pub async fn code(&mut self, query: &str) -> String {
        code_of(&self.grant(query, "none").await)
    }

    /// Exchanges a code.
    pub async fn exchange(&self, query: &str, code: &str, verifier: &str) -> Response {
        let params = pairs(query);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &params["redirect_uri"]),
            ("code_verifier", verifier),
        ];
        self.token(&params["client_id"], &fields).await
    }

    /// Sends a token request of a client of the fixtures.
    pub async fn token(&self, client_id: &str, fields: &[(&str, &str)]) -> Response {
        self.test.send(request_of(client_id, fields).post()).await
    }
}

/// Begins a request of a client of the fixtures, with its credentials and its origin.
pub fn request_of(client_id: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let clients = CASES["fixtures"]["clients"].as_array().unwrap();
    let client = clients.iter().find(|client| client["client_id"] == client_id).unwrap();
    let request = testing::form(fields);
    let request = match client["secrets"][0]["secret"].as_str() {
        Some(secret) => request.basic(client_id, secret),
        None => testing::form(&[fields, &[("client_id", client_id)]].concat()),
    };
    match client["allowed_origins"][0].as_str() {
        Some(origin) => request.header("origin", origin),
        None => request,
    }
}

/// Returns the query of an authorization request of a client of the fixtures, with changed parameters.
pub fn query(client_id: &str, scope: &str, other: &[(&str, &str)]) -> String {
    let clients = CASES["fixtures"]["clients"].as_array().unwrap();
    let client = clients.iter().find(|client| client["client_id"] == client_id).unwrap();
    let mut params = vec![
        ("client_id", client_id),
        ("redirect_uri", client["redirect_uris"][0].as_str().unwrap()),
        ("response_type", "code"),
        ("scope", scope),
        ("state", "st-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    params.extend(other);
    form_body(&params)
}

/// Begins a request with a form of one of our pages.
pub fn our_form(path: &str) -> axum::http::request::Builder {
    let form = "application/x-www-form-urlencoded";
    Request::post(path).header("sec-fetch-site", "same-origin").header("content-type", form)
}

/// Returns the value of the session cookie that a response sets, as name and value.
pub fn set_cookie(response: &Response) -> Option<String> {
    let value = response.header("set-cookie")?.split(';').next().unwrap();
    value.starts_with("__Host-session=").then(|| value.to_owned())
}

/// Returns the page of a response and its error.
pub fn page(response: &Response) -> (Option<String>, Option<String>) {
    (attribute(response, "data-page"), attribute(response, "data-error"))
}

/// Returns an attribute of the first element that has it, unescaped.
pub fn attribute(response: &Response, name: &str) -> Option<String> {
    let html = std::str::from_utf8(&response.bytes).unwrap();
    html.split_once(&format!(" {name}=\"")).map(|(_, rest)| unescaped(rest.split('"').next().unwrap()))
}

/// Returns the value of the first input with this name, unescaped.
pub fn field(response: &Response, name: &str) -> Option<String> {
    let html = std::str::from_utf8(&response.bytes).unwrap();
    let input = html.split("<input ").skip(1).find(|input| input.contains(&format!("name=\"{name}\"")))?;
    let input = input.split('>').next().unwrap();
    Some(input.split_once("value=\"").map_or_else(String::new, |(_, rest)| unescaped(rest.split('"').next().unwrap())))
}

fn unescaped(text: &str) -> String {
    let mut unescaped = text.to_owned();
    for (entity, character) in [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ] {
        unescaped = unescaped.replace(entity, character);
    }
    unescaped
}

/// Returns the location of a redirect: the text before the parameters that we add, and these parameters.
pub fn location(response: &Response) -> (String, Vec<(String, String)>) {
    assert_eq!(response.status, 303, "{:?}", response.bytes);
    let location = response.header("location").unwrap();
    let first = ["code=", "error="]
        .iter()
        .find_map(|name| location.find(&format!("?{name}")).or_else(|| location.find(&format!("&{name}"))));
    let at = first.unwrap_or_else(|| panic!("{location}"));
    let query = &location[at + 1..];
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap().to_owned());
    let values = pairs(query);
    (location[..at].to_owned(), names.map(|name| (name.clone(), values[&name].clone())).collect())
}

/// Returns a parameter of the redirect to the client.
pub fn parameter(response: &Response, name: &str) -> Option<String> {
    location(response).1.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Returns the code of a redirect to the client.
#[track_caller]
pub fn code_of(response: &Response) -> String {
    parameter(response, "code").unwrap_or_else(|| panic!("no code: {:?}", response.header("location")))
}
