//! The rotation function itself: its binary under a Lambda runtime API, called by CloudFormation, the schedule, a person.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::put;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::support::start_rotate;
use testing::cloud::{self};
use testing::p256_pem;
use testing::{Function, TestApp};

/// Where CloudFormation waits for responses.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Vec<Value>>>);

impl Answers {
    async fn url(&self) -> String {
        let router = Router::new()
            .route(
                "/response",
                put(async |State(Answers(responses)): State<Answers>, body: String| {
                    responses.lock().await.push(serde_json::from_str(&body).unwrap());
                    StatusCode::OK
                }),
            )
            .with_state(self.clone());
        format!("http://{}/response?X-Amz-Credential=a%2Fb%3Ac%7Cd", cloud::serve(router).await.unwrap())
    }

    async fn taken(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().await)
    }
}

async fn deployed() -> (TestApp, Function) {
    let test = TestApp::start_cold(|_| {}).await;
    let cloud = cloud::serve(test.cloud.router().await.unwrap()).await.unwrap();
    (test, start_rotate(cloud).await)
}

fn of_cloudformation(request_type: &str, url: &str) -> Value {
    json!({
        "RequestType": request_type, "ResponseURL": url, "StackId": "stack", "RequestId": "request",
        "LogicalResourceId": "SigningKeys", "ResourceType": "AWS::CloudFormation::CustomResource",
        "ServiceToken": "arn", "ResourceProperties": {"ServiceToken": "arn", "SigningAlgorithm": "RS256"},
    })
}

#[tokio::test]
async fn cloudformation_gets_the_first_keys_and_its_answer() {
    let (test, mut function) = deployed().await;
    let responses = Answers::default();
    let url = responses.url().await;
    let mut first = None;
    for request_type in ["Create", "Create", "Update", "Delete"] {
        function.call(of_cloudformation(request_type, &url)).await;
        let [response] = responses.taken().await.try_into().unwrap();
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
async fn cloudformation_is_told_why_there_are_no_keys() {
    let (test, mut function) = deployed().await;
    let responses = Answers::default();
    test.cloud.put_secret("{\"canary\": 1}").unwrap();
    function.call(of_cloudformation("Create", &responses.url().await)).await;
    let [response] = responses.taken().await.try_into().unwrap();
    assert_eq!(response["Status"], "FAILED");
    assert!(response["Reason"].as_str().unwrap().contains("not a document of signing keys"), "{response}");
    assert_eq!(test.cloud.secret().unwrap().unwrap(), "{\"canary\": 1}");
    assert!(!function.end().await.contains("canary"));
}

#[tokio::test]
async fn the_schedule_and_a_person_rotate() {
    let (test, mut function) = deployed().await;
    let made = function.call(json!({"action": "rotate"})).await;
    assert_eq!(made["changed"], true, "without any, the first keys are made: {made}");
    let young = function.call(json!({"action": "rotate"})).await;
    assert_eq!((&young["changed"], &young["current"]), (&json!(false), &made["current"]));
    assert!(young["reason"].as_str().unwrap().contains("public for long enough"));
    let dropped = function.call(json!({"action": "rotate", "emergency": made["current"]})).await;
    assert_eq!((&dropped["changed"], &dropped["current"]), (&json!(true), &made["next"]));
    assert_eq!(dropped["previous"], json!([]));

    test.cloud.put_secret(&p256_pem()).unwrap();
    assert_eq!(function.call(json!({"action": "rotate"})).await["changed"], false);
    test.cloud.put_secret("junk").unwrap();
    for event in [
        json!({"action": "rotate"}),
        json!({"action": "rotate", "emergency": "x"}),
        json!({"action": "x"}),
        // Mistyped, and so no rotation.
        json!({"action": "rotate", "Emergency": "x"}),
    ] {
        let failed = function.call(event).await;
        assert!(failed["failed"].is_string(), "{failed}");
    }
}
