//! The checks of an authorization request that need only the request and the client, in their order.

use countersign::authorization::{AuthorizationRequest, DEFINED, Prompt, Rejection, client_id};
use countersign::client::Client;
use countersign::error::Error;
use countersign::http::request::form;
use countersign::params::Received;
use serde_json::{Value, json};

use testing::{ISSUER, form_body};

mod query;

const CALLBACK: &str = "https://crm.example/cb?tenant=7";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A valid request.
const VALID: [(&str, &str); 7] = [
    ("response_type", "code"),
    ("client_id", "crm"),
    ("redirect_uri", CALLBACK),
    ("scope", "openid legacy:read"),
    ("state", "a b"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

/// The client, with other attributes.
fn client(attributes: &Value) -> Client {
    let mut client = json!({"client_id": "crm", "enabled": true, "grant_types": ["authorization_code"],
        "scopes": ["openid", "legacy:*"], "resources": ["https://api.example.com", "https://mcp.example.com/*"], "default_scopes": ["legacy:read"],
        "redirect_uris": [CALLBACK, "http://127.0.0.1/cb"]});
    client.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    serde_json::from_value(client).unwrap()
}

/// The valid request with these parameters, which replace those of the same name. An empty value removes one.
fn with<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    let kept = VALID.into_iter().filter(|(name, _)| !is_changed(name));
    kept.chain(changes.iter().copied().filter(|(_, value)| !value.is_empty())).collect()
}

fn received(params: &[(&str, &str)]) -> Received {
    form::receive(form_body(params).as_bytes(), DEFINED).unwrap()
}

fn check_for(client: &Client, params: &[(&str, &str)]) -> Result<AuthorizationRequest, Rejection> {
    AuthorizationRequest::check(&received(params), Some(client), ISSUER)
}

fn check(changes: &[(&str, &str)]) -> Result<AuthorizationRequest, Rejection> {
    check_for(&client(&json!({})), &with(changes))
}

/// Returns the URL of the error response of a request that is rejected after its redirect URI is proven.
fn location(result: Result<AuthorizationRequest, Rejection>) -> String {
    match result {
        Err(Rejection::Error(to, error)) => to.with_error(&error, ISSUER),
        other => panic!("{other:?}"),
    }
}

/// Asserts an error of a redirect to the client, with the state of the request.
#[track_caller]
fn assert_error(result: Result<AuthorizationRequest, Rejection>, error: &str) {
    let location = location(result);
    assert!(location.starts_with(&format!("{CALLBACK}&error={error}&error_description=")), "{location}");
    assert!(location.ends_with("&state=a+b&iss=https%3A%2F%2Fauth.example"), "{location}");
}

#[test]
fn a_valid_request_has_its_values() {
    let request = check(&[("nonce", "n"), ("max_age", "60"), ("prompt", "consent login"), ("unknown", "1")]).unwrap();
    assert_eq!(request.return_address.redirect_uri.as_str(), CALLBACK);
    assert_eq!(request.return_address.state.as_deref(), Some("a b"));
    assert_eq!(request.scope.to_string(), "openid legacy:read");
    assert_eq!(request.code_challenge.clone().map(String::from).as_deref(), Some(CHALLENGE));
    assert_eq!((request.nonce(), request.max_age, &request.resource), (Some("n"), Some(60), &None));
    assert!(request.prompt.login && request.prompt.consent && !request.prompt.none);
    assert_eq!((request.login_hint(), request.id_token_hint()), (None, None));

    let request =
        check(&[("scope", ""), ("login_hint", "j\u{f6}"), ("id_token_hint", "x"), ("ui_locales", "de")]).unwrap();
    assert_eq!(request.scope.to_string(), "legacy:read");
    assert_eq!((request.nonce(), request.max_age, request.prompt), (None, None, Prompt::default()));
    assert_eq!((request.login_hint(), request.id_token_hint()), (Some("j\u{f6}"), Some("x")));
}

#[test]
fn s_802_a_request_without_a_proven_client_or_redirect_uri_is_not_redirected() {
    let is_client_error = |result| matches!(result, Err(Rejection::Client));
    for id in ["", "a\u{e4}", "a\n", &"a".repeat(257)] {
        assert_eq!(client_id(&received(&with(&[("client_id", id)]))), None, "{id:?}");
    }
    let longest = "a".repeat(256);
    assert_eq!(client_id(&received(&with(&[("client_id", &longest)]))), Some(&*longest));
    let twice = with(&[("client_id", "crm"), ("client_id", "crm")]);
    assert_eq!(client_id(&received(&twice)), None);
    assert!(is_client_error(AuthorizationRequest::check(&received(&VALID), None, ISSUER)));
    assert!(is_client_error(check_for(&client(&json!({"enabled": false})), &VALID)));

    let is_uri_error = |result| matches!(result, Err(Rejection::RedirectUri));
    assert!(is_uri_error(check(&[("redirect_uri", "")])));
    assert!(is_uri_error(check(&[("redirect_uri", "https://crm.example/cb")])));
    assert!(is_uri_error(check(&[("redirect_uri", "https://evil.example/cb")])));
    assert!(is_uri_error(check(&[("redirect_uri", CALLBACK), ("redirect_uri", CALLBACK)])));
    assert!(is_uri_error(check(&[("redirect_uri", CALLBACK), ("redirect_uri", "https://evil.example/cb")])));
    // An empty value counts as an occurrence.
    let empty = [VALID.as_slice(), &[("redirect_uri", "")]].concat();
    assert!(is_uri_error(check_for(&client(&json!({})), &empty)));
    assert!(is_uri_error(check_for(&client(&json!({"redirect_uris": []})), &VALID)));
}

#[test]
fn a_loopback_address_is_returned_with_the_port_of_the_request() {
    let request = check(&[("redirect_uri", "http://127.0.0.1:49152/cb")]).unwrap();
    assert_eq!(request.return_address.redirect_uri.as_str(), "http://127.0.0.1:49152/cb");
}

#[test]
fn s_803_a_response_has_its_parameters_in_order_with_state_and_iss() {
    let request = check(&[("state", "s&1")]).unwrap();
    let url = request.return_address.with_code("cs_ac_x", "https://auth.example/a");
    assert_eq!(url, format!("{CALLBACK}&code=cs_ac_x&state=s%261&iss=https%3A%2F%2Fauth.example%2Fa"));
    let url = request.return_address.with_error(&Error::access_denied(), ISSUER);
    let expected = "&error=access_denied&error_description=Access+is+denied.&state=s%261\
        &iss=https%3A%2F%2Fauth.example";
    assert_eq!(url, format!("{CALLBACK}{expected}"));
    let request = check(&[("state", "")]).unwrap();
    assert_eq!(request.return_address.with_code("c", "i"), format!("{CALLBACK}&code=c&iss=i"));
}

/// Each row has one error.
#[test]
fn s_804_each_check_has_its_error() {
    let (long_state, long_nonce, long_hint) = ("s".repeat(2049), "n".repeat(1025), "h".repeat(1025));
    let (long_token, long_locales, tokens) = ("t".repeat(4097), "l".repeat(257), "a ".repeat(101));
    for (changes, error) in [
        (&[("scope", "openid"), ("scope", "openid")][..], "invalid_request"),
        (&[("request", "a"), ("request", "b")], "invalid_request"),
        (&[("password", "a"), ("password", "b")], "invalid_request"),
        (&[("nonce", &long_nonce)], "invalid_request"),
        (&[("login_hint", &long_hint)], "invalid_request"),
        (&[("id_token_hint", &long_token)], "invalid_request"),
        (&[("ui_locales", &long_locales)], "invalid_request"),
        (&[("scope", &long_token)], "invalid_request"),
        (&[("scope", &tokens)], "invalid_request"),
        (&[("client_secret", "x")], "invalid_request"),
        (&[("password", "x")], "invalid_request"),
        (&[("code_verifier", "x")], "invalid_request"),
        (&[("request", "x")], "request_not_supported"),
        (&[("request_uri", "x")], "request_uri_not_supported"),
        (&[("registration", "x")], "registration_not_supported"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_type", "CODE")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("response_mode", "form_post")], "invalid_request"),
        (&[("scope", "admin")], "invalid_scope"),
        (&[("scope", "openid  legacy:read")], "invalid_scope"),
        (&[("scope", "legacy:*")], "invalid_scope"),
        (&[("resource", "x")], "invalid_target"),
        (&[("resource", "https://api.example.com/#x")], "invalid_target"),
        (&[("resource", "https://evil.example")], "invalid_target"),
        (&[("resource", "https://api.example.com"), ("resource", "https://api.example.com")], "invalid_target"),
        (&[("resource", &long_token)], "invalid_request"),
        (&[("resource", "https://api.example.com"), ("resource", &long_token)], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge", "a")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "s256")], "invalid_request"),
        (&[("nonce", "\u{e4}")], "invalid_request"),
        (&[("prompt", "create")], "invalid_request"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "consent none")], "invalid_request"),
        (&[("prompt", "login  consent")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("max_age", "+1")], "invalid_request"),
        (&[("max_age", "1.5")], "invalid_request"),
        (&[("max_age", "1234567890")], "invalid_request"),
    ] {
        assert_error(check(changes), error);
    }
    // A state that breaks its rule is not returned.
    for changes in [&[("state", &*long_state)][..], &[("state", "\n")], &[("state", "a"), ("state", "a")]] {
        let location = location(check(changes));
        assert!(location.contains("error=invalid_request") && !location.contains("&state"), "{location}");
    }
    assert_error(check_for(&client(&json!({"grant_types": ["refresh_token"]})), &VALID), "unauthorized_client");
    assert_error(check_for(&client(&json!({"default_scopes": null})), &with(&[("scope", "")])), "invalid_scope");
}

#[test]
fn values_at_their_limits_are_valid() {
    let (state, nonce, hint) = ("s".repeat(2048), "n".repeat(1024), "h".repeat(1024));
    let (token, locales) = ("t".repeat(4096), "l".repeat(256));
    for changes in [
        &[("state", &*state)][..],
        &[("nonce", &nonce)],
        &[("login_hint", &hint)],
        &[("id_token_hint", &token)],
        &[("ui_locales", &locales)],
        &[("max_age", "0"), ("prompt", "none")],
        &[("max_age", "999999999")],
        &[("response_mode", "query")],
        &[("prompt", "none")],
        &[("prompt", "none none")],
        &[("prompt", "login consent select_account")],
        &[("client_secret", ""), ("request", "")],
    ] {
        let result = check(changes);
        assert!(result.is_ok(), "{changes:?}: {:?}", result.err());
    }
}

/// Of two errors, the one of the earlier step decides.
#[test]
fn s_804_the_first_error_in_the_order_of_checks_decides() {
    let long_nonce = "n".repeat(1025);
    let rows: [(&[(&str, &str)], &str); 9] = [
        (&[("login_hint", "a"), ("login_hint", "b")], "The parameter login_hint is repeated."),
        (&[("nonce", &long_nonce)], "The nonce is too long."),
        (&[("password", "x")], "The parameter password does not belong in a browser."),
        (&[("request", "x")], "The parameter request is not supported."),
        (&[("request_uri", "x")], "The parameter request_uri is not supported."),
        (&[("response_type", "token")], "The response_type is not code."),
        (&[("response_mode", "fragment")], "The response_mode is not query."),
        (&[("scope", "admin")], "A scope is unknown or not allowed."),
        (&[("resource", "https://evil.example")], "The resource is unknown or not allowed."),
    ];
    let mut later: Vec<(&str, &str)> = vec![("code_challenge_method", "plain"), ("prompt", "x"), ("max_age", "x")];
    for (changes, description) in rows.iter().rev() {
        later.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let all = [*changes, &later].concat();
        match check(&all) {
            Err(Rejection::Error(_, error)) => assert_eq!(error.description().unwrap().to_string(), *description),
            other => panic!("{all:?}: {other:?}"),
        }
        later = all;
    }
    // An unproven redirect URI precedes all of them, an unproven client precedes the redirect URI.
    let all = with(&[later.as_slice(), &[("redirect_uri", "https://evil.example/")]].concat());
    assert!(matches!(check_for(&client(&json!({})), &all), Err(Rejection::RedirectUri)));
    assert!(matches!(check_for(&client(&json!({"enabled": false})), &all), Err(Rejection::Client)));
}

/// S-805: without a challenge only if the client's record allows it.
#[test]
fn s_805_a_challenge_is_required_unless_the_record_says_otherwise() {
    let confidential = client(
        &json!({"require_pkce": false, "secrets": [{"hash": "$sha256$xNmwMOtQVKXbnHZL0Z+ro9MFmRLeH4Gr4ijc9IplPPk"}]}),
    );
    let without = with(&[("code_challenge", ""), ("code_challenge_method", "")]);
    assert!(check_for(&confidential, &without).unwrap().code_challenge.is_none());
    assert!(check_for(&confidential, &VALID).unwrap().code_challenge.is_some());
    assert_error(check_for(&confidential, &with(&[("code_challenge", "")])), "invalid_request");
    assert_error(check_for(&confidential, &with(&[("code_challenge_method", "plain")])), "invalid_request");
    assert_error(check_for(&confidential, &with(&[("code_challenge_method", "")])), "invalid_request");
}

#[test]
fn unknown_parameters_may_be_repeated() {
    for name in ["claims", "acr_values", "display", "claims_locales", "authorization_details", "x"] {
        check(&[(name, "1"), (name, "2")]).unwrap();
    }
}

#[test]
fn a_resource_is_an_audience_of_the_client() {
    for (requested, audience) in [
        ("https://api.example.com/", "https://api.example.com"),
        ("https://mcp.example.com/a", "https://mcp.example.com/a"),
        (ISSUER, ISSUER),
    ] {
        let request = check(&[("resource", requested)]).unwrap();
        assert_eq!(request.resource.as_deref(), Some(audience));
        // An empty value counts as absent.
        let with_empty = [&with(&[("resource", requested)])[..], &[("resource", "")]].concat();
        assert_eq!(check_for(&client(&json!({})), &with_empty).unwrap().query(), request.query());
    }
}

#[test]
fn max_age_0_is_a_login() {
    let request = check(&[("max_age", "0")]).unwrap();
    assert!(request.prompt.login && request.max_age.is_none());
    let request = check(&[("max_age", "1")]).unwrap();
    assert!(!request.prompt.login && request.max_age == Some(1));
    assert!(check(&[("prompt", "select_account")]).unwrap().prompt.login);
}
