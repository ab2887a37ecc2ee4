//! The canonical query, and the decoding of a request.

use countersign::authorization::{DEFINED, MAX_QUERY_BYTES};
use countersign::http::request::form;

use super::{VALID, check, location, with};
use testing::form_body;

#[test]
fn the_canonical_query_has_all_parameters_in_a_fixed_order() {
    let request = check(&[
        ("ui_locales", "de en"),
        ("id_token_hint", "a.b.c"),
        ("login_hint", "j\u{f6}@example"),
        ("max_age", "60"),
        ("prompt", "login consent"),
        ("nonce", "n"),
        ("state", "a&b=*"),
        ("resource", "https://api.example.com/"),
        ("response_mode", "query"),
        ("unknown", "x"),
    ]);
    let expected = "client_id=crm&redirect_uri=https%3A%2F%2Fcrm.example%2Fcb%3Ftenant%3D7&response_type=code\
        &response_mode=query&scope=openid+legacy%3Aread&resource=https%3A%2F%2Fapi.example.com%2F&state=a%26b%3D*&nonce=n\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
        &prompt=login+consent&max_age=60&login_hint=j%C3%B6%40example&id_token_hint=a.b.c&ui_locales=de+en";
    assert_eq!(request.unwrap().query().to_string(), expected);
}

#[test]
fn the_canonical_query_is_a_request_with_the_same_canonical_query() {
    let request = check(&[("state", "\u{20}+%/&=~"), ("login_hint", "\u{1f600}\0\r\n")]).unwrap();
    let query = request.query().to_string();
    let pairs = form::receive(query.as_bytes(), DEFINED).unwrap();
    let again = countersign::authorization::AuthorizationRequest::check(
        &pairs,
        Some(&super::client(&serde_json::json!({}))),
        testing::ISSUER,
    );
    assert_eq!(again.unwrap().query().to_string(), query);
}

#[test]
fn a_query_over_its_limit_is_an_error_at_the_client() {
    let base = check(&[("login_hint", "a"), ("id_token_hint", "a")]).unwrap().query().to_string().len();
    let hint = |length: usize| {
        let (login, token) = ("a".repeat(1024), "a".repeat(length));
        check(&[("login_hint", &login), ("id_token_hint", &token)])
    };
    let rest = MAX_QUERY_BYTES - base - 1023;
    assert!(rest > 4096, "the parameters do not reach the limit");
    let state = "a".repeat(2048);
    let with_state = |length: usize| {
        let token = "a".repeat(length);
        check(&[("state", &state), ("id_token_hint", &token)])
    };
    hint(4096).unwrap();
    let base = with_state(1).unwrap().query().to_string().len();
    let largest = MAX_QUERY_BYTES - base + 1;
    assert_eq!(with_state(largest).unwrap().query().to_string().len(), MAX_QUERY_BYTES);
    // Another account needs `&prompt=login` in the query.
    assert!(with_state(largest).unwrap().query().with_login().is_none());
    let with_login = with_state(largest - "&prompt=login".len()).unwrap().query().with_login().unwrap();
    assert_eq!(with_login.to_string().len(), MAX_QUERY_BYTES);
    let location = location(with_state(largest + 1));
    assert!(location.contains("error=invalid_request&error_description=The+request+is+too+long.&state=aa"));
}

#[test]
fn a_login_removes_what_would_require_another_one() {
    for (prompt, after) in [
        ("login", ""),
        ("select_account", ""),
        ("login consent", "&prompt=consent"),
        ("consent select_account", "&prompt=consent"),
        ("consent", "&prompt=consent"),
        ("none", "&prompt=none"),
    ] {
        for max_age in ["", "0", "60"] {
            let request = check(&[("prompt", prompt), ("max_age", max_age), ("ui_locales", "de")]).unwrap();
            let query = request.query().after_login().to_string();
            assert!(query.ends_with(&format!("&code_challenge_method=S256{after}&ui_locales=de")), "{query}");
        }
    }
    for (prompt, with_login) in [("", "&prompt=login"), ("consent", "&prompt=consent+login")] {
        let query = check(&[("prompt", prompt)]).unwrap().query().with_login().unwrap().to_string();
        assert!(query.ends_with(&format!("&code_challenge_method=S256{with_login}")), "{query}");
    }
}

/// The decoding is that of all forms: strict, with limits.
#[test]
fn a_request_that_cannot_be_decoded_is_an_error() {
    let query = form_body(&VALID);
    for malformed in ["%", "%zz", "state=%ff", "a=%c3", &"&a=1".repeat(65), &format!("{}=1", "a".repeat(65))] {
        assert!(form::receive(format!("{query}&{malformed}").as_bytes(), DEFINED).is_err(), "{malformed}");
    }
    for valid in ["", "a", "=", "&&", &"&a=1".repeat(57), &format!("{}=1", "a".repeat(64)), "client_id=again"] {
        assert!(form::receive(format!("{query}&{valid}").as_bytes(), DEFINED).is_ok(), "{valid}");
    }
    assert_eq!(with(&[]).len(), 7);
}
