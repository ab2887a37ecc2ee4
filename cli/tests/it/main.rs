//! The CLI, through its binary and over an emulated AWS. A name that begins with `s_` and a number is the promise of that
//! number in `docs/security.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by it"
)]
#![allow(clippy::format_collect, reason = "nothing here is done often")]

use testing::{CommandLine, TestApp};

mod advice;
mod attempts;
mod audit;
mod claims;
mod client_certs;
mod client_keys;
mod clients;
mod consents;
mod doctor;
mod hashes;
mod help;
mod import;
mod keys;
mod origins;
mod page;
mod passwords;
mod plan;
mod public_clients;
mod revocation;
mod scopes;
mod shared_ids;
mod tokens;
mod trust;
mod users;

const BINARY: &str = env!("CARGO_BIN_EXE_countersign");

/// Returns the CLI for a deployment.
fn command_line(test: &TestApp) -> CommandLine {
    CommandLine::new(BINARY, test.cloud_address())
}

/// Starts a deployment that uses the system time, because the CLI does.
async fn started() -> TestApp {
    let test = TestApp::start().await;
    test.use_system_time().await;
    test
}
