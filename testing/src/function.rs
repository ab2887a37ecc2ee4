//! The binary of a function under a small Lambda runtime API, with one invocation at a time.

use std::ffi::OsStr;
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
use tokio::time::{Instant, timeout};

use crate::cloud::{self, BoxError, environment};
use crate::deployment::ISSUER;
use crate::request::{basic, form_body};
use crate::response::Response;

/// The time limit of each step of a function.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The part of Lambda's runtime API that a function needs.
#[derive(Clone)]
struct RuntimeApi {
    events: Arc<Mutex<mpsc::Receiver<Value>>>,
    /// The times at which the function requested its next invocation.
    polls: mpsc::UnboundedSender<Instant>,
    responses: mpsc::UnboundedSender<(Instant, Value)>,
}

/// Waits for the next event.
async fn next(State(api): State<RuntimeApi>) -> impl IntoResponse {
    let _ = api.polls.send(Instant::now());
    let event = api.events.lock().await.recv().await;
    let headers = [
        ("lambda-runtime-aws-request-id", "5a1f0c3e-0000-4000-8000-000000000001"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-2:123456789012:function:api"),
        ("content-type", "application/json"),
    ];
    (headers, event.map(|event| event.to_string()).unwrap_or_default())
}

/// Receives the response to an event.
async fn responded(
    State(api): State<RuntimeApi>,
    UrlPath((_, kind)): UrlPath<(String, String)>,
    body: String,
) -> StatusCode {
    let at = Instant::now();
    let response = if kind == "response" { serde_json::from_str(&body).unwrap() } else { json!({"failed": body}) };
    let _ = api.responses.send((at, response));
    StatusCode::ACCEPTED
}

/// Returns the command that starts a function like Lambda does, for the emulated AWS at this address.
pub fn command(binary: impl AsRef<OsStr>, cloud: SocketAddr) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .envs(environment(ISSUER))
        .env("AWS_LAMBDA_FUNCTION_NAME", "api")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
        .env("AWS_ENDPOINT_URL", format!("http://{cloud}"))
        .env("AWS_REGION", "eu-west-2")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A process that runs a function. It ends when this value is dropped.
pub struct Function {
    process: Child,
    /// The time immediately before the start of the process.
    pub started: Instant,
    events: mpsc::Sender<Value>,
    polls: mpsc::UnboundedReceiver<Instant>,
    responses: mpsc::UnboundedReceiver<(Instant, Value)>,
}

impl Function {
    /// Starts the process. Does not wait until the function is ready.
    pub async fn start(mut command: Command) -> Result<Self, BoxError> {
        let (events, received) = mpsc::channel(1);
        let (polled, polls) = mpsc::unbounded_channel();
        let (sent, responses) = mpsc::unbounded_channel();
        let api = RuntimeApi { events: Arc::new(Mutex::new(received)), polls: polled, responses: sent };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(responded))
            .with_state(api);
        let address = cloud::serve(router).await?;
        command.env("AWS_LAMBDA_RUNTIME_API", address.to_string()).kill_on_drop(true);
        let started = Instant::now();
        Ok(Self { process: command.spawn()?, started, events, polls, responses })
    }

    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Waits until the function requests its next invocation. Returns the time of the request.
    pub async fn polled(&mut self) -> Result<Instant, BoxError> {
        Ok(timeout(TIMEOUT, self.polls.recv()).await?.ok_or("the function ended")?)
    }

    /// Sends an event. Does not wait for the response.
    pub async fn send(&self, event: Value) {
        self.events.send(event).await.unwrap();
    }

    /// Waits for the response to the event. Returns the time of the response and the response.
    pub async fn responded(&mut self) -> Result<(Instant, Value), BoxError> {
        Ok(timeout(TIMEOUT, self.responses.recv()).await?.ok_or("the function ended")?)
    }

    /// Sends an event and returns the response.
    pub async fn call(&mut self, event: Value) -> Value {
        self.send(event).await;
        self.responded().await.unwrap().1
    }

    /// Sends an event and returns the response as API Gateway sends it over HTTP.
    pub async fn invoke(&mut self, event: Value) -> Response {
        self.send(event).await;
        self.response().await
    }

    /// Waits for the response to the event, and returns it as API Gateway sends it over HTTP.
    pub async fn response(&mut self) -> Response {
        let (_, response) = self.responded().await.unwrap();
        gateway_response(&response)
    }

    /// Sends a signal to the process: `-STOP` and `-CONT` freeze and resume it, as Lambda does.
    pub fn signal(&self, signal: &str) {
        let process = self.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// Ends the process and returns its output.
    pub async fn end(mut self) -> String {
        self.process.kill().await.unwrap();
        let mut output = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut output).await.unwrap();
        self.process.stderr.take().unwrap().read_to_string(&mut output).await.unwrap();
        output
    }
}

/// Returns the event of API Gateway for a token request with a form and Basic credentials.
pub fn event((id, secret): (&str, &str), params: &[(&str, &str)]) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/client_credentials.json")).unwrap();
    event["headers"]["authorization"] = json!(basic(id, secret));
    event["body"] = json!(form_body(params));
    event
}

/// Returns a response of the function, which is in the format of the gateway.
pub fn gateway_response(response: &Value) -> Response {
    let status = u16::try_from(response["statusCode"].as_u64().unwrap_or_else(|| panic!("{response}"))).unwrap();
    assert_eq!(response["isBase64Encoded"], false);
    let headers = response["headers"].as_object().unwrap().iter();
    let cookies = response["cookies"].as_array().into_iter().flatten().map(|cookie| ("set-cookie", cookie));
    let headers = headers.map(|(name, value)| (name.as_str(), value)).chain(cookies);
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap()));
    let bytes: axum::body::Bytes = response["body"].as_str().unwrap_or_default().to_owned().into();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    Response { status, headers: headers.collect(), bytes, body }
}
