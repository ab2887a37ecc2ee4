//! The redirect URIs that may be registered, and those that match.

use std::collections::BTreeSet;

use countersign::redirect_uri::{RedirectUri, RedirectUriError, RedirectUris};
use serde_json::json;

fn uri(text: &str) -> RedirectUri {
    RedirectUri::parse(text.to_owned()).unwrap()
}

fn uris(list: &[&str]) -> RedirectUris {
    RedirectUris::parse(list.iter().map(ToString::to_string).collect()).unwrap()
}

#[test]
fn a_redirect_uri_has_one_of_three_forms() {
    for allowed in [
        "https://app.example",
        "https://app.example/",
        "https://app.example/cb",
        "https://app.example/CB/%7Ea;b=c/",
        "https://app.example:8443/cb",
        "https://app.example:443",
        "https://app.example/cb?tenant=1&x=a.b",
        "https://app.example?x=1",
        "https://app.example/cb?next=..%2F..",
        "https://xn--bcher-kva.example/cb",
        "https://a_b-c.example/cb",
        "https://192.0.2.1/cb",
        "https://[2001:db8::1]:8443/cb",
        "http://127.0.0.1",
        "http://127.0.0.1/cb",
        "http://127.0.0.1:8080/cb",
        "http://[::1]/cb",
        "http://[::1]:1/cb",
        "http://localhost:65535/cb",
        "com.example.app:/cb",
        "com.example.app://cb/path?x=1",
        "com.example-app+1.x:cb",
    ] {
        assert_eq!(uri(allowed).as_str(), allowed);
    }
}

/// URIs that must not be registered.
const REJECTED: &[&str] = &[
    "",
    "https://",
    "https:///cb",
    "https:/app.example/cb",
    "HTTPS://app.example/cb",
    "https://App.example/cb",
    "https://app.example./cb",
    "https://.app.example/cb",
    "https://app..example/cb",
    "https://b\u{fc}cher.example/cb",
    "https://app.example%2f/cb",
    "https://app.example:/cb",
    "https://app.example:0/cb",
    "https://app.example:080/cb",
    "https://app.example:+80/cb",
    "https://app.example:65536/cb",
    "https://app.example:80a/cb",
    "https://[::1/cb",
    "https://[]/cb",
    "https://[::1]x/cb",
    "https://[::g]/cb",
    "https://*.app.example/cb",
    "https://app.example/*",
    "https://user@app.example/cb",
    "https://app.example/cb#fragment",
    "https://app.example\\@evil.example/cb",
    "https://app.example/a b",
    "https://app.example/a\tb",
    "https://app.example/\u{7f}",
    "https://app.example/<b>",
    "https://app.example/\"b",
    "https://app.example/./cb",
    "https://app.example/a/../cb",
    "https://app.example/a/..",
    "https://app.example/%2e/cb",
    "https://app.example/a/%2E./cb",
    "https://app.example/a/.%2e",
    "https://app.example/a/%2e%2E/cb",
    "https://app.example/cb?",
    "https://app.example/cb?x=1&",
    "https://app.example/cb?code=1",
    "https://app.example/cb?x=1&state",
    "https://app.example/cb?%69ss=1",
    "https://app.example/cb?error=1",
    "https://app.example/cb?error_description=1",
    "http://app.example/cb",
    "http://127.0.0.2/cb",
    "http://127.1/cb",
    "http://127.0.0.1.evil.example/cb",
    "http://localhost.evil.example/cb",
    "http://localhostevil/cb",
    "http://localhost:08080/cb",
    "http://[::1]evil.example/cb",
    "http://[0:0:0:0:0:0:0:1]/cb",
    "myapp:/cb",
    "javascript:alert(1)",
    "data:text/html,x.y",
    "Com.example.app:/cb",
    "1com.example:/cb",
    ".com:/cb",
    "com.example_app:/cb",
    "com.example.app",
    "/cb",
];

#[test]
fn s_801_other_uris_cannot_be_registered() {
    for rejected in REJECTED {
        let error = RedirectUri::parse((*rejected).to_owned()).unwrap_err();
        assert!(matches!(error, RedirectUriError::Malformed(..)), "{rejected}");
    }
}

#[test]
fn limits_of_redirect_uris() {
    let of_length = |length: usize| format!("https://app.example/{}", "a".repeat(length - 20));
    assert!(RedirectUri::parse(of_length(2048)).is_ok());
    let error = RedirectUri::parse(of_length(2049)).unwrap_err();
    assert!(error.to_string().contains("is not allowed: it is too long"), "{error}");

    let set = |count: usize| (0..count).map(|n| format!("https://app.example/{n}")).collect::<BTreeSet<_>>();
    assert_eq!(RedirectUris::parse(set(20)).unwrap().uris().len(), 20);
    assert_eq!(RedirectUris::parse(set(21)), Err(RedirectUriError::TooMany));
    assert_eq!(RedirectUriError::TooMany.to_string(), "a client has at most 20 redirect URIs");
}

#[test]
fn the_stored_form_is_a_set_of_strings() {
    let list = ["com.example.app:/cb", "https://app.example/cb"];
    assert_eq!(json!(uris(&list)), json!(list));
    assert_eq!(serde_json::from_value::<RedirectUris>(json!(list)).unwrap(), uris(&list));
    let error = serde_json::from_value::<RedirectUris>(json!(["https://app.example/cb?"])).unwrap_err();
    assert!(error.to_string().contains("\"https://app.example/cb?\" is not allowed: it ends in ? or &"), "{error}");
    assert!(uris(&[]).is_empty() && !uris(&list).is_empty());
}

#[test]
fn s_801_a_requested_uri_matches_byte_for_byte() {
    let registered = uris(&["https://app.example/a/cb", "http://localhost:8080/cb", "com.example.app:/cb"]);
    for requested in ["https://app.example/a/cb", "http://localhost:8080/cb", "com.example.app:/cb"] {
        let found = [registered.matching(requested), registered.exact(requested)];
        assert_eq!(found.map(|uri| String::from(uri.unwrap())), [requested; 2]);
    }
    for requested in [
        "",
        "https://app.example/a/cb/",
        "https://app.example/a/CB",
        "https://APP.example/a/cb",
        "HTTPS://app.example/a/cb",
        "https://app.example:443/a/cb",
        "https://app.example./a/cb",
        "https://app.example/a/cb?",
        "https://app.example/a/cb?x=1",
        "https://app.example/a/cb#",
        "https://app.example/a/cb#x",
        "https://app.example/a/cb ",
        " https://app.example/a/cb",
        "https://app.example/a/cb\n",
        "https://app.example/a/cb\0",
        "https://app.example/a/%63b",
        "https://app.example/a//cb",
        "https://app.example/a/./cb",
        "https://app.example/a/b/../cb",
        "https://app.example/a/..;/a/cb",
        "https://app.example/a/cb/..;/evil",
        "https://app.example\\/a/cb",
        "https://app.example\\@evil.example/a/cb",
        "https://user@app.example/a/cb",
        "https://app.example@evil.example/a/cb",
        "https://app.example:x@evil.example/a/cb",
        "https://app.example.evil.example/a/cb",
        "https://evil.example/app.example/a/cb",
        "http://app.example/a/cb",
        "//app.example/a/cb",
        "http://localhost/cb",
        "http://localhost:8081/cb",
        "http://localhost.evil.example:8080/cb",
        "http://127.0.0.1:8080/cb",
        "com.example.app:/cb2",
        "com.example.app://cb",
        "com.example.App:/cb",
    ] {
        assert_eq!((registered.matching(requested), registered.exact(requested)), (None, None), "{requested:?}");
    }
}

#[test]
fn s_801_only_a_loopback_address_matches_with_any_port() {
    for registered in ["http://127.0.0.1/cb", "http://127.0.0.1:8080/cb"] {
        let registered = uris(&[registered]);
        for requested in ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb"] {
            assert_eq!(registered.matching(requested).unwrap().as_str(), requested, "with its own port");
        }
        assert_eq!(registered.exact("http://127.0.0.1:1/cb"), None);
        for requested in [
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:080/cb",
            "http://127.0.0.1:+80/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:80",
            "http://127.0.0.1:80/",
            "http://127.0.0.1:80/cb/",
            "http://127.0.0.1:80/cb?x=1",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1:80:90/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1evil.example:80/cb",
            "http://user@127.0.0.1:80/cb",
            "https://127.0.0.1:80/cb",
            "http://127.1:80/cb",
            "http://[::1]:80/cb",
            "http://localhost:80/cb",
        ] {
            assert_eq!(registered.matching(requested), None, "{requested}");
        }
    }
    let registered = uris(&["http://[::1]/cb?x=1", "http://127.0.0.1"]);
    let is_found = |requested| registered.matching(requested).is_some();
    assert!(is_found("http://[::1]:80/cb?x=1") && is_found("http://127.0.0.1:80"));
    assert!(!is_found("http://[::1]:80/cb") && !is_found("http://127.0.0.1:80/"));
}

#[test]
fn a_response_is_appended_to_the_query() {
    let response = [("code", "a b"), ("state", "\u{e4}&=+%/*~"), ("iss", "https://auth.example")];
    let appended = "code=a+b&state=%C3%A4%26%3D%2B%25%2F*%7E&iss=https%3A%2F%2Fauth.example";
    for (base, separator) in [
        ("https://app.example/cb", '?'),
        ("https://app.example", '?'),
        ("https://app.example/cb?x=1", '&'),
        ("com.example.app:/cb", '?'),
    ] {
        assert_eq!(uri(base).with_response(response), format!("{base}{separator}{appended}"));
    }
}

#[test]
fn the_target_is_the_host_or_the_private_use_scheme() {
    for (text, target, is_native) in [
        ("https://app.example", "app.example", false),
        ("https://app.example?x=1", "app.example", false),
        ("https://app.example:8443/cb?x=1", "app.example:8443", false),
        ("http://127.0.0.1:8080/cb", "127.0.0.1:8080", true),
        ("http://[::1]/cb", "[::1]", true),
        ("http://localhost/cb", "localhost", true),
        ("com.example.app:/cb", "com.example.app", true),
        ("com.example.app://cb/path", "com.example.app", true),
    ] {
        assert_eq!((uri(text).target(), uri(text).is_native()), (target, is_native), "{text}");
    }
}
