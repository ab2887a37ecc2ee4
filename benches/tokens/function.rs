//! The deployed function under a Lambda runtime API and over an emulated AWS: its size, its starts, the cost of a
//! request, and its memory.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::Value;
use tokio::process;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::deployment::put_key;
use crate::process::CloudProcess;
use crate::report::{Report, at_most, note, row, table};
use crate::request::TokenRequest;
use crate::share::Share;
use crate::tls::Certificate;
use crate::{folder::Folder, setting};
use testing::Function;
use testing::cloud::BoxError;
use testing::function::command;

mod starts;
mod warm;

/// A function, and its connection to the emulated AWS.
#[derive(Clone, Copy)]
struct Subject<'a> {
    binary: &'a Path,
    scheme: &'static str,
    address: SocketAddr,
    /// The certificate of `AWS_CA_BUNDLE`. Without it, the function trusts those of the machine.
    trusted: Option<&'a Certificate>,
}

impl Subject<'_> {
    /// Returns the command that starts a program with the function's environment variables.
    fn command(&self, program: &Path) -> process::Command {
        let mut command = command(program, self.address);
        command
            .env("AWS_ENDPOINT_URL", format!("{}://{}", self.scheme, self.address))
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("KEYS_MAX_AGE", "1000000")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        if let Some(trusted) = self.trusted {
            command.env("AWS_CA_BUNDLE", &trusted.certificate);
        }
        command
    }

    async fn start(&self) -> Result<Running, BoxError> {
        Running::start(self.command(self.binary)).await
    }

    /// Starts the function with a share of a processor from the beginning.
    async fn start_under(&self, share: &Share) -> Result<Running, BoxError> {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(share.shell_arguments(self.binary));
        Running::start(command).await
    }
}

/// A function that has requested its next invocation.
struct Running {
    function: Function,
    /// The time from the start of the process to its first request for an invocation.
    started_in: Duration,
}

impl Running {
    async fn start(command: process::Command) -> Result<Self, BoxError> {
        let mut function = Function::start(command).await?;
        let started_in = function.polled().await? - function.started;
        Ok(Self { function, started_in })
    }

    fn id(&self) -> u32 {
        self.function.id()
    }

    /// Invokes the function and waits until it requests the next invocation. Returns the response and its duration.
    async fn invoke(&mut self, event: &Value) -> Result<(Value, Duration), BoxError> {
        let event = event.clone();
        let before = Instant::now();
        self.function.send(event).await;
        let (at, response) = self.function.responded().await?;
        self.function.polled().await?;
        Ok((response, at - before))
    }

    /// Invokes the function with a token request, which must succeed. Returns the body and the duration.
    async fn token(&mut self, event: &Value) -> Result<(String, Duration), BoxError> {
        let (response, duration) = self.invoke(event).await?;
        let body = response["body"].as_str().unwrap_or_default().to_owned();
        if response["statusCode"] == 200 { Ok((body, duration)) } else { Err(response.to_string().into()) }
    }
}

/// The functions that are compared.
struct Subjects<'a> {
    /// Without TLS, trusting one certificate.
    plain: Subject<'a>,
    /// Without TLS, trusting the certificates of the machine.
    system: Subject<'a>,
    /// With TLS, if the function trusts a certificate of this run.
    tls: Option<Subject<'a>>,
    /// The function that does nothing, if it was built.
    bare: Option<Subject<'a>>,
}

impl<'a> Subjects<'a> {
    /// Returns the function that is most like the deployed one.
    fn measured(&self) -> &Subject<'a> {
        self.tls.as_ref().unwrap_or(&self.plain)
    }
}

/// Returns the function to measure, and prints its origin.
fn binary() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let deployed = root.join(".aws-sam/build/ApiFunction/bootstrap");
    let (binary, origin) = match setting("FUNCTION") {
        Some(binary) => (PathBuf::from(binary), "the one that FUNCTION names"),
        None if deployed.exists() => (deployed, "the one in .aws-sam, which `make build` built"),
        None => (
            env!("CARGO_BIN_EXE_api").into(),
            "the one that cargo built for this run, with more features than the deployed one",
        ),
    };
    note(&format!("The function is {origin}."));
    binary
}

/// Returns the function that does nothing, if it was built.
fn bare_binary() -> Result<Option<PathBuf>, BoxError> {
    let executable = env::current_exe()?;
    let bare = executable.ancestors().nth(2).map(|folder| folder.join("examples/bare"));
    Ok(bare.filter(|bare| bare.exists()))
}

/// Runs the part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    let folder = Folder::create("function")?;
    let binary = binary();
    report_size(&binary)?;
    let certificate =
        Certificate::create(&folder.path).inspect_err(|error| note(&format!("TLS is not measured: {error}."))).ok();
    let emulator = match &certificate {
        Some(certificate) => CloudProcess::start_tls(certificate)?,
        None => CloudProcess::start()?,
    };
    runtime.block_on(put_key(emulator.address(), Algorithm::ES256))?;
    let bare = bare_binary()?;
    let plain = Subject { binary: &binary, scheme: "http", address: emulator.address(), trusted: certificate.as_ref() };
    let tls = emulator.addresses.tls.map(|address| Subject { scheme: "https", address, ..plain });
    let subjects = Subjects {
        plain,
        system: Subject { trusted: None, ..plain },
        tls: tls.filter(|tls| runtime.block_on(trusts_certificate(tls))),
        bare: bare.as_deref().map(|binary| Subject { binary, ..plain }),
    };
    let starts = runtime.block_on(starts::run(&subjects))?;
    let starts_under_share = runtime.block_on(starts::run_under_share(&subjects))?;
    let warm = runtime.block_on(warm::run(&subjects, &emulator))?;
    report.sum_up("function", &format!("{starts}; {starts_under_share}; {warm}"));
    Ok(())
}

/// Returns true if the function trusts the certificate of `AWS_CA_BUNDLE`: without that, it cannot issue a token.
async fn trusts_certificate(tls: &Subject<'_>) -> bool {
    let event = TokenRequest::client_credentials(None).to_event();
    let token = async { tls.start().await?.token(&event).await };
    let is_trusted = token.await.is_ok();
    if !is_trusted {
        note("TLS is not measured: the function does not trust AWS_CA_BUNDLE.");
    }
    is_trusted
}

fn report_size(binary: &Path) -> Result<(), BoxError> {
    let bytes = fs::metadata(binary)?.len();
    // A zip file with one file in it is about 150 bytes larger than this.
    let zipped = Command::new("gzip").arg("--stdout").arg(binary).output()?.stdout.len();
    let megabytes = |bytes: u64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6;
    let cells = row([&at_most(megabytes(bytes), "", 9.2), &at_most(megabytes(zipped.try_into()?), "", 3.9)]);
    table("Size of the function", &["binary MB", "zip MB"], &[cells]);
    Ok(())
}
