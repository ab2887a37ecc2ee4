//! Events of the gateway, through the whole function. An input that is JSON is an event to the byte, as Lambda hands over
//! any JSON: it gets a response. Any other input is made an event: its lines are method, path, query, content type,
//! `Authorization` and `Accept` (none if they are empty), whether the body is base64 (`b`), and the body; then the response
//! is the one that the model works out.

#![no_main]

use countersign_fuzz::answer::Answer;
use countersign_fuzz::invoke;
use countersign_fuzz::model::{Asked, Expected, base64, elements};
use libfuzzer_sys::fuzz_target;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

const TOKEN: &str = "/oauth/token";
const DOCUMENTS: [&str; 3] =
    ["/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
/// Paths with one response, their methods and its status.
const STATIC: [(&str, &str, u16); 2] = [("/oauth/authorize", "GET,POST", 400), ("/healthz", "GET", 200)];
const MALFORMED: Expected = Expected::Refused(400, "invalid_request");

fuzz_target!(|input: &[u8]| {
    if let Ok(event) = serde_json::from_slice(input) {
        assert_well_formed(&Answer::from_gateway(&invoke(event)));
        countersign_fuzz::take_log();
        return;
    }
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(8, '\n');
    let made = Made(std::array::from_fn(|_| lines.next().unwrap_or_default()));
    made.assert(&Answer::from_gateway(&invoke(to_raw_value(&made.event()).unwrap())));
    countersign_fuzz::take_log();
});

/// Checks what holds for every response, whatever the path: one of the token endpoint, or a public document.
fn assert_well_formed(answer: &Answer) {
    if answer.header("cache-control") == Some("public, max-age=300, stale-if-error=7200") {
        assert!([200, 304].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert!(answer.header("etag").is_some(), "{answer:?}");
    } else if answer.body.is_null() {
        // A response to HEAD, or to a preflight request.
        answer.assert_headers();
        assert!([204, 400, 404, 405].contains(&answer.status), "{answer:?}");
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

    /// The body, if the request is one that HTTP can represent.
    fn body(&self) -> Option<Vec<u8>> {
        let Self([method, _, _, content_type, authorization, accept, is_base64, body]) = *self;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_value = |value: &str| value.bytes().all(|byte| byte == b'\t' || byte >= b' ' && byte != 0x7f);
        if method.is_empty()
            || !method.bytes().all(is_token)
            || ![content_type, authorization, accept].into_iter().all(is_value)
        {
            return None;
        }
        if is_base64.starts_with('b') { base64(body) } else { Some(body.as_bytes().to_vec()) }
    }

    fn assert(&self, answer: &Answer) {
        let Self([method, path, query, content_type, authorization, accept, ..]) = *self;
        assert_well_formed(answer);
        let Some(body) = self.body() else {
            // A response to HEAD has no body.
            if method == "HEAD" {
                assert_eq!(answer.status, 400, "{answer:?}")
            } else {
                answer.assert(&MALFORMED)
            }
            return;
        };
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
        let lines = |value| if str::is_empty(value) { vec![] } else { vec![value.as_bytes()] };
        let media_type = content_type.split(';').next().unwrap_or_default();
        let media_type = media_type.trim_matches([' ', '\t']).to_ascii_lowercase();
        let is_uri = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte);
        let asked = Asked {
            json: media_type == "application/json",
            // A query of other characters is one that no decoder accepts.
            query: if query.bytes().all(is_uri) { query.as_bytes() } else { b"%" },
            accept: lines(accept),
            authorization: lines(authorization),
            body: &body,
        };
        let is_joined = elements(content_type).iter().skip(1).any(|element| element.contains('/'));
        let is_known =
            !is_joined && ["application/json", "application/x-www-form-urlencoded"].contains(&media_type.as_str());
        answer.assert(&if is_known || body.len() > 16 * 1024 { asked.expected() } else { MALFORMED });
    }
}
