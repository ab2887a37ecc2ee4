//! The test kit: what tests, benchmarks, the fuzz targets and the local example share. Nothing of it is deployed.
//!
//! | module | content |
//! |---|---|
//! | [`cloud`] | an emulated AWS: DynamoDB, Secrets Manager, and what operators ask STS and CloudFormation |
//! | [`canned`] | an AWS of fixed responses without a socket, for measurements and fuzzing |
//! | [`interceptor`] | between the service and its cloud: counts, holds and replaces calls |
//! | [`fault_proxy`] | between the service and its cloud: breaks connections and delays calls |
//! | [`function`] | a function's binary under a small Lambda runtime API |
//! | [`command_line`] | the CLI's binary |
//! | [`deployment`] | one deployment with fixtures: the router over an emulated AWS |
//! | [`demo`] | the fixtures of the local example |
//! | [`request`], [`response`] | requests, and the checks that hold for every response |
//! | [`contract`] | `openapi.yaml`, which every response must follow |
//! | [`flow`] | every kind of request, each with a deployment in the state for it |
//! | [`log_lines`] | the log of a test |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "a test fails by it"
)]
#![allow(missing_docs, reason = "most names say what they are")]

pub mod canned;
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
pub mod fault_proxy;
#[cfg(feature = "emulator")]
pub mod flow;
#[cfg(feature = "emulator")]
pub mod function;
#[cfg(feature = "emulator")]
pub mod interceptor;
#[cfg(feature = "emulator")]
pub mod log_lines;
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
    pub use crate::cloud::Cloud;
    pub use crate::command_line::{CommandLine, Ran, file, fresh_path};
    pub use crate::contract::{CONTRACT, assert_documented, resolved, schema};
    pub use crate::deployment::{
        APPLICATION, CASES, CHEAP_ARGON2, ISSUER, NOW, OLD, OTHER, PASSWORD, SCOPE, SERVICE, TestApp, USERNAME,
        fixtures, key_document, key_record, p256_pem, pem,
    };
    pub use crate::fault_proxy::{Fault, FaultProxy, Verb};
    pub use crate::flow::{FLOWS, Flow, Stage, active_generation, calls, recorded};
    pub use crate::function::{Function, event};
    pub use crate::interceptor::Interceptor;
    pub use crate::log_lines::LogLines;
    pub use crate::request::{RequestBuilder, basic, form, form_body, percent, raw_form, raw_json};
    pub use crate::response::{Claims, Response};
}
