//! The rules of resource indicators (RFC 8707).

use std::collections::BTreeSet;

use countersign::resource::{MAX_RESOURCE_BYTES, MAX_RESOURCES, ResourceError, Resources, TargetError};

const OWN: &str = "https://auth.example";

fn resources(entries: &[&str]) -> Result<Resources, ResourceError> {
    Resources::try_from(entries.iter().map(|entry| (*entry).to_owned()).collect::<BTreeSet<_>>())
}

/// Returns the entries of most rows, and a long one.
fn listed() -> Resources {
    resources(&[
        "https://api.example.com/v1",
        "https://mcp.example.com",
        "https://slash.example.com/",
        "https://files.example.com/tenants/*",
        "https://all.example.com/*",
        "http://localhost:8080/mcp",
        "https://query.example.com?a=b",
        "urn:example:orders",
    ])
    .unwrap()
}

#[test]
fn s_1001_an_audience_is_the_entry_or_the_text_below_a_prefix() {
    let listed = listed();
    for (requested, audience) in [
        (OWN, OWN),
        ("https://auth.example/", OWN),
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("https://mcp.example.com", "https://mcp.example.com"),
        ("https://mcp.example.com/", "https://mcp.example.com"),
        ("https://slash.example.com", "https://slash.example.com/"),
        ("https://slash.example.com/", "https://slash.example.com/"),
        ("https://query.example.com/?a=b", "https://query.example.com?a=b"),
        ("http://localhost:8080/mcp", "http://localhost:8080/mcp"),
        ("urn:example:orders", "urn:example:orders"),
        ("https://files.example.com/tenants/", "https://files.example.com/tenants/"),
        ("https://files.example.com/tenants/7", "https://files.example.com/tenants/7"),
        ("https://files.example.com/tenants/7/files/", "https://files.example.com/tenants/7/files/"),
        ("https://files.example.com/tenants/..7/.x/a..b", "https://files.example.com/tenants/..7/.x/a..b"),
        ("https://all.example.com", "https://all.example.com"),
        ("https://all.example.com/x", "https://all.example.com/x"),
    ] {
        assert_eq!(listed.audience(OWN, requested), Ok(audience), "{requested}");
    }
    // The same bytes precede the same URI.
    let both = resources(&["https://a.example", "https://a.example/"]).unwrap();
    for exact in ["https://a.example", "https://a.example/"] {
        assert_eq!(both.audience(OWN, exact), Ok(exact));
    }
    // An audience need not be a URI.
    assert_eq!(Resources::default().audience("orders*", "orders*"), Ok("orders*"));
}

#[test]
fn s_1001_every_other_resource_is_rejected_with_its_cause() {
    let listed = listed();
    for (error, requested) in [
        (TargetError::NotAbsolute, &["", "x", "/v1", "//api.example.com/v1", ":x", "1a:x", "a b:x", "a:"][..]),
        (TargetError::NotAbsolute, &["https:", "https:x", "https:/api.example.com/v1", "https://", "https:///v1"]),
        (
            TargetError::NotAbsolute,
            &["https://:443/", "HTTP:x", "urn:a b", "urn:\u{fc}", "urn:a\\b", "urn:%2", "urn:%zz"],
        ),
        (TargetError::NotAbsolute, &["a b#c", "#c", "https://files.example.com/tenants/a\\b", "https://a|b/"]),
        (TargetError::HasFragment, &["https://api.example.com/v1#", "https://api.example.com/v1#a", "urn:x#y z"]),
        (
            TargetError::NotListed,
            &["https://api.example.com/v2", "https://api.example.com/v1/", "https://api.example.com/"],
        ),
        (
            TargetError::NotListed,
            &["https://API.example.com/v1", "HTTPS://api.example.com/v1", "https://mcp.example.com//"],
        ),
        (
            TargetError::NotListed,
            &["https://api.example.com:443/v1", "https://api.example.com/v1?a", "urn:example:Orders"],
        ),
        (TargetError::NotListed, &["https://files.example.com/tenants", "https://files.example.com/tenant/7"]),
        (TargetError::NotListed, &["https://files.example.com/tenants/*", "https://files.example.com/tenants/7/*"]),
        (
            TargetError::NotListed,
            &["https://files.example.com/tenants/%2e%2e", "https://files.example.com/tenants/7?a=b"],
        ),
        (TargetError::NotListed, &["https://files.example.com/tenants//7", "https://files.example.com/tenants/7//8"]),
        (TargetError::NotListed, &["https://files.example.com/tenants/..", "https://files.example.com/tenants/../7"]),
        (TargetError::NotListed, &["https://files.example.com/tenants/./7", "https://files.example.com/tenants/7/."]),
        (TargetError::NotListed, &["https://all.example.com.evil.example/x", "https://all.example.com?x"]),
        (
            TargetError::NotListed,
            &["https://all.example.com:8443/x", "https://user@all.example.com/x", "https://evil.example"],
        ),
    ] {
        for requested in requested {
            assert_eq!(listed.audience(OWN, requested), Err(error), "{requested}");
        }
    }
    assert_eq!(Resources::default().audience(OWN, "https://api.example.com/v1"), Err(TargetError::NotListed));
}

#[test]
fn a_record_has_only_absolute_uris_and_prefixes_of_paths() {
    for entry in [
        "https://a.example",
        "https://a.example:8443/x?y=z",
        "https://a.example/*",
        "https://a.example/x/*",
        "http://127.0.0.1/x",
        "http://127.0.0.1:9000/*",
        "http://[::1]:9000",
        "http://localhost",
        "urn:example:orders",
        "api://orders",
    ] {
        assert!(resources(&[entry]).is_ok(), "{entry}");
    }
    for entry in [
        "",
        "orders",
        "*",
        "https://*",
        "https://*.example",
        "https://a.example*",
        "https://a.example/x*",
        "https://a.example/*/x",
        "https://a.example/x*/*",
        "https://a.example/**",
        "https://a.example/x?y=/*",
        "https://user@a.example/*",
        "https://a.example/x#y",
        "https://a.example/\u{fc}",
        "https://a.example/a b",
        "http://a.example/x",
        "HTTP://a.example/x",
        "http://127.0.0.1.example/x",
        "http://127.0.0.1@a.example/x",
        "http://a.example@localhost.evil.example",
        "http://localhost:80@a.example",
        "urn:example:*",
        "urn:x/*",
    ] {
        assert_eq!(resources(&[entry]), Err(ResourceError::Malformed(entry.to_owned())), "{entry}");
    }
    let long = |length: usize| format!("https://a.example/{}", "x".repeat(length - "https://a.example/".len()));
    assert!(resources(&[&long(MAX_RESOURCE_BYTES)]).is_ok());
    assert!(resources(&[&long(MAX_RESOURCE_BYTES + 1)]).is_err());
    let many = |count: usize| (0..count).map(|number| format!("urn:x:{number}")).collect::<BTreeSet<_>>();
    assert!(Resources::try_from(many(MAX_RESOURCES)).is_ok());
    assert_eq!(Resources::try_from(many(MAX_RESOURCES + 1)), Err(ResourceError::TooMany));
}
