//! The operators' command line: the built binary, as a person or a script would run it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::ISSUER;
use crate::cloud::environment;

/// The command line, with a deployment named by the environment.
pub struct CommandLine {
    door: SocketAddr,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A path that nothing else has, by a name that ends so.
pub fn fresh_path(name: &str) -> PathBuf {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{made}-{name}", process::id()))
}

/// A file that says this, at such a path.
pub fn file(name: &str, text: &str) -> PathBuf {
    let path = fresh_path(name);
    std::fs::write(&path, text).unwrap();
    path
}

impl CommandLine {
    pub fn new(door: SocketAddr) -> Self {
        Self { door }
    }

    /// A command that names no deployment; on no terminal, and with nothing of this process's environment.
    pub fn bare(&self, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_countersign"), arguments)
    }

    /// A program that talks to the same cloud.
    pub fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.door))
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

    /// Runs a command with nothing to read.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "").await
    }

    /// Runs a command with this input.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        Ran::of(self.start(arguments), input).await
    }

    /// Runs a command that has to be done, and yields what it printed as JSON.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat()).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()
    }
}

impl Ran {
    pub async fn of(mut process: Child, input: &str) -> Self {
        // One that is refused at once reads nothing.
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

    /// That it ended with this code, and said this; and only this, in one line, if it failed.
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
