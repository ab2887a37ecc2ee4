//! The binary of the CLI, run like an operator or a script runs it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{self, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::cloud::environment;
use crate::deployment::ISSUER;

/// The CLI for one deployment, which environment variables name.
pub struct CommandLine {
    binary: PathBuf,
    cloud: SocketAddr,
}

/// The output and the exit code of a command.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Returns a path that no other test uses and that ends in this name.
pub fn fresh_path(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(3).unwrap().join("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{}-{count}-{name}", process::id()))
}

/// Writes a file at a [`fresh_path`] and returns the path.
pub fn file(name: &str, text: &str) -> PathBuf {
    let path = fresh_path(name);
    std::fs::write(&path, text).unwrap();
    path
}

impl CommandLine {
    /// Returns the CLI at this path, for the emulated AWS at this address.
    pub fn new(binary: impl Into<PathBuf>, cloud: SocketAddr) -> Self {
        Self { binary: binary.into(), cloud }
    }

    /// Returns a command without the variables of a deployment, a terminal, or the environment of this process.
    pub fn bare(&self, arguments: &[&str]) -> Command {
        self.program(&self.binary, arguments)
    }

    /// Returns another program that uses the same emulated AWS.
    pub fn program(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear();
        // One endpoint for each service, because one for all services is that of an emulator for the CLI.
        for service in ["CLOUDFORMATION", "CLOUDWATCH_LOGS", "DYNAMODB", "SECRETS_MANAGER", "STS"] {
            command.env(format!("AWS_ENDPOINT_URL_{service}"), format!("http://{}", self.cloud));
        }
        command
            .env("AWS_REGION", "eu-west-2")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts a command.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.bare(arguments).envs(environment(ISSUER)).spawn().unwrap()
    }

    /// Runs a command with empty stdin.
    pub async fn run(&self, arguments: &[&str]) -> CommandOutput {
        self.run_with(arguments, "").await
    }

    /// Runs a command with this text as stdin.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> CommandOutput {
        CommandOutput::of(self.start(arguments), input).await
    }

    /// Runs a command that must succeed, and returns its JSON output.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat()).await;
        assert_eq!(output.code, 0, "{output:?}");
        output.json()
    }
}

impl CommandOutput {
    /// Writes stdin and waits until the process has ended.
    pub async fn of(mut process: Child, input: &str) -> Self {
        // A command with invalid arguments does not read stdin.
        let _ = process.stdin.take().unwrap().write_all(input.as_bytes()).await;
        let output = process.wait_with_output().await.unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Parses stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// Asserts the exit code and a part of the output. If the code is 1, asserts that stderr has one line.
    pub fn assert(&self, code: i32, part: &str) -> &Self {
        assert!(self.code == code && format!("{}{}", self.out, self.err).contains(part), "{code} {part:?}: {self:?}");
        if code == 1 {
            assert_eq!(
                self.err
                    .lines()
                    .filter(|line| !["changing", "not in the file"].iter().any(|remark| line.contains(remark)))
                    .count(),
                1,
                "{self:?}"
            );
        }
        self
    }
}
