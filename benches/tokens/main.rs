//! `cargo bench`: the cost of a token. `cargo bench -- grants` runs one part. The output is Markdown tables, and a
//! summary with one line for each part.
//!
//! | part | measures |
//! |---|---|
//! | `floors` | the parts of a token, each by itself |
//! | `grants` | each grant through the router: beside its floor, and without its store calls |
//! | `endpoints` | the login page, the exchange of a code, introspection, `private_key_jwt`: without their store calls |
//! | `function` | the deployed function (`FUNCTION`, or the result of `make build`): starts, requests, memory |
//! | `load` | the API over HTTP, with 1 and 16 connections |
//! | `growth` | requests with up to a million clients and users (`GROWTH`) |
//! | `peers` | two servers in Node beside ours, over the same emulated AWS |
//!
//! Nothing leaves this machine: all processes listen on 127.0.0.1 only, and end with this one.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failed measurement has no result")]
#![allow(clippy::unchecked_time_subtraction, reason = "these clocks are monotonic")]

use std::io;
use std::process::ExitCode;

use countersign::log;
use testing::cloud::BoxError;
use tokio::runtime::{Builder, Runtime};

mod deployment;
mod endpoints;
mod floors;
mod folder;
mod function;
mod grants;
mod growth;
mod load;
mod measure;
mod peers;
mod process;
mod report;
mod request;
mod role;
mod share;
mod tls;

use report::Report;

/// Measures, prints tables, and adds a line to the summary.
type Part = fn(&Runtime, &mut Report) -> Result<(), BoxError>;

const PARTS: [(&str, Part); 7] = [
    ("floors", floors::run),
    ("grants", grants::run),
    ("endpoints", endpoints::run),
    ("function", function::run),
    ("load", load::run),
    ("growth", growth::run),
    ("peers", peers::run),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((option, [role, rest @ ..])) if option == role::OPTION => role::run(role, rest),
        _ => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), BoxError> {
    // Cargo adds options such as --bench.
    let selected: Vec<_> = arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    if let Some(unknown) = selected.iter().find(|part| PARTS.iter().all(|(name, _)| name != *part)) {
        let names = PARTS.map(|(name, _)| name).join(", ");
        return Err(format!("there is no part `{unknown}`; the parts are {names}").into());
    }
    // Log lines are formatted as in the function, and discarded. `log::init` logs panics, which belong on stderr here.
    log::init(io::sink);
    drop(std::panic::take_hook());
    // One thread, as in the function.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::default();
    for (name, part) in PARTS {
        if selected.is_empty() || selected.contains(&name) {
            part(&runtime, &mut report).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    report.end();
    Ok(())
}

/// Returns a setting of the benchmarks from an environment variable.
#[expect(clippy::disallowed_methods, reason = "these are not settings of the service")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
