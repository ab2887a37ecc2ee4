//! Events of the gateway, through the whole function. An input that is JSON is the event, because Lambda passes on any
//! JSON: the function returns a response. The lines of any other input are the parts of an event: method, path, query,
//! content type, `Authorization`, `Accept` (an empty header is left out), `b` if the body is base64, and the body. The
//! response is the one that the model expects.

#![no_main]

use countersign_fuzz::invoke;
use countersign_fuzz::model::{Expected, TokenRequest, base64, elements};
use countersign_fuzz::response::Response;
use libfuzzer_sys::fuzz_target;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

const TOKEN: &str = "/oauth/token";
const DOCUMENTS: [&str; 3] =
    ["/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
/// Paths with a fixed response: the path, its methods, and the status.
const STATIC: [(&str, &str, u16); 2] = [("/oauth/authorize", "GET,POST", 400), ("/healthz", "GET", 200)];
const MALFORMED: Expected = Expected::Error(400, "invalid_request");

fuzz_target!(|input: &[u8]| {
    if let Ok(event) = serde_json::from_slice(input) {
        assert_well_formed(&Response::from_gateway(&invoke(event)));
        countersign_fuzz::take_log();
        return;
    }
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(8, '\n');
    let parts = EventParts(std::array::from_fn(|_| lines.next().unwrap_or_default()));
    parts.assert(&Response::from_gateway(&invoke(to_raw_value(&parts.event()).unwrap())));
    countersign_fuzz::take_log();
});

/// Asserts what holds for every response, of the token endpoint or of a public document.
fn assert_well_formed(response: &Response) {
    if response.header("cache-control") == Some("public, max-age=300, stale-if-error=7200") {
        assert!([200, 304].contains(&response.status), "{response:?}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{response:?}");
        assert!(response.header("etag").is_some(), "{response:?}");
    } else if response.body.is_null() {
        // A response to HEAD, or to a preflight request.
        response.assert_headers();
        assert!([204, 400, 404, 405].contains(&response.status), "{response:?}");
    } else {
        response.assert_well_formed();
    }
}

/// The parts of an event, one line each.
struct EventParts<'a>([&'a str; 8]);

impl EventParts<'_> {
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

    /// Returns the body, or `None` if the request is not valid in HTTP.
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

    fn assert(&self, response: &Response) {
        let Self([method, path, query, content_type, authorization, accept, ..]) = *self;
        assert_well_formed(response);
        let Some(body) = self.body() else {
            // A response to HEAD has no body.
            if method == "HEAD" {
                assert_eq!(response.status, 400, "{response:?}")
            } else {
                response.assert(&MALFORMED)
            }
            return;
        };
        if DOCUMENTS.contains(&path) {
            let (status, allow) = if matches!(method, "GET" | "HEAD") { (200, None) } else { (405, Some("GET,HEAD")) };
            assert_eq!((response.status, response.header("allow")), (status, allow), "{response:?}");
            return;
        }
        if let Some((_, methods, status)) = STATIC.into_iter().find(|(known, ..)| *known == path) {
            let (status, allow) =
                if methods.split(',').any(|known| known == method) { (status, None) } else { (405, Some(methods)) };
            assert_eq!((response.status, response.header("allow")), (status, allow), "{response:?}");
            return;
        }
        if path != TOKEN {
            assert_eq!(response.status, 404, "{response:?}");
            return;
        }
        assert_eq!(response.header("vary"), Some("Origin"), "{response:?}");
        if method != "POST" {
            assert_eq!((response.status, response.header("allow")), (405, Some("POST,OPTIONS")), "{response:?}");
            return;
        }
        let lines = |value| if str::is_empty(value) { vec![] } else { vec![value.as_bytes()] };
        let media_type = content_type.split(';').next().unwrap_or_default();
        let media_type = media_type.trim_matches([' ', '\t']).to_ascii_lowercase();
        let is_uri = |byte: u8| (b'!'..=b'~').contains(&byte) && !b"\"#<>".contains(&byte) || !byte.is_ascii();
        let request = TokenRequest {
            json: media_type == "application/json",
            // A query with other characters is rejected, like one that cannot be decoded.
            query: if query.bytes().all(is_uri) { query.as_bytes() } else { b"%" },
            accept: lines(accept),
            authorization: lines(authorization),
            body: &body,
        };
        let is_joined = elements(content_type).iter().skip(1).any(|element| element.contains('/'));
        let is_known =
            !is_joined && ["application/json", "application/x-www-form-urlencoded"].contains(&media_type.as_str());
        response.assert(&if is_known || body.len() > 16 * 1024 { request.expected() } else { MALFORMED });
    }
}
