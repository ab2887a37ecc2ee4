//! The operators' command line, through its binary.

use crate::support::TestApp;

mod clients;
mod doctor;
mod hashes;
mod import;
mod keys;
mod origins;
mod page;
mod plan;
mod tokens;
mod users;

/// A deployment whose time is the machine's, by which the command line goes.
async fn started() -> TestApp {
    let test = TestApp::start().await;
    test.keep_machine_time().await;
    test
}
