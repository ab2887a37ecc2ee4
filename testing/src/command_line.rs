//! The CLI's binary, as an operator or a script runs it.

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

/// The CLI, for the deployment that environment variables name.
pub struct CommandLine {
    binary: PathBuf,
    cloud: SocketAddr,
}

/// The output and the exit code of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Returns a path that no other test uses and that ends in this name.
pub fn fresh_path(name: &str) -> PathBuf {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(3).unwrap().join("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{}-{made}-{name}", process::id()))
}

/// Writes a file at such a path.
pub fn file(name: &str, text: &str) -> PathBuf {
    let path = fresh_path(name);
    std::fs::write(&path, text).unwrap();
    path
}

impl CommandLine {
    /// The CLI at this path, for a deployment whose cloud is at this address.
    pub fn new(binary: impl Into<PathBuf>, cloud: SocketAddr) -> Self {
        Self { binary: binary.into(), cloud }
    }

    /// A command without a deployment, without a terminal and without the environment of this process.
    pub fn bare(&self, arguments: &[&str]) -> Command {
        self.program(&self.binary, arguments)
    }

    /// A program that uses the same cloud.
    pub fn program(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.cloud))
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
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "").await
    }

    /// Runs a command with this text as stdin.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        Ran::of(self.start(arguments), input).await
    }

    /// Runs a command that must succeed, and returns its JSON output.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat()).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()
    }
}

impl Ran {
    pub async fn of(mut process: Child, input: &str) -> Self {
        // A command that is rejected immediately does not read stdin.
        let _ = process.stdin.take().unwrap().write_all(input.as_bytes()).await;
        let output = process.wait_with_output().await.unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// Asserts the exit code and a part of the output. A command that failed prints one line.
    pub fn assert(&self, code: i32, said: &str) -> &Self {
        assert!(self.code == code && format!("{}{}", self.out, self.err).contains(said), "{code} {said:?}: {self:?}");
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
