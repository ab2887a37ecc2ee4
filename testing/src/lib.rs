//! The test kit, which the tests, benchmarks, fuzz targets and the local example share. It is not deployed.
//!
//! | module | content |
//! |---|---|
//! | [`client_key`] | key pairs of clients, and the JWTs that they sign |
//! | [`cloud`] | an emulated AWS: DynamoDB and Secrets Manager |
//! | [`audit_log`] | the emulated CloudWatch Logs Insights |
//! | [`canned`] | an AWS with fixed responses and without a socket, for measurements and fuzzing |
//! | [`direct`] | a connection of the SDK to the emulated AWS without a socket |
//! | [`interceptor`] | between the service and AWS: counts, holds and fails calls; STS and CloudFormation for the CLI |
//! | [`fake_issuer`] | an issuer whose tokens authenticate clients, with rotation and outages |
//! | [`fault_proxy`] | between the service and AWS: breaks connections and delays calls |
//! | [`function`] | the binary of a function under a small Lambda runtime API |
//! | [`command_line`] | the binary of the CLI |
//! | [`deployment`] | a deployment with fixtures: the router over an emulated AWS |
//! | [`gallery`] | every page in each of its states |
//! | [`guess`] | verification of passwords and secrets without a request |
//! | [`demo`] | the fixtures of the local example |
//! | [`proof`] | the DPoP proofs of clients |
//! | [`jwt`] | JWTs from private JWKs, also with defects |
//! | [`request`], [`response`] | requests; responses with the checks that every response must pass |
//! | [`contract`] | `openapi.yaml`, which every response must follow |
//! | [`flow`] | each kind of request, with a deployment in the state that it needs |
//! | [`log_lines`] | the log of a test |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "a panic fails the test"
)]
#![allow(missing_docs, reason = "documented where the name does not say it")]

#[cfg(feature = "emulator")]
pub mod audit_log;
pub mod canned;
#[cfg(feature = "emulator")]
pub mod client_key;
#[cfg(feature = "emulator")]
pub mod cloud;
#[cfg(feature = "emulator")]
pub mod command_line;
#[cfg(feature = "emulator")]
pub mod contract;
#[cfg(feature = "emulator")]
pub mod demo;
#[cfg(feature = "emulator")]
pub mod deployment;
#[cfg(feature = "emulator")]
pub mod direct;
#[cfg(feature = "emulator")]
pub mod fake_issuer;
#[cfg(feature = "emulator")]
pub mod fault_proxy;
#[cfg(feature = "emulator")]
pub mod flow;
#[cfg(feature = "emulator")]
pub mod function;
#[cfg(feature = "emulator")]
pub mod gallery;
#[cfg(feature = "emulator")]
pub mod guess;
#[cfg(feature = "emulator")]
pub mod interceptor;
#[cfg(feature = "emulator")]
pub mod jwt;
#[cfg(feature = "emulator")]
pub mod log_lines;
#[cfg(feature = "emulator")]
pub mod proof;
#[cfg(feature = "emulator")]
pub mod request;
#[cfg(feature = "emulator")]
pub mod response;
#[cfg(feature = "emulator")]
mod stack;

#[cfg(feature = "emulator")]
pub use emulator::*;

/// The names that tests use most.
#[cfg(feature = "emulator")]
mod emulator {
    use std::task::Poll;

    use serde_json::Value;

    pub use crate::client_key::ClientKeyPair;
    pub use crate::cloud::Cloud;
    pub use crate::command_line::{CommandLine, CommandOutput, file, fresh_path};
    pub use crate::contract::{CONTRACT, assert_documented, examples, resolved, schema};
    pub use crate::deployment::{
        APPLICATION, BROWSER_APP, BROWSER_ORIGIN, BrowserLogin, CALLBACK, CASES, CHALLENGE, CHEAP_ARGON2,
        CLIENT_CREDENTIALS, CODE_CLIENT, COOKIE, IMPORTED_USER, ISSUER, NOW, OTHER_APPLICATION, PASSWORD, SCOPE,
        SERVICE, TestApp, USERNAME, VERIFIER, browser, browser_login, browser_refresh, exchange, fixtures,
        key_document, key_record, p256_pem, pem, with_cookie, with_pages,
    };
    pub use crate::fake_issuer::{Behavior, FakeIssuer};
    pub use crate::fault_proxy::{Fault, FaultKind, FaultProxy};
    pub use crate::flow::{FLOWS, Flow, Scenario, calls_of, login_is_recorded};
    pub use crate::function::{Function, event, gateway_response};
    pub use crate::interceptor::Interceptor;
    pub use crate::log_lines::LogLines;
    pub use crate::proof::access_token_hash;
    pub use crate::request::{RequestBuilder, basic, form, form_body, percent, raw_form, raw_json};
    pub use crate::response::{Claims, Response, changed_token};

    /// Returns an object with changed members. `null` removes a member.
    pub fn with_changes(mut object: Value, changes: &Value) -> Value {
        for (name, value) in changes.as_object().unwrap() {
            object[name] = value.clone();
        }
        object.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        object
    }

    /// Waits for all futures, concurrently. Returns their results in order.
    pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
        let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
        std::future::poll_fn(|context| {
            for (future, output) in futures.iter_mut().filter(|(_, output)| output.is_none()) {
                if let Poll::Ready(ready) = future.as_mut().poll(context) {
                    *output = Some(ready);
                }
            }
            if futures.iter().any(|(_, output)| output.is_none()) { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        futures.into_iter().filter_map(|(_, output)| output).collect()
    }
}
