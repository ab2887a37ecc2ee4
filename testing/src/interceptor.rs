//! The interceptor between the service and AWS: it counts, holds and fails calls.

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

use crate::audit_log::AuditLog;
use crate::stack;

/// An event that happens while a response is lost.
type Event = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The interceptor. Clones share one state.
#[derive(Clone, Default)]
pub struct Interceptor(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    calls: Vec<String>,
    /// The held calls; `None` if calls are not held.
    held: Option<Vec<(String, oneshot::Sender<()>)>>,
    /// The start of the name of failing calls, their status and their error code.
    failure: Option<(&'static str, u16, &'static str)>,
    /// The start of the name of the next call whose response is lost, and an event that happens then.
    lost: Option<(&'static str, Event)>,
    /// True if the descriptions of tables are those of the template, which has more than the emulator.
    as_deployed: bool,
    audit_log: AuditLog,
}

impl Interceptor {
    /// Puts the interceptor in front of an emulated AWS.
    pub fn before(&self, cloud: Router) -> Router {
        cloud.layer(from_fn_with_state(self.clone(), intercept))
    }

    /// Returns the calls since [`clear_calls`](Self::clear_calls), as `Operation Table`.
    pub fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }

    /// Removes the calls so far from the list.
    pub fn clear_calls(&self) {
        self.0.lock().unwrap().calls.clear();
    }

    /// Holds each call from now on, until [`let_through`](Self::let_through).
    pub fn hold(&self) {
        self.0.lock().unwrap().held = Some(Vec::new());
    }

    /// Waits until this number of calls is held, and lets all held calls through. Returns their names, sorted.
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

    /// Lets the latest held call of this name through.
    pub fn let_one_through(&self, call: &str) {
        let mut inside = self.0.lock().unwrap();
        let held = inside.held.as_mut().unwrap();
        let latest = held.iter().rposition(|(name, _)| name == call).unwrap();
        held.remove(latest).1.send(()).unwrap();
    }

    /// Lets all held calls through, and holds no more calls.
    pub fn release(&self) {
        for (_, pass) in self.0.lock().unwrap().held.take().into_iter().flatten() {
            let _ = pass.send(());
        }
    }

    /// Returns the number of calls that are held.
    pub fn held(&self) -> usize {
        self.0.lock().unwrap().held.as_ref().map_or(0, Vec::len)
    }

    /// Waits until this number of calls is held, for about a minute.
    pub async fn wait_for(&self, count: usize) {
        for _ in 0..12_000 {
            if self.held() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{count} concurrent calls did not arrive; so far: {:?}", self.calls());
    }

    /// From now on, fails the calls whose names begin with this text (`GetItem ClientsTable`).
    pub fn fail(&self, call: &'static str, status: u16, code: &'static str) {
        self.0.lock().unwrap().failure = Some((call, status, code));
    }

    /// Executes the next call whose name begins with this text, and loses the response, so that the SDK sends it again.
    pub fn lose_response(&self, call: &'static str) {
        self.lose_response_while(call, async {});
    }

    /// Loses a response like [`lose_response`](Self::lose_response). The event happens before the SDK sends the call again.
    pub fn lose_response_while(&self, call: &'static str, event: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap().lost = Some((call, Box::pin(event)));
    }

    /// From now on, describes the tables with all properties of the template.
    pub fn describe_as_deployed(&self) {
        self.0.lock().unwrap().as_deployed = true;
    }

    /// Replaces the lines that queries of the log find.
    pub fn set_audit_log(&self, lines: Vec<Value>) {
        self.0.lock().unwrap().audit_log.lines = lines;
    }

    /// From now on, ends queries of the log with this status.
    pub fn end_queries_with(&self, status: &'static str) {
        self.0.lock().unwrap().audit_log.final_status = status;
    }

    /// Returns the parameters of the queries of the log so far.
    pub fn queries(&self) -> Vec<Value> {
        self.0.lock().unwrap().audit_log.queries.clone()
    }

    /// Ends [`fail`](Self::fail).
    pub fn stop_failing(&self) {
        self.0.lock().unwrap().failure = None;
    }
}

async fn intercept(State(interceptor): State<Interceptor>, request: Request, next: Next) -> Response {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let is_of_logs = target.starts_with("Logs_");
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    let call = match sent["TableName"].as_str() {
        Some(table) => format!("{operation} {table}"),
        None => operation.clone(),
    };
    // The service reads only strongly consistent.
    if call.starts_with("GetItem") {
        assert_eq!(sent["ConsistentRead"], true);
    }
    let (failure, lost, turn, as_deployed) = {
        let mut inside = interceptor.0.lock().unwrap();
        inside.calls.push(call.clone());
        let failure = inside.failure.filter(|(start, ..)| call.starts_with(start));
        let lost = inside.lost.take_if(|(start, _)| call.starts_with(*start));
        let turn = inside.held.as_mut().map(|held| {
            let (pass, turn) = oneshot::channel();
            held.push((call, pass));
            turn
        });
        (failure, lost, turn, inside.as_deployed)
    };
    if let Some(turn) = turn {
        turn.await.unwrap();
    }
    if let Some((_, status, code)) = failure {
        // The text of IAM.
        let service = if is_of_logs { "logs" } else { "dynamodb" };
        let message =
            format!("User: operator is not authorized to perform: {service}:{operation} on resource: a-table");
        let message = if code == "AccessDeniedException" { &message } else { "an injected error" };
        let body = Json(json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message}));
        return (StatusCode::from_u16(status).unwrap(), body).into_response();
    }
    if let Some(response) = stack::response(&body) {
        return response;
    }
    if is_of_logs {
        return interceptor.0.lock().unwrap().audit_log.respond(&operation, &sent);
    }
    if as_deployed && let Some(description) = stack::description(&operation, &sent) {
        return Json(description).into_response();
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    match lost {
        Some((_, event)) => {
            event.await;
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        None => response,
    }
}
