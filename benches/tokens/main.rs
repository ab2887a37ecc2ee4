//! `cargo bench`: what a token costs. `cargo bench -- grants` runs one part. Tables come out in Markdown; each part has a
//! line at the end.
//!
//! | part | what |
//! |---|---|
//! | `floors` | the parts of a token by themselves |
//! | `grants` | each grant through the router, beside its floor, and without its store |
//! | `function` | the function as it is deployed (`FUNCTION`, or what `make build` left): starts, requests, memory |
//! | `load` | the API on a socket, with 1 and 16 connections |
//! | `growth` | the same with up to a million clients and users (`GROWTH`) |
//! | `peers` | two servers in Node beside ours, over the same account |
//!
//! All of it is on this machine: it listens on 127.0.0.1 alone, and what it starts ends with it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that goes wrong is none"
)]
#![allow(clippy::unchecked_time_subtraction, reason = "these clocks go only forward")]

use std::io;
use std::process::ExitCode;

use countersign::log;
use testing::cloud::BoxError;
use tokio::runtime::{Builder, Runtime};

mod argon2_cores;
mod deployment;
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
mod share;
mod tls;

use report::Report;

/// What measures, prints, and leaves a line for the end.
type Part = fn(&Runtime, &mut Report) -> Result<(), BoxError>;

const PARTS: [(&str, Part); 6] = [
    ("floors", floors::run),
    ("grants", grants::run),
    ("function", function::run),
    ("load", load::run),
    ("growth", growth::run),
    ("peers", peers::run),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, [what, rest @ ..])) if first == process::BE => process::be(what, rest),
        _ => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("countersign: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), BoxError> {
    // cargo passes options of its own, such as --bench.
    let words: Vec<_> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    if let Some(wrong) = words.iter().find(|word| PARTS.iter().all(|(name, _)| name != *word)) {
        let names = PARTS.map(|(name, _)| name).join(", ");
        return Err(format!("{wrong} is no part of the benchmarks; the parts are {names}").into());
    }
    // As in the function: lines are made, and go nowhere. What a panic says is wanted here.
    log::init(io::sink);
    drop(std::panic::take_hook());
    // One thread, as the function has it.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::default();
    for (name, part) in PARTS {
        if words.is_empty() || words.contains(&name) {
            part(&runtime, &mut report).map_err(|fault| format!("{name}: {fault}"))?;
        }
    }
    report.end();
    Ok(())
}

/// A setting of the run, from the environment.
#[expect(clippy::disallowed_methods, reason = "these are not settings of the service")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
