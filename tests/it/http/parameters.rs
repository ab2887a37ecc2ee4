//! The limits and the grammar of each parameter (S-101).

use super::token::{assert_issued, assert_malformed, assert_rejected};
use testing::{APPLICATION, CLIENT_CREDENTIALS, PASSWORD, SERVICE, TestApp, USERNAME, form};

#[tokio::test]
async fn s_101_values_beyond_their_limits_or_grammar_are_rejected() {
    let test = TestApp::start().await;
    let password = |name: &str, value: &str| {
        let mut params = vec![("username", USERNAME), ("password", PASSWORD), ("scope", "legacy:a")];
        params.retain(|(known, _)| *known != name);
        params.extend([(name, value), ("grant_type", "password")]);
        form(&params).basic(APPLICATION.0, APPLICATION.1)
    };
    for (name, limit) in [("username", 1024), ("password", 4096)] {
        assert_rejected(&test, name, password(name, &"a".repeat(limit)), (400, "invalid_grant")).await;
        assert_malformed(&test, name, password(name, &"a".repeat(limit + 1))).await;
        for character in ["\0", "\r", "\n"] {
            assert_malformed(&test, name, password(name, &format!("a{character}b"))).await;
        }
    }
    // The limits are in bytes.
    assert_malformed(&test, "bytes", password("username", &"\u{fc}".repeat(513))).await;

    let credentials = |id: &str, secret: &str| form(&CLIENT_CREDENTIALS).basic(id, secret);
    let in_body = |id: &str, secret: &str| {
        form(&[("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)])
    };
    for (id, secret) in
        [("a".repeat(256), "s".to_owned()), ("a".to_owned(), "s".repeat(1024)), (" ~".into(), " ~".into())]
    {
        assert_rejected(&test, &id, credentials(&id, &secret), (401, "invalid_client")).await;
        assert_rejected(&test, &id, in_body(&id, &secret), (401, "invalid_client")).await;
    }
    for (id, secret) in [
        ("a".repeat(257), "s".to_owned()),
        ("a".to_owned(), "s".repeat(1025)),
        ("\u{fc}".to_owned(), "s".to_owned()),
        ("a".to_owned(), "\u{7f}".to_owned()),
        ("a\tb".to_owned(), "s".to_owned()),
    ] {
        assert_malformed(&test, &id, in_body(&id, &secret)).await;
    }
    // In Basic the limits apply before the form-decoding. `client_auth/basic.rs` tests the characters.
    for (id, secret) in [("a".repeat(257), "s".to_owned()), ("a".to_owned(), "s".repeat(1025))] {
        assert_malformed(&test, &id, credentials(&id, &secret)).await;
    }
    let refresh = |token: &str| {
        form(&[("grant_type", "refresh_token"), ("refresh_token", token)]).basic(APPLICATION.0, APPLICATION.1)
    };
    assert_rejected(&test, "1 KiB", refresh(&"x".repeat(1024)), (400, "invalid_grant")).await;
    assert_malformed(&test, "more than 1 KiB", refresh(&"x".repeat(1025))).await;
    for token in ["\u{fc}", "a b", "\0", "cs_rt_", "cs_rt_AAAA", "cs_rt_!", "null"] {
        assert_rejected(&test, token, refresh(token), (400, "invalid_grant")).await;
    }
}

#[tokio::test]
async fn s_101_outer_spaces_of_a_username_are_ignored() {
    let test = TestApp::start().await;
    for username in
        [" john.smith@itccompliance.co.uk", "john.smith@itccompliance.co.uk   ", "  John.Smith@itccompliance.co.uk "]
    {
        test.password(username, PASSWORD).await.assert_issued(2);
    }
    for username in
        ["john.smith@itccompliance.co.uk\t", "john.smith @itccompliance.co.uk", "\u{a0}john.smith@itccompliance.co.uk"]
    {
        test.password(username, PASSWORD).await.assert_error(400, "invalid_grant");
    }
    for username in ["", " ", "   "] {
        test.password(username, PASSWORD).await.assert_error(400, "invalid_request");
    }
    // The limit includes the spaces. Outer spaces of a password count.
    test.password(&format!("{USERNAME}{}", " ".repeat(1024)), PASSWORD).await.assert_error(400, "invalid_request");
    test.password(USERNAME, &format!("{PASSWORD} ")).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_101_a_scope_is_a_list_of_allowed_tokens() {
    let test = TestApp::start().await;
    let scoped =
        |scope: &str| form(&[("grant_type", "client_credentials"), ("scope", scope)]).basic(SERVICE.0, SERVICE.1);
    for (requested, issued) in [
        ("legacy:autonomy.read", "legacy:autonomy.read"),
        ("legacy:autonomy.write legacy:autonomy.read", "legacy:autonomy.write legacy:autonomy.read"),
        (
            "legacy:autonomy.write legacy:autonomy.read legacy:autonomy.write",
            "legacy:autonomy.write legacy:autonomy.read",
        ),
        ("", "legacy:autonomy.read"),
    ] {
        let response = test.send(scoped(requested).post()).await;
        assert_eq!(response.assert_issued(2).0["scope"], issued);
    }
    for scope in [
        "admin",
        "legacy:autonomy.read admin",
        " legacy:autonomy.read",
        "legacy:autonomy.read ",
        "legacy:autonomy.read  legacy:autonomy.write",
        "legacy:autonomy.read\tlegacy:autonomy.write",
        " ",
        "LEGACY:autonomy.read",
        "legacy:autonomy.*",
        "*",
        "\"",
        "\\",
        "\u{fc}",
        "\0",
    ] {
        assert_rejected(&test, scope, scoped(scope), (400, "invalid_scope")).await;
    }
    let many = |count: usize| vec!["legacy:autonomy.read"; count].join(" ");
    assert_issued(&test, "100 tokens", scoped(&many(100))).await;
    assert_malformed(&test, "101 tokens", scoped(&many(101))).await;
    let gaps = vec!["legacy:autonomy.read"; 60].join("  ");
    assert_rejected(&test, "60 tokens with gaps", scoped(&gaps), (400, "invalid_scope")).await;
    assert_rejected(&test, "4,096 bytes", scoped(&"a".repeat(4096)), (400, "invalid_scope")).await;
    assert_malformed(&test, "4,097 bytes", scoped(&"a".repeat(4097))).await;

    // A wildcard allows every scope that continues its prefix with at least one character.
    let wild = |scope: &str| {
        form(&[("grant_type", "client_credentials"), ("scope", scope)]).basic(APPLICATION.0, APPLICATION.1)
    };
    assert_issued(&test, "a scope that the wildcard allows", wild("legacy:x")).await;
    for scope in ["legacy:", "legacy", "legac:x", "legacy:*", "legacy:*.read", "legacy:a*b"] {
        assert_rejected(&test, scope, wild(scope), (400, "invalid_scope")).await;
    }
}
