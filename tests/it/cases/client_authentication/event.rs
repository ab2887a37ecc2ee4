//! Requests as events of the gateway, which are the only place of a client certificate.

use countersign::gateway;
use lambda_runtime::{Context, LambdaEvent, Service};
use serde_json::{Value, json};
use testing::{Response, TestApp, assert_documented, gateway_response};

/// Sends a request as an event, with a certificate of the fixtures and the domain that it was sent to.
pub async fn send(test: &TestApp, request: &Value, certificate: Option<(&Value, &str)>) -> Response {
    let (path, query) =
        request["path"].as_str().unwrap().split_once('?').unwrap_or((request["path"].as_str().unwrap(), ""));
    let mut event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": request["headers"],
        "requestContext": {"requestId": "r-1", "http": {"method": request["method"], "path": path, "sourceIp": "192.0.2.1"}},
        "body": request["body"], "isBase64Encoded": false,
    });
    if let Some((certificate, domain)) = certificate {
        event["requestContext"]["domainName"] = json!(domain);
        event["requestContext"]["authentication"] = json!({"clientCert": {
            "clientCertPem": certificate["pem"], "subjectDN": certificate["subject_dn"],
            "issuerDN": certificate["issuer_dn"], "serialNumber": certificate["serial"],
        }});
    }
    let payload = serde_json::value::to_raw_value(&event).unwrap();
    let mut service = gateway::service(test.app.clone());
    let response = service.call(LambdaEvent { payload, context: Context::default() }).await.unwrap();
    let response = gateway_response(&serde_json::to_value(response).unwrap());
    assert_documented(request["method"].as_str().unwrap(), path, &response);
    response
}
