//! The binary of the rotation function under a Lambda runtime API, invoked by CloudFormation, the schedule and an operator.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::put;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::support::start_rotate;
use testing::{Function, TestApp, cloud, p256_pem};

/// The receiver of the responses to CloudFormation.
#[derive(Clone, Default)]
struct ResponseUrl(Arc<Mutex<Vec<Value>>>);

impl ResponseUrl {
    /// Serves the receiver and returns its URL.
    async fn serve(&self) -> String {
        let router = Router::new()
            .route(
                "/response",
                put(async |State(ResponseUrl(responses)): State<ResponseUrl>, body: String| {
                    responses.lock().await.push(serde_json::from_str(&body).unwrap());
                    StatusCode::OK
                }),
            )
            .with_state(self.clone());
        format!("http://{}/response?X-Amz-Credential=a%2Fb%3Ac%7Cd", cloud::serve(router).await.unwrap())
    }

    /// Returns the responses since the last call.
    async fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().await)
    }
}

/// Starts a deployment without keys, and the rotation function.
async fn deployed() -> (TestApp, Function) {
    let test = TestApp::start_without_keys(|_| {}).await;
    let cloud = cloud::serve(test.cloud.router().await.unwrap()).await.unwrap();
    (test, start_rotate(cloud).await)
}

fn cloudformation_event(request_type: &str, url: &str) -> Value {
    json!({
        "RequestType": request_type, "ResponseURL": url, "StackId": "stack", "RequestId": "request",
        "LogicalResourceId": "SigningKeys", "ResourceType": "AWS::CloudFormation::CustomResource",
        "ServiceToken": "arn", "ResourceProperties": {"ServiceToken": "arn", "SigningAlgorithm": "RS256"},
    })
}

#[tokio::test]
async fn cloudformation_creates_the_first_keys_and_gets_a_response() {
    let (test, mut function) = deployed().await;
    let responses = ResponseUrl::default();
    let url = responses.serve().await;
    let mut first = None;
    for request_type in ["Create", "Create", "Update", "Delete"] {
        function.call(cloudformation_event(request_type, &url)).await;
        let [response] = responses.take().await.try_into().unwrap();
        assert_eq!(
            response,
            json!({
                "Status": "SUCCESS", "Reason": "The signing keys exist.", "PhysicalResourceId": "signing-keys", "StackId": "stack",
                "RequestId": "request", "LogicalResourceId": "SigningKeys",
            })
        );
        let secret = test.cloud.secret().unwrap().unwrap();
        assert_eq!(*first.get_or_insert(secret.clone()), secret, "{request_type} changes nothing");
    }
    let document: Value = serde_json::from_str(&first.unwrap()).unwrap();
    assert_eq!(document["current"]["alg"], "RS256");
    let output = function.end().await;
    assert!(output.contains(document["current"]["kid"].as_str().unwrap()), "{output}");
    assert!(!output.contains("PRIVATE KEY") && !output.contains(document["refresh"]["current"].as_str().unwrap()));
}

#[tokio::test]
async fn cloudformation_gets_the_reason_of_a_failure() {
    let (test, mut function) = deployed().await;
    let responses = ResponseUrl::default();
    test.cloud.put_secret("{\"canary\": 1}").unwrap();
    function.call(cloudformation_event("Create", &responses.serve().await)).await;
    let [response] = responses.take().await.try_into().unwrap();
    assert_eq!(response["Status"], "FAILED");
    assert!(response["Reason"].as_str().unwrap().contains("not a document of signing keys"), "{response}");
    assert_eq!(test.cloud.secret().unwrap().unwrap(), "{\"canary\": 1}");
    assert!(!function.end().await.contains("canary"));
}

#[tokio::test]
async fn the_schedule_and_an_operator_rotate_the_keys() {
    let (test, mut function) = deployed().await;
    let created = function.call(json!({"action": "rotate"})).await;
    assert_eq!(created["changed"], true, "without keys, a rotation creates the first keys: {created}");
    let young = function.call(json!({"action": "rotate"})).await;
    assert_eq!((&young["changed"], &young["current"]), (&json!(false), &created["current"]));
    assert!(young["reason"].as_str().unwrap().contains("public for long enough"));
    let dropped = function.call(json!({"action": "rotate", "emergency": created["current"]})).await;
    assert_eq!((&dropped["changed"], &dropped["current"]), (&json!(true), &created["next"]));
    assert_eq!(dropped["previous"], json!([]));

    test.cloud.put_secret(&p256_pem()).unwrap();
    assert_eq!(function.call(json!({"action": "rotate"})).await["changed"], false);
    test.cloud.put_secret("junk").unwrap();
    for event in [
        json!({"action": "rotate"}),
        json!({"action": "rotate", "emergency": "x"}),
        json!({"action": "x"}),
        // An unknown member, so the event is rejected.
        json!({"action": "rotate", "Emergency": "x"}),
    ] {
        let failed = function.call(event).await;
        assert!(failed["failed"].is_string(), "{failed}");
    }
}
