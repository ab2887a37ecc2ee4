//! Verification of access tokens: an issued token is valid, and each problem of another one is found.

use countersign::keys::SigningAlgorithm;
use countersign::token::verify::{Form, JwkSet, Part, Problem, inspect};
use serde_json::{Value, json};

use testing::{CLIENT_CREDENTIALS, ISSUER, NOW, SERVICE, TestApp, changed_token, form};

const HOUR: u64 = 3_600;
/// The lifetime of the service's tokens.
const TTL: u64 = 43_200;

/// Returns a token of this version.
async fn token(test: &TestApp, version: u8) -> String {
    let request = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1);
    let response = test.send(request.header("accept", &format!("version={version}")).post()).await;
    response.body["access_token"].as_str().unwrap().to_owned()
}

async fn keys(test: &TestApp) -> JwkSet {
    let request = axum::http::Request::get("/.well-known/jwks.json").body(axum::body::Body::empty());
    serde_json::from_value(test.send(request.unwrap()).await.body).unwrap()
}

#[tokio::test]
async fn an_issued_token_of_either_version_is_valid_until_it_expires() {
    let test = TestApp::start().await;
    let keys = keys(&test).await;
    for version in [1, 2] {
        let token = token(&test, version).await;
        for (now, problems) in [
            (NOW - 61, vec![Problem::NotYetValid(61)]),
            (NOW - 60, vec![]),
            (NOW, vec![]),
            (NOW + TTL - 1, vec![]),
            (NOW + TTL, vec![Problem::Expired(0)]),
            (NOW + TTL + HOUR, vec![Problem::Expired(HOUR)]),
        ] {
            let inspection = inspect(&token, ISSUER, Some(&keys), now);
            assert_eq!((inspection.is_valid(), inspection.problems), (problems.is_empty(), problems));
            assert_eq!(inspection.version.map(countersign::token::TokenVersion::number), Some(version));
            assert_eq!(inspection.claims.unwrap()["iss"], ISSUER);
        }
        assert_eq!(inspect(&token, ISSUER, None, NOW).problems, [Problem::NotVerified]);
        let other = format!("{ISSUER}/");
        assert_eq!(inspect(&token, &other, Some(&keys), NOW).problems, [Problem::Issuer]);
    }
}

#[tokio::test]
async fn each_problem_of_the_header_and_the_signature_is_found() {
    let test = TestApp::start().await;
    let (keys, token) = (keys(&test).await, token(&test, 2).await);
    let set = |name: &'static str, value: Value| changed_token(&token, |header, _| header[name] = value);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    for (token, problems) in [
        (set("alg", json!("none")), vec![Problem::Unsigned]),
        (set("alg", json!("None")), vec![Problem::Unsigned]),
        (set("alg", json!("HS256")), vec![Problem::Hmac]),
        (set("alg", json!("PS256")), vec![Problem::OtherAlgorithm(SigningAlgorithm::Es256)]),
        (set("alg", Value::Null), vec![Problem::NoAlgorithm]),
        (set("kid", Value::Null), vec![Problem::NoKid]),
        (set("kid", json!("other")), vec![Problem::UnknownKey]),
        (set("crit", json!(["b64"])), vec![Problem::Critical, Problem::Signature]),
        (set("jwk", json!({})), vec![Problem::OtherHeader, Problem::Signature]),
        (set("typ", json!("logout+jwt")), vec![Problem::Type, Problem::Signature]),
        (format!("{message}.!"), vec![Problem::SignatureEncoding]),
        (format!("{message}."), vec![Problem::Signature]),
        (format!("!.{claims}.{signature}"), vec![Problem::Encoding(Part::Header)]),
        (format!("{header}.W10.{signature}"), vec![Problem::Signature, Problem::NotAnObject(Part::Payload)]),
        (message.to_owned(), vec![Problem::Parts(2)]),
        (format!("{token}.{token}"), vec![Problem::Parts(6)]),
        (String::new(), vec![Problem::Parts(1)]),
    ] {
        assert_eq!(inspect(&token, ISSUER, Some(&keys), NOW).problems, problems, "{token}");
    }
}

#[tokio::test]
async fn each_problem_of_the_claims_is_found() {
    let test = TestApp::start().await;
    let keys = keys(&test).await;
    for (version, name, form) in [
        (2, "iss", Form::Text),
        (2, "aud", Form::Text),
        (2, "sub", Form::Text),
        (2, "client_id", Form::Text),
        (2, "scope", Form::Scope),
        (2, "jti", Form::Text),
        (2, "iat", Form::Time),
        (2, "nbf", Form::Time),
        (2, "exp", Form::Time),
        (1, "scopes", Form::Scopes),
    ] {
        let token = token(&test, version).await;
        let wrong = changed_token(&token, |_, claims| claims[name] = json!([1]));
        let problems = inspect(&wrong, ISSUER, Some(&keys), NOW).problems;
        assert_eq!(problems, [Problem::Signature, Problem::Form(name, form)], "{name}");
        let missing = changed_token(&token, |_, claims| drop(claims.as_object_mut().unwrap().remove(name)));
        let problems = inspect(&missing, ISSUER, Some(&keys), NOW).problems;
        assert_eq!(problems, [Problem::Signature, Problem::Missing(name)], "{name}");
    }
    for cnf in [json!("x"), json!({}), json!({"jkt": 1}), json!({"jkt": "x", "other": "y"}), json!({"other": "y"})] {
        let wrong = changed_token(&token(&test, 2).await, |_, claims| claims["cnf"] = cnf);
        let problems = inspect(&wrong, ISSUER, Some(&keys), NOW).problems;
        assert_eq!(problems, [Problem::Signature, Problem::Form("cnf", Form::Confirmation)]);
    }
    let backwards = changed_token(&token(&test, 2).await, |_, claims| claims["exp"] = json!(NOW));
    let problems = inspect(&backwards, ISSUER, Some(&keys), NOW - 1).problems;
    assert_eq!(problems, [Problem::Signature, Problem::ExpiresBeforeIssue]);
}
