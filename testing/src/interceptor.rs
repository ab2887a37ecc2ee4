//! The interceptor between the service and its cloud: counts the calls, holds them, or responses in the cloud's place.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::stack;

type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Clone, Default)]
pub struct Interceptor(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    calls: Vec<String>,
    /// Calls that wait to be let through, while calls are held.
    held: Option<Vec<(String, oneshot::Sender<()>)>>,
    /// A call that begins like this is answered with this status and error code.
    fault: Option<(&'static str, u16, &'static str)>,
    /// The next call that begins like this is done, and its response lost while something else happens.
    lost: Option<(&'static str, Meanwhile)>,
    /// Whether tables are described as the template has them, with what the emulator does not know.
    as_deployed: bool,
}

impl Interceptor {
    /// Stands before a cloud.
    pub fn before(&self, cloud: Router) -> Router {
        cloud.layer(from_fn_with_state(self.clone(), pass))
    }

    /// The calls so far, as `Operation Table`.
    pub fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }

    pub fn forget(&self) {
        self.0.lock().unwrap().calls.clear();
    }

    /// From now on, holds each call until it is let through.
    pub fn hold(&self) {
        self.0.lock().unwrap().held = Some(Vec::new());
    }

    /// Waits until this many calls are held, and lets them through.
    pub async fn let_through(&self, count: usize) -> Vec<String> {
        self.wait_for(count).await;
        let held = self.0.lock().unwrap().held.replace(Vec::new()).unwrap();
        let (mut names, passes): (Vec<_>, Vec<_>) = held.into_iter().unzip();
        for pass in passes {
            pass.send(()).unwrap();
        }
        names.sort();
        names
    }

    /// Lets the latest call of this name through.
    pub fn let_one_through(&self, call: &str) {
        let mut inside = self.0.lock().unwrap();
        let held = inside.held.as_mut().unwrap();
        let latest = held.iter().rposition(|(name, _)| name == call).unwrap();
        held.remove(latest).1.send(()).unwrap();
    }

    /// Lets everything through that is held and whose caller still waits. From now on, holds none.
    pub fn release(&self) {
        for (_, pass) in self.0.lock().unwrap().held.take().into_iter().flatten() {
            let _ = pass.send(());
        }
    }

    /// Waits until this many calls are held.
    pub async fn wait_for(&self, count: usize) {
        for _ in 0..1000 {
            if self.0.lock().unwrap().held.as_ref().unwrap().len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{count} calls side by side never came; so far: {:?}", self.calls());
    }

    /// From now on, responses calls that begin like this (`GetItem ClientsTable`) with an error.
    pub fn fail(&self, call: &'static str, status: u16, code: &'static str) {
        self.0.lock().unwrap().fault = Some((call, status, code));
    }

    /// Lets the next call that begins like this do its work, and loses the response.
    pub fn lose_response(&self, call: &'static str) {
        self.lose_response_while(call, async {});
    }

    /// The same, and something else happens before the caller notices and sends the call again.
    pub fn lose_response_while(&self, call: &'static str, meanwhile: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap().lost = Some((call, Box::pin(meanwhile)));
    }

    /// From now on, describes the tables as they would be on AWS.
    pub fn describe_as_deployed(&self) {
        self.0.lock().unwrap().as_deployed = true;
    }

    /// From now on, lets everything through again.
    pub fn stop_failing(&self) {
        self.0.lock().unwrap().fault = None;
    }
}

async fn pass(State(interceptor): State<Interceptor>, request: Request, next: Next) -> Response {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    let call = match sent["TableName"].as_str() {
        Some(table) => format!("{operation} {table}"),
        None => operation.clone(),
    };
    // What every read of ours must be.
    if call.starts_with("GetItem") {
        assert_eq!(sent["ConsistentRead"], true);
    }
    let (fault, lost, turn, as_deployed) = {
        let mut inside = interceptor.0.lock().unwrap();
        inside.calls.push(call.clone());
        let fault = inside.fault.filter(|(start, ..)| call.starts_with(start));
        let lost = inside.lost.take_if(|(start, _)| call.starts_with(*start));
        let turn = inside.held.as_mut().map(|held| {
            let (pass, turn) = oneshot::channel();
            held.push((call, pass));
            turn
        });
        (fault, lost, turn, inside.as_deployed)
    };
    if let Some(turn) = turn {
        turn.await.unwrap();
    }
    if let Some((_, status, code)) = fault {
        // As IAM words it.
        let message = format!("User: operator is not authorized to perform: dynamodb:{operation} on resource: a-table");
        let message = if code == "AccessDeniedException" { &message } else { "a fault" };
        let body = Json(json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message}));
        return (StatusCode::from_u16(status).unwrap(), body).into_response();
    }
    if let Some(response) = stack::response(&body) {
        return response;
    }
    if as_deployed && let Some(description) = stack::description(&operation, &sent) {
        return Json(description).into_response();
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    match lost {
        Some((_, meanwhile)) => {
            meanwhile.await;
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        None => response,
    }
}
