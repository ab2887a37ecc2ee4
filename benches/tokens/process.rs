//! The processes that are measured: each is this program again, with a role. A process of its own lets its CPU time be
//! counted separately. Each process ends when its stdin does, so none outlives this one.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measure::cpu_of_process;
use crate::role;
use crate::tls::Certificate;
use testing::cloud::BoxError;

/// A process that is ready. Dropping this value ends it.
pub struct Process {
    child: Child,
    /// The line that it printed when it was ready.
    pub ready_line: String,
}

impl Process {
    /// Starts this program in a role, and waits until it is ready.
    pub fn start_role(role: &str, arguments: &[String]) -> Result<Self, BoxError> {
        let mut command = Command::new(env::current_exe()?);
        command.args([role::OPTION, role]).args(arguments);
        Self::start(&mut command)
    }

    /// Starts a program, and waits for the line that it prints when it is ready.
    pub fn start(command: &mut Command) -> Result<Self, BoxError> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("the process has no stdout")?).read_line(&mut line)?;
        let process = Self { child, ready_line: line.trim().to_owned() };
        if process.ready_line.is_empty() { Err(format!("{command:?} did not start").into()) } else { Ok(process) }
    }

    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the CPU time of the process.
    pub fn cpu(&self) -> Duration {
        cpu_of_process(self.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An emulated AWS in another process.
pub struct CloudProcess {
    pub process: Process,
    pub addresses: Addresses,
}

/// The addresses of an emulated AWS.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub struct Addresses {
    /// All services.
    pub all: SocketAddr,
    /// DynamoDB without the proxy before it.
    pub dynamodb: SocketAddr,
    /// All services over TLS.
    pub tls: Option<SocketAddr>,
}

impl CloudProcess {
    /// Starts an emulated AWS in memory.
    pub fn start() -> Result<Self, BoxError> {
        Self::start_with(&[])
    }

    /// Starts an emulated AWS in memory that also serves TLS.
    pub fn start_tls(certificate: &Certificate) -> Result<Self, BoxError> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        Self::start_with(&["--tls".to_owned(), path(&certificate.certificate), path(&certificate.key)])
    }

    /// Starts an emulated AWS in a file, with `count` more clients and users. Their password hash is the cheapest one.
    pub fn start_filled(file: &Path, count: u32) -> Result<Self, BoxError> {
        Self::start_with(&["--fill".to_owned(), file.to_string_lossy().into_owned(), count.to_string()])
    }

    fn start_with(arguments: &[String]) -> Result<Self, BoxError> {
        let process = Process::start_role("cloud", arguments)?;
        Ok(Self { addresses: serde_json::from_str(&process.ready_line)?, process })
    }

    /// Returns the address of all services.
    pub fn address(&self) -> SocketAddr {
        self.addresses.all
    }
}

/// A server that responds to token requests over HTTP, in another process.
pub struct Server {
    pub process: Process,
    pub url: String,
}

impl Server {
    /// Starts our API with a number of threads. The secret of the emulated AWS has a key already.
    pub fn start(addresses: Addresses, threads: usize) -> Result<Self, BoxError> {
        let mut command = Command::new(env::current_exe()?);
        command
            .args([role::OPTION, "server", &threads.to_string()])
            .env("AWS_ENDPOINT_URL", format!("http://{}", addresses.all))
            .env("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{}", addresses.dynamodb))
            .env("AWS_REGION", "eu-west-2")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local");
        let process = Process::start(&mut command)?;
        Ok(Self { url: process.ready_line.clone(), process })
    }
}

/// Returns the CPU time and the duration of the first random number of a process.
pub fn first_random() -> Result<(Duration, Duration), BoxError> {
    let process = Process::start_role("random", &[])?;
    let (cpu, wall): (u64, u64) = serde_json::from_str(&process.ready_line)?;
    Ok((Duration::from_nanos(cpu), Duration::from_nanos(wall)))
}
