//! The public cases: requests with their expected responses.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::http::Origin;
use serde_json::{Value, json};

use testing::{CASES, ISSUER, Response, TestApp};

mod authorization;
mod client_authentication;
mod forge;
mod sequences;

#[tokio::test]
async fn every_public_case_gets_its_expected_response() {
    let mut failed = Vec::new();
    let mut groups: HashMap<&str, (u16, Vec<String>, Vec<u8>)> = HashMap::new();
    for case in CASES["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let Ok(response) = tokio::spawn(run(id, case)).await else {
            failed.push(id);
            continue;
        };
        if let Some(group) = case["expect"]["same_as"].as_str() {
            let mut headers: Vec<_> =
                response.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
            headers.sort();
            let same = (response.status, headers, response.bytes.to_vec());
            assert_eq!(groups.entry(group).or_insert_with(|| same.clone()), &same, "{id} differs from its group");
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
    assert!(groups.len() >= 2);
}

/// Runs a case in a separate deployment, so that its grants table is empty and no other case has replaced a hash.
async fn run(id: &str, case: &Value) -> Response {
    let test = TestApp::start().await;
    let response = test.send(request(&case["request"])).await;
    let expect = &case["expect"];
    check(id, expect, &response);
    if response.status == 200 {
        let version = if expect["token_version"] == 1 { 1 } else { 2 };
        let mut claims = response.assert_issued(version).0;
        for (name, length) in expect["claims_length"].as_object().into_iter().flatten() {
            assert_eq!(*length, claims[name].as_str().unwrap().chars().count(), "{id}");
        }
        claims
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !["iat", "nbf", "exp", "jti", "auth_time"].contains(&name.as_str()));
        assert_eq!(claims, expected_claims(&case["request"], version), "{id}");
    }
    response
}

/// Returns the request of a case or of a step.
pub fn request(request: &Value) -> Request<Body> {
    let text = |name: &str| request[name].as_str().unwrap();
    let mut built = Request::builder().method(text("method")).uri(text("path"));
    for (name, value) in request["headers"].as_object().unwrap() {
        built = built.header(name, value.as_str().unwrap());
    }
    if let Some(source) = request["source"].as_str() {
        built = built.extension(Origin { source: source.to_owned(), ..Origin::default() });
    }
    built.body(Body::from(body(request))).unwrap()
}

fn body(request: &Value) -> Vec<u8> {
    match request["body_base64"].as_str() {
        Some(encoded) => STANDARD.decode(encoded).unwrap(),
        None => request["body"].as_str().unwrap_or_default().as_bytes().to_vec(),
    }
}

/// Returns the parameters of a request, including the client id in Basic credentials.
fn params(request: &Value) -> HashMap<String, String> {
    let text = String::from_utf8(body(request)).unwrap();
    let mut params: HashMap<_, _> = match serde_json::from_str::<HashMap<String, Value>>(&text) {
        Ok(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)))
            .collect(),
        Err(_) => pairs(&text),
    };
    if let Some(basic) = request["headers"]["authorization"].as_str().filter(|value| !value.is_empty()) {
        let pair = String::from_utf8(STANDARD.decode(basic.split_once(' ').unwrap().1).unwrap()).unwrap();
        params.insert("client_id".to_owned(), decoded(pair.split_once(':').unwrap().0));
    }
    params.retain(|_, value| !value.is_empty());
    params
}

/// Decodes the pairs of a form.
pub fn pairs(form: &str) -> HashMap<String, String> {
    form.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.into(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap().replace('+', " ").into_bytes();
    for part in parts {
        decoded.push(u8::from_str_radix(&part[..2], 16).unwrap());
        decoded.extend(part[2..].replace('+', " ").bytes());
    }
    String::from_utf8(decoded).unwrap()
}

/// Returns the expected claims of a request, from the request and the fixtures, without times and `jti`.
fn expected_claims(request: &Value, version: u8) -> Value {
    let params = params(request);
    let fixture = |list: &str, key: &str, value: &str| {
        let fixtures = CASES["fixtures"][list].as_array().unwrap();
        fixtures.iter().find(|fixture| fixture[key] == value).unwrap().clone()
    };
    let client_id = params["client_id"].as_str();
    let client = fixture("clients", "client_id", client_id);
    let user =
        params.get("username").map(|username| fixture("users", "username", &username.trim_matches(' ').to_lowercase()));
    let mut scopes: Vec<String> = match params.get("scope") {
        Some(scope) => scope.split(' ').map(ToOwned::to_owned).collect(),
        None => serde_json::from_value(client["default_scopes"].clone()).unwrap(),
    };
    scopes.dedup();
    let sub = user.as_ref().map_or(client_id, |user| user["user_id"].as_str().unwrap());
    if version == 2 {
        return json!({"iss": ISSUER, "aud": ISSUER, "sub": sub, "client_id": client_id, "scope": scopes.join(" ")});
    }
    let mut claims = json!({"iss": ISSUER, "aud": client_id, "sub": sub, "scopes": scopes});
    for (name, value) in [("system", Some(&client["system"])), ("dealer", user.as_ref().map(|user| &user["dealer"]))] {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            claims[name] = value.clone();
        }
    }
    claims
}

/// The members of an expectation.
const KNOWN: [&str; 17] = [
    "absent",
    "body",
    "claims_length",
    "cookie",
    "error",
    "header_absent",
    "header_present",
    "headers",
    "json",
    "json_length",
    "no_cookie",
    "present",
    "retry_after",
    "same_as",
    "scope",
    "status",
    "token_version",
];

/// Asserts that a response has all that a case or a step expects.
pub fn check(id: &str, expect: &Value, response: &Response) {
    let unknown = expect.as_object().unwrap().keys().find(|key| !KNOWN.contains(&key.as_str()));
    assert_eq!(unknown, None, "{id}");
    let status = u16::try_from(expect["status"].as_u64().unwrap()).unwrap();
    assert_eq!(response.status, status, "{id}: {:?}", response.bytes);
    if status >= 400 {
        let error = match (expect["error"].as_str(), status) {
            (Some(error), _) => error,
            (None, 404) => "not_found",
            (None, _) => "method_not_allowed",
        };
        // A case that expects another challenge states it.
        if expect["headers"].get("www-authenticate").is_some() {
            assert_eq!(response.body["error"], error, "{id}");
        } else {
            response.assert_error(status, error);
        }
    }
    check_body(id, expect, response);
    check_headers(id, expect, response);
    if expect["no_cookie"] == true {
        assert!(response.header("set-cookie").is_none(), "{id}");
    }
    if !expect["cookie"].is_null() {
        check_cookie(id, &expect["cookie"], response);
    }
}

fn check_body(id: &str, expect: &Value, response: &Response) {
    for name in names(&expect["present"]) {
        assert!(!response.body[name].is_null(), "{id}: {name}");
    }
    for name in names(&expect["absent"]) {
        assert!(response.body.get(name).is_none(), "{id}: {name}");
    }
    for (name, value) in expect["json"].as_object().into_iter().flatten() {
        assert_eq!(response.body[name], *value, "{id}: {name}");
    }
    for (name, length) in expect["json_length"].as_object().into_iter().flatten() {
        assert_eq!(*length, response.body[name].as_str().unwrap().chars().count(), "{id}: {name}");
    }
    if let Some(body) = expect["body"].as_str() {
        assert_eq!(response.bytes, body, "{id}");
    }
    if let Some(scope) = expect["scope"].as_str() {
        assert_eq!(response.body["scope"], scope, "{id}");
    }
}

fn check_headers(id: &str, expect: &Value, response: &Response) {
    for name in names(&expect["header_present"]) {
        assert!(response.header(name).is_some(), "{id}: {name}");
    }
    for name in names(&expect["header_absent"]) {
        assert!(response.header(name).is_none(), "{id}: {name}");
    }
    for (name, value) in expect["headers"].as_object().into_iter().flatten() {
        assert_eq!(response.header(name), value.as_str(), "{id}: {name}");
    }
    if let [least, most] = expect["retry_after"].as_array().map_or(&[][..], Vec::as_slice) {
        let seconds = response.retry_after();
        assert!((least.as_u64().unwrap()..=most.as_u64().unwrap()).contains(&seconds), "{id}: {seconds}");
    }
}

/// Asserts that a response sets a cookie with these attributes, which are compared without case.
fn check_cookie(id: &str, expect: &Value, response: &Response) {
    let (value, attributes) = cookie(response, expect["name"].as_str().unwrap());
    if let Some(expected) = expect["value"].as_str() {
        assert_eq!(value, expected, "{id}");
    }
    let attributes: Vec<_> = attributes.iter().map(|attribute| attribute.to_lowercase()).collect();
    for attribute in names(&expect["attributes"]) {
        assert!(attributes.contains(&attribute.to_lowercase()), "{id}: {attribute}: {attributes:?}");
    }
    for name in names(&expect["attributes_absent"]) {
        let is_set = attributes.iter().any(|attribute| attribute.split('=').next() == Some(&name.to_lowercase()));
        assert!(!is_set, "{id}: {name}");
    }
}

/// Returns the value and the attributes of the cookie with this name, which a response sets.
pub fn cookie<'a>(response: &'a Response, name: &str) -> (&'a str, Vec<&'a str>) {
    let set = response.headers.get_all("set-cookie").iter().map(|header| header.to_str().unwrap());
    let found = set.map(|cookie| cookie.split("; ")).find_map(|mut parts| {
        let value = parts.next()?.strip_prefix(name)?.strip_prefix('=')?;
        Some((value, parts.collect()))
    });
    found.unwrap_or_else(|| panic!("{name} is not set: {:?}", response.headers))
}

/// Returns the texts of a list.
fn names(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().map(|name| name.as_str().unwrap())
}
