//! Lambda's runtime API, as far as a function needs it and with one invocation at a time; it looks at the clock.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::sync::{Mutex, mpsc};

use crate::cloud::{self, Fault};
use crate::measure::wall;

const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Clone)]
struct RuntimeApi {
    asked: mpsc::Sender<Duration>,
    events: Arc<Mutex<mpsc::Receiver<String>>>,
    answers: mpsc::Sender<(Duration, Value)>,
}

async fn next(State(api): State<RuntimeApi>) -> impl IntoResponse {
    let _ = api.asked.send(wall()).await;
    let event = api.events.lock().await.recv().await;
    let headers = [
        ("lambda-runtime-aws-request-id", "5a1f0c3e-0000-4000-8000-000000000001"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-2:123456789012:function:api"),
        ("content-type", "application/json"),
    ];
    (headers, event.unwrap_or_default())
}

async fn answered(
    State(api): State<RuntimeApi>,
    UrlPath((_, kind)): UrlPath<(String, String)>,
    body: String,
) -> StatusCode {
    let at = wall();
    let answer = if kind == "response" { serde_json::from_str(&body).unwrap() } else { json!({"failed": body}) };
    let _ = api.answers.send((at, answer)).await;
    StatusCode::ACCEPTED
}

/// A function that has asked for its next invocation.
pub struct Invoked {
    process: Child,
    /// From before the process was there to its first `next`.
    pub started_in: Duration,
    asked: mpsc::Receiver<Duration>,
    events: mpsc::Sender<String>,
    answers: mpsc::Receiver<(Duration, Value)>,
}

impl Invoked {
    /// Starts a function, and waits until it asks.
    pub async fn start(command: Command) -> Result<Self, Fault> {
        let (asks, asked) = mpsc::channel(1);
        let (events, received) = mpsc::channel(1);
        let (sent, answers) = mpsc::channel(1);
        let api = RuntimeApi { asked: asks, events: Arc::new(Mutex::new(received)), answers: sent };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answered))
            .with_state(api);
        let address = cloud::serve(router).await?;
        let mut command = tokio::process::Command::from(command);
        command.env("AWS_LAMBDA_RUNTIME_API", address.to_string()).kill_on_drop(true);
        let before = wall();
        let process = command.spawn()?;
        let mut function = Self { process, started_in: Duration::ZERO, asked, events, answers };
        function.started_in = function.asks().await? - before;
        Ok(function)
    }

    pub fn id(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Invokes it, and waits until it asks for more. Yields its answer, and how long that took.
    pub async fn invoke(&mut self, event: &Value) -> Result<(Value, Duration), Fault> {
        let event = event.to_string();
        let before = wall();
        self.events.send(event).await?;
        let answer = tokio::time::timeout(PATIENCE, self.answers.recv()).await?;
        let (at, answer) = answer.ok_or("the function is gone")?;
        self.asks().await?;
        Ok((answer, at - before))
    }

    async fn asks(&mut self) -> Result<Duration, Fault> {
        Ok(tokio::time::timeout(PATIENCE, self.asked.recv()).await?.ok_or("the function is gone")?)
    }
}
