//! Processes of the functions and the CLI.

use std::net::SocketAddr;
use std::path::Path;

use testing::function::command;
use testing::{CommandLine, Function, TestApp};

/// Starts the API function. The environment variable `FUNCTION` can name another binary, for example the deployed one.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
pub async fn start_api(cloud: SocketAddr, settings: &[(&str, &str)]) -> Function {
    let binary = std::env::var("FUNCTION").unwrap_or_else(|_| env!("CARGO_BIN_EXE_api").to_owned());
    let mut command = command(binary, cloud);
    command.envs(settings.iter().copied());
    Function::start(command).await.unwrap()
}

/// Starts the key rotation function.
pub async fn start_rotate(cloud: SocketAddr) -> Function {
    Function::start(command(env!("CARGO_BIN_EXE_rotate"), cloud)).await.unwrap()
}

/// Returns the CLI for a deployment. `cargo test` builds its binary.
pub fn command_line(test: &TestApp) -> CommandLine {
    let binary = Path::new(env!("CARGO_BIN_EXE_api")).with_file_name("countersign");
    assert!(binary.exists(), "{} is missing: build it with `cargo build -p countersign-cli`", binary.display());
    CommandLine::new(binary, test.cloud_address())
}
