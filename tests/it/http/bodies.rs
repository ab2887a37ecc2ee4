//! Decoding of the body and the query of a token request (S-101, S-102).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use countersign::password_hash::hash_client_secret;
use hyper::body::Frame;
use serde_json::json;

use super::token::{assert_issued, assert_malformed, good_form};
use testing::{LogLines, SERVICE, TestApp, raw_form, raw_json};

/// The parameters that the endpoint defines. No grant uses the parameters of a code yet.
const DEFINED: [&str; 10] = [
    "grant_type",
    "client_id",
    "client_secret",
    "username",
    "password",
    "scope",
    "refresh_token",
    "code",
    "redirect_uri",
    "code_verifier",
];

/// Returns the parameters of [`good_form`] as members of a JSON object.
fn good_members() -> String {
    format!(r#""grant_type":"client_credentials","client_id":"{}","client_secret":"{}""#, SERVICE.0, SERVICE.1)
}

#[tokio::test]
async fn s_102_the_query_is_ignored_and_must_not_contain_a_defined_parameter() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    let many = |count: usize| (0..count).map(|n| format!("p{n}=1&")).collect::<String>();
    for query in [
        String::new(),
        "api-version=2024-01-01".to_owned(),
        "x".to_owned(),
        "x=".to_owned(),
        "=x".to_owned(),
        "&&".to_owned(),
        "x=1&x=2&access_token=a".to_owned(),
        "Scope=admin&scope%20=admin&scopes=admin&x;scope=admin".to_owned(),
        "x=%C3%BC+%00".to_owned(),
        "audience=https://api.example/a?b".to_owned(),
        many(64),
        format!("{}=1", "n".repeat(64)),
        format!("x={}", "a".repeat(20_000)),
    ] {
        assert_issued(&test, &query, raw_form(good_form()).query(&format!("?{query}"))).await;
    }
    let defined = DEFINED.into_iter().flat_map(|name| [name.to_owned(), format!("{name}="), format!("a=b&{name}=x")]);
    for query in defined.chain([
        "sc%6Fpe=admin".to_owned(),
        "x=%".to_owned(),
        "%zz".to_owned(),
        "%ff=1".to_owned(),
        many(65),
        format!("{}=1", "n".repeat(65)),
    ]) {
        assert_malformed(&test, &query, raw_form(good_form()).query(&format!("?{query}"))).await;
    }
    assert_eq!(log.lines().len(), 13 + 36);
    let quoted = ["api-version", "admin", "access_token", "audience", "p12=1", "nnnn", "aaaa"];
    assert_eq!(quoted.into_iter().find(|text| log.text().contains(text)), None);
}

#[tokio::test]
async fn s_101_forms_are_decoded_strictly() {
    let test = TestApp::start().await;
    for (what, extra) in [
        ("an unknown parameter", "&x=1"),
        ("an unknown parameter twice", "&x=1&x=2"),
        ("an unknown parameter without a value", "&x"),
        ("an empty parameter", "&scope="),
        ("a parameter without a value", "&scope"),
        ("empty pairs", "&&&"),
        ("an equals sign in a value", "&x=a=b"),
        ("encoded names and values", "&%73cope=legacy%3Aautonomy.read"),
        ("lower-case hex", "&scope=legacy%3aautonomy.read"),
        ("a plus for a space", "&scope=legacy:autonomy.read+legacy:autonomy.write"),
        ("64 parameters", &(0..61).map(|n| format!("&p{n}=1")).collect::<String>()),
        ("a name of 64 bytes", &format!("&{}=1", "n".repeat(64))),
    ] {
        assert_issued(&test, what, raw_form(good_form() + extra)).await;
    }
    for (what, extra) in [
        ("a bare percent sign", "&x=%"),
        ("one hex digit", "&x=%4"),
        ("no hex digits", "&x=%zz"),
        ("a plus instead of a hex digit", "&x=%+4"),
        ("a bare percent sign in a name", "&%=1"),
        ("bytes that are not UTF-8", "&x=%ff"),
        ("an overlong encoding", "&x=%c0%80"),
        ("a surrogate", "&x=%ed%a0%80"),
        ("a newline at the end", "\n"),
        ("a parameter twice", "&scope=legacy:autonomy.read&scope=legacy:autonomy.read"),
        ("a parameter twice, once empty", "&scope=&scope=legacy:autonomy.read"),
        ("a parameter twice, both empty", "&scope&scope"),
        ("a parameter twice, once encoded", "&scope=a&%73cope=a"),
        ("65 parameters", &(0..62).map(|n| format!("&p{n}=1")).collect::<String>()),
        ("a name of 65 bytes", &format!("&{}=1", "n".repeat(65))),
    ] {
        assert_malformed(&test, what, raw_form(good_form() + extra)).await;
    }
    for name in DEFINED {
        assert_malformed(&test, name, raw_form(good_form() + &format!("&{name}=a&{name}=a"))).await;
    }
    let mut raw = good_form().into_bytes();
    raw.extend_from_slice(b"&x=\xff");
    assert_malformed(&test, "raw bytes that are not UTF-8", raw_form(raw)).await;
}

#[tokio::test]
async fn s_101_json_is_decoded_strictly() {
    let test = TestApp::start().await;
    let good = good_members();
    for (what, body) in [
        ("the object", format!("{{{good}}}")),
        ("white space around the object", format!(" \n\t{{{good}}}\r\n")),
        ("unknown members", format!(r#"{{{good},"x":1,"y":true,"z":null,"f":-1.5e3}}"#)),
        ("depth 4", format!(r#"{{{good},"x":[[[1]]],"y":{{"a":{{"b":{{}}}}}}}}"#)),
        ("null is absent", format!(r#"{{{good},"scope":null}}"#)),
        ("empty is absent", format!(r#"{{{good},"scope":""}}"#)),
        ("escapes", format!(r#"{{{good},"sc\u006fpe":"legacy:autonomy.r\u0065ad"}}"#)),
        ("64 members", format!("{{{good}{}}}", (0..61).map(|n| format!(r#","p{n}":1"#)).collect::<String>())),
    ] {
        assert_issued(&test, what, raw_json(body)).await;
    }
    for (what, body) in [
        ("an empty body", String::new()),
        ("a string", r#""x""#.to_owned()),
        ("null", "null".to_owned()),
        ("an array around the object", format!("[{{{good}}}]")),
        ("a letter after the object", format!("{{{good}}}x")),
        ("a second object", format!("{{{good}}}{{}}")),
        ("a trailing comma", format!("{{{good},}}")),
        ("a comment", format!("{{{good}/**/}}")),
        ("a byte order mark", format!("\u{feff}{{{good}}}")),
        ("single quotes", good.replace('"', "'")),
        ("a repeated member", format!(r#"{{{good},"client_id":"billing-cron"}}"#)),
        ("a repeated member, once null", format!(r#"{{{good},"scope":null,"scope":"x"}}"#)),
        ("a repeated member, once escaped", format!(r#"{{{good},"scope":"x","sc\u006fpe":"x"}}"#)),
        ("a repeated unknown member", format!(r#"{{{good},"x":1,"x":1}}"#)),
        ("a repeated member in a nested object", format!(r#"{{{good},"x":[{{"a":1,"a":2}}]}}"#)),
        ("depth 5 by arrays", format!(r#"{{{good},"x":[[[[1]]]]}}"#)),
        ("depth 5 by objects", format!(r#"{{{good},"x":{{"a":{{"b":{{"c":{{}}}}}}}}}}"#)),
        ("a number", format!(r#"{{{good},"scope":1}}"#)),
        ("a flag", format!(r#"{{{good},"scope":true}}"#)),
        ("an array", format!(r#"{{{good},"scope":[]}}"#)),
        ("an object", format!(r#"{{{good},"username":{{}}}}"#)),
        ("a lone surrogate", format!(r#"{{{good},"x":"\ud800"}}"#)),
        ("65 members", format!("{{{good}{}}}", (0..62).map(|n| format!(r#","p{n}":1"#)).collect::<String>())),
        ("a name of 65 bytes", format!(r#"{{{good},"{}":1}}"#, "n".repeat(65))),
    ] {
        assert_malformed(&test, what, raw_json(body)).await;
    }
    let mut raw = format!("{{{good},\"x\":\"").into_bytes();
    raw.extend_from_slice(b"\xff\"}");
    assert_malformed(&test, "raw bytes that are not UTF-8", raw_json(raw)).await;
}

#[tokio::test]
async fn s_101_a_client_id_may_be_an_integer_of_at_most_15_digits() {
    let test = TestApp::start().await;
    let secret = "cs_numbered";
    let client = |id: &str| {
        json!({
            "client_id": id, "enabled": true, "grant_types": ["client_credentials"],
            "scopes": ["a"], "default_scopes": ["a"], "secrets": [{"hash": hash_client_secret(secret)}],
        })
    };
    let body = |id: &str| {
        raw_json(format!(r#"{{"grant_type":"client_credentials","client_id":{id},"client_secret":"{secret}"}}"#))
    };
    for id in ["0", "7", "42", "999999999999999"] {
        test.cloud.put("ClientsTable", &client(id)).unwrap();
        assert_issued(&test, id, body(id)).await;
        assert_issued(&test, id, body(&format!("\"{id}\""))).await;
    }
    for id in ["1.0", "42.0", "-0", "-1", "1e3", "1E0", "1000000000000000", "18446744073709551616", "true", "[42]"] {
        assert_malformed(&test, id, body(id)).await;
    }
    // No other parameter may be a number.
    let secret_too = r#"{"grant_type":"client_credentials","client_id":42,"client_secret":7}"#;
    assert_malformed(&test, "client_secret", raw_json(secret_too)).await;
}

/// A body whose sender ends the connection.
struct Aborted;

impl HttpBody for Aborted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_rejected() {
    let test = TestApp::start().await;
    let request = Request::post("/oauth/token").body(Body::new(Aborted)).unwrap();
    let response = test.send(request).await;
    response.assert_error(400, "invalid_request");
    assert_eq!(response.body["error_description"], "The body cannot be read.");
}
