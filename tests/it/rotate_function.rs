//! The rotation function itself: its binary under a Lambda runtime API, called by CloudFormation, the schedule, a person.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::put;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::cloud::{self, Cloud};
use crate::keys::p256_pem;
use crate::support::{Function, TestApp};

/// Where CloudFormation waits for answers.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Vec<Value>>>);

impl Answers {
    async fn url(&self) -> String {
        let router = Router::new()
            .route(
                "/answer",
                put(async |State(Answers(answers)): State<Answers>, body: String| {
                    answers.lock().await.push(serde_json::from_str(&body).unwrap());
                    StatusCode::OK
                }),
            )
            .with_state(self.clone());
        format!("http://{}/answer?X-Amz-Credential=a%2Fb%3Ac%7Cd", cloud::serve(router).await.unwrap())
    }

    async fn taken(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().await)
    }
}

async fn deployed() -> (TestApp, Function) {
    let test = TestApp::start_cold(|_| {}).await;
    let door = cloud::serve(Cloud::door(&test.cloud).await.unwrap()).await.unwrap();
    (test, Function::start_binary(env!("CARGO_BIN_EXE_rotate"), door, &[]).await)
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
    let answers = Answers::default();
    let url = answers.url().await;
    let mut first = None;
    for request_type in ["Create", "Create", "Update", "Delete"] {
        function.call(of_cloudformation(request_type, &url)).await;
        let [answer] = answers.taken().await.try_into().unwrap();
        assert_eq!(
            answer,
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
    let answers = Answers::default();
    test.cloud.put_secret("{\"canary\": 1}").unwrap();
    function.call(of_cloudformation("Create", &answers.url().await)).await;
    let [answer] = answers.taken().await.try_into().unwrap();
    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().contains("not a document of signing keys"), "{answer}");
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
