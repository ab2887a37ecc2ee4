//! A function's binary under Lambda's runtime API.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

use super::ask::{basic, form_body};
use super::{Answer, ISSUER};
use crate::cloud::{self, environment};

/// Lambda's runtime API (the part of it that a function needs), with one invocation at a time.
#[derive(Clone)]
struct RuntimeApi {
    events: Arc<Mutex<mpsc::Receiver<Value>>>,
    answers: mpsc::Sender<Value>,
}

async fn next(State(api): State<RuntimeApi>) -> impl IntoResponse {
    let event = api.events.lock().await.recv().await;
    let headers = [
        ("lambda-runtime-aws-request-id", "5a1f0c3e-0000-4000-8000-000000000001"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-2:123456789012:function:api"),
        ("content-type", "application/json"),
    ];
    (headers, event.map(|event| event.to_string()).unwrap_or_default())
}

async fn answered(
    State(api): State<RuntimeApi>,
    UrlPath((_, kind)): UrlPath<(String, String)>,
    body: String,
) -> StatusCode {
    let answer = if kind == "response" { serde_json::from_str(&body).unwrap() } else { json!({"failed": body}) };
    api.answers.send(answer).await.unwrap();
    StatusCode::ACCEPTED
}

/// The binary as a function that runs, and what it runs on.
pub struct Function {
    process: Child,
    events: mpsc::Sender<Value>,
    answers: mpsc::Receiver<Value>,
}

impl Function {
    /// Starts the API's.
    pub async fn start(door: SocketAddr) -> Self {
        Self::start_with(door, &[]).await
    }

    /// Starts the API's with settings of its own: the binary that `FUNCTION` names, as it is deployed, or else the one
    /// that was built for the tests.
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says which binary")]
    pub async fn start_with(door: SocketAddr, settings: &[(&str, &str)]) -> Self {
        let deployed = std::env::var("FUNCTION").ok();
        Self::start_binary(deployed.as_deref().unwrap_or(env!("CARGO_BIN_EXE_api")), door, settings).await
    }

    pub async fn start_binary(binary: &str, door: SocketAddr, settings: &[(&str, &str)]) -> Self {
        let (events, received) = mpsc::channel(1);
        let (sent, answers) = mpsc::channel(1);
        let api = RuntimeApi { events: Arc::new(Mutex::new(received)), answers: sent };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answered))
            .with_state(api);
        let address = cloud::serve(router).await.unwrap();
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(environment(ISSUER))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "api")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
            .env("AWS_ENDPOINT_URL", format!("http://{door}"))
            .env("AWS_REGION", "eu-west-2")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .envs(settings.iter().copied());
        let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        Self { process, events, answers }
    }

    /// Has it begin with an event.
    pub async fn send(&self, event: Value) {
        self.events.send(event).await.unwrap();
    }

    /// Invokes it with an event, and yields what it answers Lambda.
    pub async fn call(&mut self, event: Value) -> Value {
        self.send(event).await;
        self.answered().await
    }

    async fn answered(&mut self) -> Value {
        tokio::time::timeout(Duration::from_mins(1), self.answers.recv()).await.unwrap().unwrap()
    }

    /// Invokes it with an event, and takes its answer for the gateway as one over HTTP.
    pub async fn invoke(&mut self, event: Value) -> Answer {
        self.send(event).await;
        self.answer().await
    }

    /// The answer to the event that was sent, as one over HTTP.
    pub async fn answer(&mut self) -> Answer {
        let answer = self.answered().await;
        let status = u16::try_from(answer["statusCode"].as_u64().unwrap_or_else(|| panic!("{answer}"))).unwrap();
        assert_eq!(answer["isBase64Encoded"], false);
        let headers = answer["headers"].as_object().unwrap().iter();
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap()));
        let bytes: axum::body::Bytes = answer["body"].as_str().unwrap_or_default().to_owned().into();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status, headers: headers.collect(), bytes, body }
    }

    /// Has it stand still, or go on, as Lambda freezes and thaws an environment.
    pub fn signal(&self, signal: &str) {
        let process = self.process.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// Ends it, and yields all that it wrote.
    pub async fn end(mut self) -> String {
        self.process.kill().await.unwrap();
        let mut output = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut output).await.unwrap();
        self.process.stderr.take().unwrap().read_to_string(&mut output).await.unwrap();
        output
    }
}

/// The gateway's event for a token request with a form, the credentials by Basic.
pub fn event((id, secret): (&str, &str), params: &[(&str, &str)]) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../../events/client_credentials.json")).unwrap();
    event["headers"]["authorization"] = json!(basic(id, secret));
    event["body"] = json!(form_body(params));
    event
}
