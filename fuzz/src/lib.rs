//! The parts that the fuzz targets share: a deployment in this process over an AWS of fixed responses ([`cloud`]), the
//! checks of responses ([`response`]), and a model that computes the expected response to a token request ([`model`]).

#![allow(clippy::missing_panics_doc, reason = "a panic is how a target reports an error")]

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request};
use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::{gateway, http, log};
use lambda_runtime::{Context, LambdaEvent, Service};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;

use crate::response::Response;

pub mod cloud;
pub mod model;
pub mod response;

pub const ISSUER: &str = "https://auth.example";
pub const NOW: u64 = 1_900_000_000;

/// A header of a request: its name in lower case, and the bytes of its value.
pub type Header<'a> = (&'static str, &'a [u8]);

/// Sends a token request through the router. Returns `None` if a header is not valid in HTTP.
pub fn post(headers: &[Header<'_>], body: &[u8]) -> Option<Response> {
    post_to("/oauth/token", headers, body)
}

/// Sends a token request to this path and query. Returns `None` if the URI or a header is not valid in HTTP.
pub fn post_to(uri: &str, headers: &[Header<'_>], body: &[u8]) -> Option<Response> {
    let mut request = Request::post(uri).body(Body::from(body.to_vec())).ok()?;
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(DEPLOYMENT.with_borrow_mut(|deployment| deployment.send(request)))
}

/// Invokes the function with an event. Returns the response in the format of the gateway.
pub fn invoke(event: Box<RawValue>) -> Value {
    DEPLOYMENT.with_borrow_mut(|deployment| (deployment.function)(&deployment.runtime, event))
}

/// Returns the log since the last call.
pub fn take_log() -> String {
    LOG.with_borrow_mut(|log| String::from_utf8(std::mem::take(log)).expect("the log is text"))
}

thread_local! {
    static DEPLOYMENT: RefCell<Deployment> = RefCell::new(Deployment::start());
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Invokes the function as Lambda does.
type Function = Box<dyn FnMut(&Runtime, Box<RawValue>) -> Value>;

struct Deployment {
    runtime: Runtime,
    router: Router,
    function: Function,
}

impl Deployment {
    fn start() -> Self {
        // `log::init` would replace the panic hook, by which the fuzzer detects panics.
        let subscriber = tracing_subscriber::registry().with(log::lines(|| ToLog));
        tracing::subscriber::set_global_default(subscriber).expect("there is no other subscriber");
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let variable = |name: &str| match name {
            "CLIENTS_TABLE" => Some("clients".into()),
            "USERS_TABLE" => Some("users".into()),
            "GRANTS_TABLE" => Some("grants".into()),
            "SIGNING_SECRET_ID" => Some("signing".into()),
            "ISSUER" => Some(ISSUER.into()),
            // The cheapest hashes.
            "ARGON2_MEMORY_KIB" => Some("8".into()),
            "ARGON2_ITERATIONS" => Some("1".into()),
            _ => None,
        };
        let config = Config::from_variables(variable).expect("settings");
        let clock = Clock::Fixed(Arc::new(AtomicU64::new(NOW)));
        let app = Arc::new(App::new(config, &cloud::sdk(), clock).expect("an app"));
        let mut service = gateway::service(app.clone());
        let function = move |runtime: &Runtime, event| {
            let response = runtime.block_on(service.call(LambdaEvent::new(event, Context::default())));
            serde_json::to_value(response.expect("the service never fails")).expect("a response is JSON")
        };
        Self { runtime, router: http::router(app), function: Box::new(function) }
    }

    fn send(&mut self, request: Request<Body>) -> Response {
        self.runtime.block_on(async {
            let (parts, body) =
                self.router.clone().oneshot(request).await.expect("the router never fails").into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("the body is in memory");
            Response::new(parts.status.as_u16(), &parts.headers, &body)
        })
    }
}

struct ToLog;

impl Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
