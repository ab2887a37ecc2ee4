//! A certificate in a header counts nowhere (S-1024).

use axum::http::HeaderName;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use testing::{CLIENT_CREDENTIALS, SERVICE, form};

use super::{assert_same, pem, send, started};

/// Names of headers in which gateways, load balancers and proxies pass certificates on.
const NAMES: [&str; 34] = [
    "cf-client-cert",
    "cf-client-cert-der-base64",
    "client-cert",
    "client-cert-chain",
    "clientcert",
    "fastly-client-cert",
    "ssl-client-cert",
    "ssl-client-certificate",
    "ssl-client-s-dn",
    "ssl-client-subject-dn",
    "ssl-client-verify",
    "ssl_client_cert",
    "tls-client-cert",
    "x-amzn-mtls-clientcert",
    "x-amzn-mtls-clientcert-issuer",
    "x-amzn-mtls-clientcert-leaf",
    "x-amzn-mtls-clientcert-serial-number",
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-validity",
    "x-apigateway-event",
    "x-amzn-request-context",
    "x-arr-clientcert",
    "x-client-cert",
    "x-client-cert-chain",
    "x-client-cert-leaf",
    "x-client-certificate",
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
    "x-ms-client-certificate",
    "x-ssl-cert",
    "x-ssl-client-cert",
    "x-ssl-client-s-dn",
    "x-tls-client-cert",
];

#[tokio::test]
async fn s_1024_a_certificate_in_a_header_is_never_read() {
    let test = started().await;
    let pem = pem("certified");
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let forms = [
        pem.replace('\n', " "),
        pem.replace('\n', "%0A").replace('+', "%2B").replace(' ', "%20"),
        STANDARD.encode(&pem),
        format!(":{der}:"),
        format!("Hash=00;Cert=\"{}\";Subject=\"CN=certified,O=Countersign Test\"", pem.replace('\n', "%0A")),
        format!(r#"{{"requestContext":{{"authentication":{{"clientCert":{{"clientCertPem":"{der}"}}}}}}}}"#),
        "CN=certified,O=Countersign Test".to_owned(),
        der,
    ];
    let mut responses = vec![test.form((SERVICE.0, "wrong"), &CLIENT_CREDENTIALS).await];
    for value in &forms {
        let request = form(&[CLIENT_CREDENTIALS[0], ("client_id", SERVICE.0)]);
        let every = NAMES.iter().fold(request, |request, name| {
            assert!(name.parse::<HeaderName>().is_ok());
            request.header(name, value)
        });
        responses.push(test.send(every.post()).await);
    }
    assert_same(&responses);
    send(&test, "certified").await.assert_issued(2);
}
