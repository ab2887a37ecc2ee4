//! The public cases: each request has one right answer.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use crate::support::{Answer, CASES, TestApp};

#[tokio::test]
async fn every_public_case_has_its_one_right_answer() {
    let test = TestApp::start().await;
    let mut groups: HashMap<&str, (u16, Vec<String>, Vec<u8>)> = HashMap::new();
    for case in CASES["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let answer = test.send(request(&case["request"])).await;
        check(id, &case["expect"], &answer);
        if let Some(group) = case["expect"]["same_as"].as_str() {
            let mut headers: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
            headers.sort();
            let same = (answer.status, headers, answer.bytes.to_vec());
            assert_eq!(groups.entry(group).or_insert_with(|| same.clone()), &same, "{id} differs from its group");
        }
    }
    assert_eq!(groups.len(), 2);
}

fn request(request: &Value) -> Request<Body> {
    let text = |name: &str| request[name].as_str().unwrap();
    let mut built = Request::builder().method(text("method")).uri(text("path"));
    for (name, value) in request["headers"].as_object().unwrap() {
        built = built.header(name, value.as_str().unwrap());
    }
    built.body(Body::from(request["body"].as_str().unwrap_or_default().to_owned())).unwrap()
}

fn check(id: &str, expect: &Value, answer: &Answer) {
    let status = u16::try_from(expect["status"].as_u64().unwrap()).unwrap();
    assert_eq!(answer.status, status, "{id}: {:?}", answer.bytes);
    if status == 200 {
        let version = expect["structure"].as_u64().map_or(2, |version| u8::try_from(version).unwrap());
        answer.assert_issued(version);
    } else {
        let error = match (expect["error"].as_str(), status) {
            (Some(error), _) => error,
            (None, 404) => "not_found",
            (None, _) => "method_not_allowed",
        };
        answer.assert_refused(status, error);
    }
    let names = |list: &'static str| expect[list].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
    for name in names("present") {
        assert!(answer.body[name].is_string(), "{id}: {name}");
    }
    for name in names("absent") {
        assert!(answer.body.get(name).is_none(), "{id}: {name}");
    }
    for name in names("header_present") {
        assert!(answer.header(name).is_some(), "{id}: {name}");
    }
    if let Some(scope) = expect["scope"].as_str() {
        assert_eq!(answer.body["scope"], scope, "{id}");
    }
}
