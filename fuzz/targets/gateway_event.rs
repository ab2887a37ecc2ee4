//! Events of the gateway, through the whole function. An input that begins with `{` is an event to the byte. Any other is
//! made one: its lines are method, path, query, content type, `Authorization` and `Accept` (none if they are empty), whether
//! the body is base64 (`b`), and the body; then the answer is the one that the model works out.

#![no_main]

use countersign_fuzz::answer::Answer;
use countersign_fuzz::invoke;
use countersign_fuzz::model::{Asked, Expected, base64};
use lambda_http::request::LambdaRequest;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const TOKEN: &str = "/oauth/token";
const DOCUMENTS: [&str; 3] =
    ["/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
/// Paths with one response, their methods and its status.
const STATIC: [(&str, &str, u16); 2] = [("/oauth/authorize", "GET,POST", 400), ("/healthz", "GET", 200)];

fuzz_target!(|input: &[u8]| {
    if input.starts_with(b"{") {
        let Ok(event) = serde_json::from_slice(input) else { return };
        let LambdaRequest::ApiGatewayV2(request) = &event else { panic!("an event of another kind") };
        let method = request.request_context.http.method.clone();
        assert_well_formed(method.as_str(), &Answer::from_gateway(&invoke(event)));
        countersign_fuzz::take_log();
        return;
    }
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(8, '\n');
    let made = Made(std::array::from_fn(|_| lines.next().unwrap_or_default()));
    // No gateway hands over a method or a header that HTTP does not know.
    let Ok(event) = serde_json::from_value(made.event()) else { return };
    made.assert(&Answer::from_gateway(&invoke(event)));
    countersign_fuzz::take_log();
});

/// What holds for every answer, whatever the path: a token's endpoint's, or a public document.
fn assert_well_formed(method: &str, answer: &Answer) {
    if answer.header("cache-control") == Some("public, max-age=300, stale-if-error=7200") {
        assert!([200, 304].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert!(answer.header("etag").is_some(), "{answer:?}");
    } else if method == "HEAD" {
        answer.assert_headers();
        assert!([404, 405].contains(&answer.status) && answer.body.is_null(), "{answer:?}");
    } else {
        answer.assert_well_formed();
    }
}

/// An event that is made of lines.
struct Made<'a>([&'a str; 8]);

impl Made<'_> {
    fn event(&self) -> Value {
        let Self([method, path, query, content_type, authorization, accept, base64, body]) = self;
        let mut headers = json!({"host": "api.example"});
        for (name, value) in [("content-type", content_type), ("authorization", authorization), ("accept", accept)] {
            if !value.is_empty() {
                headers[name] = json!(value);
            }
        }
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
            "requestContext": {
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
                "requestId": "XohImNooBHFR0OU=", "stage": "$default", "domainName": "api.example",
            },
            "body": body, "isBase64Encoded": base64.starts_with('b'),
        })
    }

    fn assert(&self, answer: &Answer) {
        let Self([method, path, query, content_type, authorization, accept, is_base64, body]) = *self;
        assert_well_formed(method, answer);
        if DOCUMENTS.contains(&path) {
            let (status, allow) = if matches!(method, "GET" | "HEAD") { (200, None) } else { (405, Some("GET,HEAD")) };
            assert_eq!((answer.status, answer.header("allow")), (status, allow), "{answer:?}");
            return;
        }
        if let Some((_, methods, status)) = STATIC.into_iter().find(|(known, ..)| *known == path) {
            let (status, allow) =
                if methods.split(',').any(|known| known == method) { (status, None) } else { (405, Some(methods)) };
            assert_eq!((answer.status, answer.header("allow")), (status, allow), "{answer:?}");
            return;
        }
        if path != TOKEN {
            assert_eq!(answer.status, 404, "{answer:?}");
            return;
        }
        assert_eq!(answer.header("vary"), Some("Origin"), "{answer:?}");
        if method != "POST" {
            assert_eq!((answer.status, answer.header("allow")), (405, Some("POST,OPTIONS")), "{answer:?}");
            return;
        }
        let decoded = if is_base64.starts_with('b') { base64(body) } else { Some(body.as_bytes().to_vec()) };
        let lines = |value| if str::is_empty(value) { vec![] } else { vec![value.as_bytes()] };
        let asked = |json, body| Asked {
            json,
            query: !query.is_empty(),
            accept: lines(accept),
            authorization: lines(authorization),
            body,
        };
        let expected = match (content_type, decoded) {
            (_, None) => Expected::Refused(400, "invalid_request"),
            ("application/json", Some(body)) => asked(true, &body).expected(),
            ("application/x-www-form-urlencoded", Some(body)) => asked(false, &body).expected(),
            // One of these two, or neither.
            (_, Some(body)) => {
                let expected = [true, false].map(|json| asked(json, &body).expected());
                if answer.status == 200 && expected.iter().any(|one| !matches!(one, Expected::Refused(..))) {
                    return;
                }
                Expected::NotIssued
            }
        };
        answer.assert(&expected);
    }
}
