//! What the fuzz targets share: one deployment in this process, whose cloud is a table of answers ([`cloud`]); what every
//! answer must be ([`answer`]); and what the one right answer to a token request is ([`model`]).

#![allow(clippy::missing_panics_doc, reason = "a find is a panic")]

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
use lambda_http::lambda_runtime::{Context, LambdaEvent, Service};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;

use crate::answer::Answer;

pub mod answer;
pub mod cloud;
pub mod model;

pub const ISSUER: &str = "https://auth.example";
pub const NOW: u64 = 1_900_000_000;

/// A header of a request: its name in lower case, and its value to the byte.
pub type Header<'a> = (&'static str, &'a [u8]);

/// Sends a token request through the router. `None` if HTTP has no such header.
pub fn post(headers: &[Header<'_>], body: &[u8]) -> Option<Answer> {
    post_to("/oauth/token", headers, body)
}

/// Sends a token request to this path and query. `None` if HTTP has no such URI or header.
pub fn post_to(uri: &str, headers: &[Header<'_>], body: &[u8]) -> Option<Answer> {
    let mut request = Request::post(uri).body(Body::from(body.to_vec())).ok()?;
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(DEPLOYMENT.with_borrow_mut(|deployment| deployment.send(request)))
}

/// Invokes the function with an event. Returns its response as the gateway gets it.
pub fn invoke(event: Box<RawValue>) -> Value {
    DEPLOYMENT.with_borrow_mut(|deployment| (deployment.function)(&deployment.runtime, event))
}

/// What has been logged since the last time.
pub fn take_log() -> String {
    LOG.with_borrow_mut(|log| String::from_utf8(std::mem::take(log)).expect("the log is text"))
}

thread_local! {
    static DEPLOYMENT: RefCell<Deployment> = RefCell::new(Deployment::start());
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Asks the function, as Lambda's runtime does.
type Function = Box<dyn FnMut(&Runtime, Box<RawValue>) -> Value>;

struct Deployment {
    runtime: Runtime,
    router: Router,
    function: Function,
}

impl Deployment {
    fn start() -> Self {
        // Not by `log::init`: the fuzzer's panic hook, which makes a find of every panic, has to stay.
        let subscriber = tracing_subscriber::registry().with(log::lines(|| ToLog));
        tracing::subscriber::set_global_default(subscriber).expect("there is no other subscriber");
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let variable = |name: &str| match name {
            "CLIENTS_TABLE" => Some("clients".into()),
            "USERS_TABLE" => Some("users".into()),
            "GRANTS_TABLE" => Some("grants".into()),
            "SIGNING_SECRET_ID" => Some("signing".into()),
            "ISSUER" => Some(ISSUER.into()),
            // No more work than a hash must be.
            "ARGON2_MEMORY_KIB" => Some("8".into()),
            "ARGON2_ITERATIONS" => Some("1".into()),
            _ => None,
        };
        let config = Config::from_variables(variable).expect("settings");
        let clock = Clock::Fixed(Arc::new(AtomicU64::new(NOW)));
        let app = Arc::new(App::new(config, &cloud::sdk(), clock).expect("an app"));
        let mut service = gateway::service(app.clone());
        let function = move |runtime: &Runtime, event| {
            let answer = runtime.block_on(service.call(LambdaEvent::new(event, Context::default())));
            serde_json::to_value(answer.expect("the service never fails")).expect("an answer has its JSON")
        };
        Self { runtime, router: http::router(app), function: Box::new(function) }
    }

    fn send(&mut self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let (parts, body) =
                self.router.clone().oneshot(request).await.expect("the router never fails").into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("the body is in memory");
            Answer::new(parts.status.as_u16(), &parts.headers, &body)
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
