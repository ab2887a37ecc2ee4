//! Tokens that are bound to a certificate (RFC 8705 section 3).

use serde_json::{Value, json};

use super::{Certificate, DOMAIN, change, pem, request, send, started, with_certificate};
use testing::{
    APPLICATION, CLIENT_CREDENTIALS, CODE_CLIENT, ClientKeyPair, NOW, PASSWORD, SERVICE, TestApp, browser_login,
    browser_refresh, exchange, form, raw_form, with_pages,
};

/// Returns the `cnf` of a token that is bound to a certificate.
fn cnf(name: &str) -> Value {
    serde_json::to_value(Certificate::read(&pem(name)).unwrap().confirmation()).unwrap()
}

fn bound() -> Value {
    json!({"tls_client_certificate_bound_access_tokens": true})
}

#[tokio::test]
async fn s_1018_a_token_is_bound_to_the_certificate_of_its_request() {
    let test = started().await;
    change(&test, &bound());
    let response = send(&test, "certified").await;
    let claims = response.assert_issued(2);
    assert_eq!(claims.0["cnf"], cnf("certified"));
    assert_eq!(claims.0["cnf"].as_object().unwrap().keys().collect::<Vec<_>>(), ["x5t#S256"]);
    assert_eq!(response.body["token_type"], "Bearer");
    test.change_client(APPLICATION.0, &json!({"introspects": ["*"]}));
    let token = response.access_token();
    let introspected =
        test.send(form(&[("token", &token)]).basic(APPLICATION.0, APPLICATION.1).to("POST", "/oauth/introspect"));
    let introspected = introspected.await.body;
    assert_eq!((&introspected["cnf"], &introspected["token_type"]), (&cnf("certified"), &json!("Bearer")));

    // With any credential, and a certificate that has any name.
    change(&test, &json!({"token_endpoint_auth_method": null, "tls_client_certificate_bound_access_tokens": true}));
    let with_secret = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1).post();
    let claims = test.send(with_certificate(with_secret, "other-subject")).await.assert_issued(2);
    assert_eq!(claims.0["cnf"], cnf("other-subject"));
}

#[tokio::test]
async fn s_1019_a_client_that_requires_its_certificate_gets_no_other_token() {
    let test = started().await;
    change(
        &test,
        &json!({
            "token_endpoint_auth_method": null, "revoked_serials": ["abc"], "tls_client_certificate_bound_access_tokens": true,
        }),
    );
    let key = ClientKeyPair::generate("ES256");
    let with_secret = || form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1);
    test.send(with_secret().post()).await.assert_error(400, "invalid_request");
    test.send(with_secret().header("dpop", &key.proof(&test)).post()).await.assert_error(400, "invalid_request");
    for name in ["revoked", "expired", "server-only"] {
        test.send(with_certificate(with_secret().post(), name)).await.assert_error(400, "invalid_request");
    }
    let with_proof = with_secret().header("dpop", &key.proof(&test)).post();
    test.send(with_certificate(with_proof, "certified")).await.assert_error(400, "invalid_request");
    let version_1 = with_secret().header("accept", "version=1").post();
    test.send(with_certificate(version_1, "certified")).await.assert_error(400, "invalid_request");
    test.send(with_certificate(with_secret().post(), "certified")).await.assert_issued(2);
}

#[tokio::test]
async fn s_1022_a_refresh_token_of_a_public_client_works_with_its_certificate_only() {
    let test = started().await;
    test.put_browser_app_with(&bound());
    test.send(browser_login(PASSWORD).post()).await.assert_error(400, "invalid_request");
    let login = test.send(with_certificate(browser_login(PASSWORD).post(), "certified")).await;
    assert_eq!(login.assert_issued(2).0["cnf"], cnf("certified"));
    let cookie = login.cookie().unwrap().1.to_owned();
    let refresh = || browser_refresh(&cookie);
    test.send(refresh().post()).await.assert_error(400, "invalid_request");
    test.send(with_certificate(refresh().post(), "other-subject")).await.assert_error(400, "invalid_grant");
    test.put_browser_app();
    test.send(refresh().post()).await.assert_error(400, "invalid_request");
    let key = ClientKeyPair::generate("ES256");
    let with_proof = refresh().header("dpop", &key.proof(&test)).post();
    test.send(with_proof).await.assert_error(400, "invalid_grant");
    test.put_browser_app_with(&bound());
    let refreshed = test.send(with_certificate(refresh().post(), "certified")).await;
    assert_eq!(refreshed.assert_issued(2).0["cnf"], cnf("certified"));
}

/// A caller may make its proof for either domain. Audiences of assertions do not change.
#[tokio::test]
async fn a_proof_may_name_the_endpoint_at_the_other_domain() {
    let test = started().await;
    let key = ClientKeyPair::generate("ES256");
    for (domain, is_valid) in [(DOMAIN, true), ("auth.example", true), ("other.example", false)] {
        let mut claims = test.proof_claims();
        claims["htu"] = format!("https://{domain}/oauth/token").into();
        let with_proof =
            form(&[CLIENT_CREDENTIALS[0], ("client_id", SERVICE.0)]).header("dpop", &key.proof_of(&claims));
        let response = test.send(with_certificate(with_proof.post(), "certified")).await;
        if is_valid {
            assert_eq!(response.assert_issued(2).0["cnf"], json!({"jkt": key.thumbprint()}));
        } else {
            response.assert_error(400, "invalid_dpop_proof");
        }
    }
    change(
        &test,
        &json!({
            "jwks": [key.entry("first")], "legacy_audience": true, "token_endpoint_auth_method": "private_key_jwt",
        }),
    );
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let audience = format!("https://{DOMAIN}/oauth/token");
    let assertion = key.assertion(SERVICE.0, "1", &json!({"aud": audience, "exp": NOW + 60}));
    let params = [CLIENT_CREDENTIALS[0], ("client_assertion_type", kind), ("client_assertion", &assertion)];
    test.send(form(&params).post()).await.assert_error(401, "invalid_client");
    test.send(with_certificate(request(), "certified")).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_1023_userinfo_accepts_a_bound_token_only_with_its_certificate_which_is_not_revoked() {
    let test = TestApp::start_with(|config| {
        with_pages(config);
        config.mtls_domain = Some(DOMAIN.to_owned());
    })
    .await;
    test.put_code_client(&bound());
    let request = form(&exchange(&[("code", &test.code().await)])).basic(CODE_CLIENT.0, CODE_CLIENT.1).post();
    let token = test.send(with_certificate(request, "certified")).await.access_token();
    let bearer = format!("Bearer {token}");
    let request = || raw_form("").header("authorization", &bearer).to("GET", "/oauth/userinfo");
    test.send(request()).await.assert_bearer_error(401, "invalid_token");
    for name in ["other-subject", "expired"] {
        test.send(with_certificate(request(), name)).await.assert_bearer_error(401, "invalid_token");
    }
    assert_eq!(test.send(with_certificate(request(), "certified")).await.status, 200);
    let serial = Certificate::read(&pem("certified")).unwrap().serial;
    let mut revoked = bound();
    revoked["revoked_serials"] = json!([serial]);
    test.put_code_client(&revoked);
    test.send(with_certificate(request(), "certified")).await.assert_bearer_error(401, "invalid_token");
}
