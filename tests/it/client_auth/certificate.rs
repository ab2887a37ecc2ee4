//! Client certificates: `tls_client_auth`, and tokens that are bound to a certificate (S-1024 to S-1026).

use axum::body::Body;
use axum::http::Request;
use countersign::client_auth::certificate::Certificate;
use countersign::http::ClientCertificate;
use serde_json::{Value, json};

use super::assert_same;
use testing::{CLIENT_CREDENTIALS, ClientKeyPair, ISSUER, LogLines, NOW, Response, SERVICE, TestApp, form, with_pages};

mod binding;
mod headers;

const DOMAIN: &str = "mtls.auth.example";
const SUBJECT: &str = "CN=certified,O=Countersign Test";

/// Returns a test certificate as PEM. The file has no private keys.
fn pem(name: &str) -> String {
    let certificates: Value = serde_json::from_str(include_str!("certificate/certificates.json")).unwrap();
    certificates[name].as_str().unwrap().to_owned()
}

/// Returns a request as the gateway passes it on from the domain that requires certificates.
fn with_certificate(mut request: Request<Body>, name: &str) -> Request<Body> {
    request.extensions_mut().insert(ClientCertificate(pem(name)));
    request
}

/// Starts a deployment with the domain, whose service has a certificate.
async fn started() -> TestApp {
    let test = TestApp::start_with(|config| config.mtls_domain = Some(DOMAIN.to_owned())).await;
    change(&test, &json!({}));
    test
}

/// Stores the service with its certificate and these changes; `null` removes an attribute.
fn change(test: &TestApp, changes: &Value) {
    let mut record = json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": SUBJECT});
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    test.change_client(SERVICE.0, &record);
}

/// Returns a token request that has only the id of the service.
fn request() -> Request<Body> {
    form(&[CLIENT_CREDENTIALS[0], ("client_id", SERVICE.0)]).post()
}

async fn send(test: &TestApp, name: &str) -> Response {
    test.send(with_certificate(request(), name)).await
}

#[tokio::test]
async fn a_certificate_with_the_name_of_the_record_proves_the_client() {
    let test = started().await;
    let log = LogLines::collect();
    let claims = send(&test, "certified").await.assert_issued(2);
    assert_eq!((&claims.0["sub"], &claims.0["cnf"]), (&json!(SERVICE.0), &Value::Null));
    assert_eq!(log.lines()[0]["secret_id"], "1001");
    for name in ["same-subject", "without-usage"] {
        send(&test, name).await.assert_issued(2);
    }
    for (attribute, name) in [
        ("tls_client_auth_san_dns", "a.example"),
        ("tls_client_auth_san_dns", "b.example"),
        ("tls_client_auth_san_uri", "spiffe://a.example/b"),
    ] {
        let mut record = json!({"tls_client_auth_subject_dn": null});
        record[attribute] = name.into();
        change(&test, &record);
        send(&test, "names").await.assert_issued(2);
        send(&test, "certified").await.assert_error(401, "invalid_client");
    }
}

#[tokio::test]
async fn s_1025_a_revoked_serial_another_name_and_another_issuer_are_401() {
    let test = started().await;
    let issuer = "CN=Test CA 1,O=Countersign Test";
    change(&test, &json!({"tls_client_auth_issuer_dn": issuer, "revoked_serials": ["abc", "fff"]}));
    let log = LogLines::collect();
    let mut responses = Vec::new();
    for (name, reason) in [
        ("revoked", "a revoked certificate"),
        ("other-subject", "a certificate with another name"),
        ("reversed-subject", "a certificate with another name"),
        ("names", "a certificate with another name"),
        ("other-issuer", "a certificate of another issuer"),
        ("server-only", "a certificate that is not for client authentication"),
        ("any-usage", "a certificate that is not for client authentication"),
        ("expired", "a certificate outside its validity"),
        ("not-yet-valid", "a certificate outside its validity"),
    ] {
        responses.push(send(&test, name).await);
        let line = log.lines().pop().unwrap();
        assert_eq!((&line["reason"], &line["secret_id"]), (&json!(reason), &Value::Null), "{name}");
    }
    for pem in ["", "x", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"] {
        let mut request = request();
        request.extensions_mut().insert(ClientCertificate(pem.to_owned()));
        responses.push(test.send(request).await);
    }
    responses.push(test.send(request()).await);
    responses.push(test.form((SERVICE.0, "wrong"), &CLIENT_CREDENTIALS).await);
    send(&test, "certified").await.assert_issued(2);
    change(&test, &json!({"enabled": false}));
    responses.push(send(&test, "certified").await);
    assert_same(&responses);
}

#[tokio::test]
async fn s_1025_a_name_is_compared_byte_for_byte() {
    let test = started().await;
    for (certificate, attribute, names) in [
        (
            "certified",
            "tls_client_auth_subject_dn",
            ["CN=Certified,O=Countersign Test", "CN=certified, O=Countersign Test"],
        ),
        ("names", "tls_client_auth_san_dns", ["A.example", "*.example"]),
        ("names", "tls_client_auth_san_uri", ["spiffe://A.example/b", "spiffe://a.example/b/"]),
    ] {
        for name in names {
            let mut record = json!({"tls_client_auth_subject_dn": null});
            record[attribute] = name.into();
            change(&test, &record);
            send(&test, certificate).await.assert_error(401, "invalid_client");
        }
    }
}

#[tokio::test]
async fn s_1025_only_the_certificate_of_a_tls_client_counts() {
    let test = started().await;
    let key = ClientKeyPair::generate("ES256");
    change(&test, &json!({"jwks": [key.entry("first")]}));
    let mut responses = Vec::new();
    for name in ["certified", "other-subject"] {
        for secret in [SERVICE.1, "wrong"] {
            let basic = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, secret).post();
            responses.push(test.send(with_certificate(basic, name)).await);
            let body = form(&[CLIENT_CREDENTIALS[0], ("client_id", SERVICE.0), ("client_secret", secret)]).post();
            responses.push(test.send(with_certificate(body, name)).await);
        }
        let assertion = key.assertion(SERVICE.0, name, &json!({}));
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let params = [CLIENT_CREDENTIALS[0], ("client_assertion_type", kind), ("client_assertion", &assertion)];
        responses.push(test.send(with_certificate(form(&params).post(), name)).await);
        // Without a client id, no record has the name.
        responses.push(test.send(with_certificate(form(&CLIENT_CREDENTIALS).post(), name)).await);
    }
    // Without the method, the name in the record does not count.
    change(&test, &json!({"token_endpoint_auth_method": null}));
    responses.push(send(&test, "certified").await);
    assert_same(&responses);
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
}

#[tokio::test]
async fn a_certificate_proves_the_client_at_every_endpoint() {
    let test = started().await;
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
        let request = || form(&[CLIENT_CREDENTIALS[0], ("client_id", SERVICE.0), ("token", "x")]).to("POST", path);
        assert_eq!(test.send(with_certificate(request(), "certified")).await.status, 200, "{path}");
        test.send(with_certificate(request(), "other-subject")).await.assert_error(401, "invalid_client");
        test.send(request()).await.assert_error(401, "invalid_client");
    }
}

#[tokio::test]
async fn s_709_a_tls_client_without_exactly_one_name_is_malformed() {
    let test = started().await;
    for changes in [
        json!({"tls_client_auth_subject_dn": null}),
        json!({"tls_client_auth_subject_dn": ""}),
        json!({"tls_client_auth_issuer_dn": ""}),
        json!({"tls_client_auth_san_dns": "a.example"}),
        json!({"tls_client_auth_san_uri": "spiffe://a.example/b"}),
        json!({"revoked_serials": ["ABC"]}),
        json!({"revoked_serials": ["0abc"]}),
        json!({"revoked_serials": ["a:bc"]}),
        json!({"dpop_bound_access_tokens": true, "tls_client_certificate_bound_access_tokens": true}),
    ] {
        change(&test, &changes);
        send(&test, "certified").await.assert_error(500, "server_error");
    }
    change(&test, &json!({}));
    send(&test, "certified").await.assert_issued(2);
}

#[tokio::test]
async fn s_1026_without_the_domain_there_are_no_certificates() {
    for domain in [None, Some(DOMAIN)] {
        let test = TestApp::start_with(|config| {
            config.mtls_domain = domain.map(ToOwned::to_owned);
            with_pages(config);
        })
        .await;
        let response = test.send(form(&[]).to("GET", "/.well-known/oauth-authorization-server")).await;
        let members: Vec<_> = ["tls_client_certificate_bound_access_tokens", "mtls_endpoint_aliases"]
            .map(|name| response.body[name].clone())
            .into();
        let has_method = |name: &str| {
            let name = format!("{name}_endpoint_auth_methods_supported");
            response.body[name].as_array().unwrap().contains(&json!("tls_client_auth"))
        };
        let methods = ["token", "revocation", "introspection"].map(has_method);
        assert_eq!((&response.body["issuer"], methods), (&json!(ISSUER), [domain.is_some(); 3]));
        change(&test, &json!({}));
        if domain.is_some() {
            let aliases = json!({
                "token_endpoint": "https://mtls.auth.example/oauth/token",
                "revocation_endpoint": "https://mtls.auth.example/oauth/revoke",
                "introspection_endpoint": "https://mtls.auth.example/oauth/introspect",
                "userinfo_endpoint": "https://mtls.auth.example/oauth/userinfo",
            });
            assert_eq!(members, [json!(true), aliases]);
            send(&test, "certified").await.assert_issued(2);
        } else {
            assert_eq!(members, [Value::Null, Value::Null]);
            send(&test, "certified").await.assert_error(401, "invalid_client");
            let bound = json!({"token_endpoint_auth_method": null, "tls_client_certificate_bound_access_tokens": true});
            change(&test, &bound);
            let request = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1).post();
            test.send(with_certificate(request, "certified")).await.assert_error(400, "invalid_request");
        }
    }
}

#[test]
fn s_1025_the_first_and_the_last_second_of_the_validity_count() {
    // 2029-01-01 and 2031-01-01.
    for (name, now, is_usable) in [
        ("expired", 1_861_920_000, true),
        ("expired", 1_861_920_001, false),
        ("not-yet-valid", 1_924_991_999, false),
        ("not-yet-valid", 1_924_992_000, true),
    ] {
        assert_eq!(Certificate::read(&pem(name)).unwrap().usable(now).is_ok(), is_usable, "{name} {now}");
    }
}

#[test]
fn names_are_written_as_in_rfc_4514() {
    let odd = Certificate::read(&pem("odd-subject")).unwrap();
    let parts = [
        "ST=#1e0200e9",
        r"L=Zürich\0a=",
        "1.2.840.113549.1.9.1=#160b6140622e6578616d706c65",
        r"OU=\#1+UID=7",
        r#"O=\ #A\+B\, \"C\" \<D\>\;\\E\ "#,
        "C=GB",
    ];
    assert_eq!(odd.subject, parts.join(","));
    assert_eq!(odd.issuer, "CN=Test CA 1,O=Countersign Test");
    assert_eq!(odd.serial, "7f6e5d4c3b2a19087f6e5d4c3b2a19087f6e5d4c");
    let names = Certificate::read(&pem("names")).unwrap();
    assert_eq!(names.subject, "");
    assert_eq!(names.dns_names, ["a.example", "b.example"]);
    assert_eq!(names.uris, ["spiffe://a.example/b"]);
    assert!(Certificate::read(&pem("certified")).unwrap().usable(NOW).is_ok());
}
