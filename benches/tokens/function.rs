//! The function as it is deployed, under a runtime API and over an emulated account: how it starts, what a request costs
//! it, and what it keeps.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::deployment::{ACCEPTED, Ask, ISSUER, put_key, refresh_token};
use crate::measure::{cpu_of, median, milliseconds, resident_mib};
use crate::process::CloudProcess;
use crate::report::{Report, at_most, figure, note, row, table};
use crate::share::Share;
use crate::tls::Certificate;
use crate::{folder::Folder, setting};
use testing::Function;
use testing::cloud::{BoxError, environment};

const STARTS: usize = 20;
const STARTS_UNDER_A_SHARE: usize = 10;
const REQUESTS: u32 = 1_000;
/// How many times each function is turned to, for some of them.
const WARM_TURNS: u32 = 20;
const EVENT: &str = include_str!("../../events/client_credentials.json");
/// How long bare `lambda_http` took to its first `next` where there is no example to measure.
const BARE_NEXT_MS: f64 = 1.2;

/// What runs, and over what.
struct Subject<'a> {
    binary: &'a Path,
    account: Option<Account<'a>>,
}

#[derive(Clone, Copy)]
struct Account<'a> {
    scheme: &'static str,
    address: SocketAddr,
    /// What the function trusts; without it, what the machine trusts.
    trusted: Option<&'a Certificate>,
}

impl Subject<'_> {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(environment(ISSUER))
            .env("KEYS_MAX_AGE", "1000000")
            .env("AWS_LAMBDA_FUNCTION_NAME", "api")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_REGION", "eu-west-2")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some(Account { scheme, address, trusted }) = self.account {
            command.env("AWS_ENDPOINT_URL", format!("{scheme}://{address}"));
            if let Some(trusted) = trusted {
                command.env("AWS_CA_BUNDLE", &trusted.certificate);
            }
        }
        command
    }

    async fn start(&self) -> Result<Running, BoxError> {
        started(self.command(self.binary)).await
    }

    async fn start_under(&self, share: &Share) -> Result<Running, BoxError> {
        started(share.around(self.binary, |program| self.command(program))).await
    }
}

/// A function that has requested its next invocation.
struct Running {
    function: Function,
    /// From before the process was started to its first request for an invocation.
    started_in: Duration,
}

async fn started(command: Command) -> Result<Running, BoxError> {
    let mut function = Function::start(command.into()).await?;
    let started_in = function.polled().await? - function.started;
    Ok(Running { function, started_in })
}

impl Running {
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
}

/// The gateway's event of a request.
fn event(ask: &Ask) -> Value {
    let mut event: Value = serde_json::from_str(EVENT).unwrap();
    event["headers"]["accept"] = ACCEPTED.into();
    event["headers"]["authorization"] = ask.authorization.clone().into();
    event["headers"]["content-length"] = ask.form.len().to_string().into();
    event["body"] = ask.form.clone().into();
    event
}

/// Has a token request answered; yields the body, and how long it took.
async fn token(function: &mut Running, ask: &Ask) -> Result<(String, Duration), BoxError> {
    let (answer, took) = function.invoke(&event(ask)).await?;
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    if answer["statusCode"] == 200 { Ok((body, took)) } else { Err(answer.to_string().into()) }
}

/// What one start was like.
struct Start {
    next: Duration,
    cpu: Duration,
    first: Duration,
    first_cpu: Duration,
}

async fn start(mut function: Running, ask: Option<&Ask>) -> Result<Start, BoxError> {
    let cpu = cpu_of(function.id());
    let first = match ask {
        Some(ask) => token(&mut function, ask).await?.1,
        None => function.invoke(&event(&Ask::client_credentials(None))).await?.1,
    };
    Ok(Start { next: function.started_in, cpu, first, first_cpu: cpu_of(function.id()) - cpu })
}

fn medians(name: &str, starts: &[Start]) -> Vec<String> {
    let of = |part: fn(&Start) -> Duration| figure(median(starts.iter().map(|start| milliseconds(part(start)))));
    row([&name, &of(|s| s.next), &of(|s| s.cpu), &of(|s| s.first), &of(|s| s.first_cpu)])
}

fn next_ms(starts: &[Start]) -> f64 {
    median(starts.iter().map(|start| milliseconds(start.next)))
}

fn first_ms(starts: &[Start]) -> f64 {
    median(starts.iter().map(|start| milliseconds(start.first)))
}

fn binary() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let deployed = root.join(".aws-sam/build/ApiFunction/bootstrap");
    let (binary, which) = match setting("FUNCTION") {
        Some(binary) => (PathBuf::from(binary), "that FUNCTION names"),
        None if deployed.exists() => (deployed, "that make build left in .aws-sam"),
        None => {
            (env!("CARGO_BIN_EXE_api").into(), "that cargo built for this run, with more features than are deployed")
        }
    };
    note(&format!("The function is the one {which}."));
    binary
}

/// The part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    let folder = Folder::make("function")?;
    let binary = binary();
    size(&binary)?;
    let certificate = match Certificate::make(&folder.path) {
        Ok(certificate) => Some(certificate),
        Err(fault) => {
            note(&format!("{fault}: without TLS."));
            None
        }
    };
    let emulator = match &certificate {
        Some(certificate) => CloudProcess::start_tls(certificate)?,
        None => CloudProcess::start()?,
    };
    runtime.block_on(put_key(emulator.door(), Algorithm::ES256))?;
    let over =
        |scheme, address, trusted| Subject { binary: &binary, account: Some(Account { scheme, address, trusted }) };
    let plain = over("http", emulator.door(), certificate.as_ref());
    let system = over("http", emulator.door(), None);
    let tls = emulator.addresses.tls.map(|address| over("https", address, certificate.as_ref()));
    let service = Ask::client_credentials(None);
    // A function that does not trust the certificate has no token to give.
    let trusted = async |tls: &Subject<'_>| token(&mut tls.start().await?, &service).await;
    let tls = match tls.map(|tls| runtime.block_on(trusted(&tls)).map(|_| tls)) {
        Some(Ok(tls)) => Some(tls),
        Some(Err(_)) => {
            note("The function does not trust AWS_CA_BUNDLE: without TLS.");
            None
        }
        None => None,
    };
    let bare = env::current_exe()?.parent().and_then(Path::parent).map(|folder| folder.join("examples/bare"));
    let bare = bare.filter(|bare| bare.exists());
    let bare = bare.as_deref().map(|binary| Subject { binary, account: None });

    let line = runtime.block_on(starts(&plain, &system, tls.as_ref(), bare.as_ref()))?;
    let measured = tls.as_ref().unwrap_or(&plain);
    let shared = runtime.block_on(starts_under_a_share(measured, bare.as_ref()))?;
    let warm = runtime.block_on(warm(measured, bare.as_ref(), &emulator))?;
    report.sum_up("function", &format!("{line}; {shared}; {warm}"));
    Ok(())
}

fn size(binary: &Path) -> Result<(), BoxError> {
    let bytes = fs::metadata(binary)?.len();
    // A zip with one file in it is this and some 150 bytes.
    let zipped = Command::new("gzip").arg("--stdout").arg(binary).output()?.stdout.len();
    let megabytes = |bytes: u64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6;
    let cells =
        [&at_most(megabytes(bytes), "", 8.5) as &dyn ToString, &at_most(megabytes(zipped.try_into()?), "", 3.6)];
    table("Size of the function", &["binary MB", "zip MB"], &[row(cells)]);
    Ok(())
}

async fn starts(
    plain: &Subject<'_>,
    system: &Subject<'_>,
    tls: Option<&Subject<'_>>,
    bare: Option<&Subject<'_>>,
) -> Result<String, BoxError> {
    let service = Ask::client_credentials(None);
    let subjects = [
        ("loopback TLS", tls, Some(&service)),
        ("without TLS", Some(plain), Some(&service)),
        ("without TLS, but with the machine's certificates", Some(system), Some(&service)),
        ("bare lambda_http", bare, None),
    ];
    let mut starts = subjects.each_ref().map(|_| Vec::new());
    for _ in 0..STARTS {
        for ((_, subject, ask), starts) in subjects.iter().zip(&mut starts) {
            if let Some(subject) = subject {
                starts.push(start(subject.start().await?, *ask).await?);
            }
        }
    }
    let measured = subjects.iter().zip(&starts).filter(|(_, starts)| !starts.is_empty());
    let rows: Vec<_> = measured.map(|((name, ..), starts)| medians(name, starts)).collect();
    let columns = ["start", "to the first `next`, ms", "CPU of that, ms", "first request, ms", "CPU of that, ms"];
    table(&format!("Starts (medians of {STARTS}, client_credentials ES256)"), &columns, &rows);
    note(
        "The keys are loaded and the connections opened before the first `next`. The function trusts the one certificate \
         of AWS_CA_BUNDLE; deployed, Amazon's five.",
    );
    let [by_tls, by_http, _, bare_starts] = &starts;
    let bare_next = if bare_starts.is_empty() { BARE_NEXT_MS } else { next_ms(bare_starts) };
    if bare_starts.is_empty() {
        note("There is no target/release/examples/bare: `make bench` builds it. 1.2 ms stand for it.");
    }
    // The goals for the start leave the network out: two calls over loopback are what is nearest to that.
    Ok(format!(
        "first next without TLS {}, which is {} bare lambda_http, first request {}",
        at_most(next_ms(by_http), " ms", 3.0),
        at_most(next_ms(by_http) / bare_next, " x", 1.8),
        at_most(first_ms(if by_tls.is_empty() { by_http } else { by_tls }), " ms", 4.0),
    ))
}

async fn starts_under_a_share(function: &Subject<'_>, bare: Option<&Subject<'_>>) -> Result<String, BoxError> {
    let share = match Share::make() {
        Ok(share) => share,
        Err(fault) => {
            note(&format!("No share of a processor can be set here ({fault}): skipped."));
            return Ok("no share of a processor can be set here".to_owned());
        }
    };
    let service = Ask::client_credentials(None);
    let (mut starts, mut bare_starts) = (vec![], vec![]);
    for _ in 0..STARTS_UNDER_A_SHARE {
        // Lambda gives an environment a whole processor until it is initialised; and without that.
        let initialised = function.start().await?;
        share.take_in(initialised.id())?;
        starts.push((
            start(initialised, Some(&service)).await?,
            start(function.start_under(&share).await?, Some(&service)).await?,
        ));
        if let Some(bare) = bare {
            bare_starts.push(start(bare.start_under(&share).await?, None).await?);
        }
    }
    let (after, all): (Vec<_>, Vec<_>) = starts.into_iter().unzip();
    let mut rows =
        vec![medians("the share from its first request on", &after), medians("the share from its start on", &all)];
    if bare.is_some() {
        rows.push(medians("bare lambda_http, the share from its start on", &bare_starts));
    }
    let columns = ["start", "to the first `next`, ms", "CPU of that, ms", "first request, ms", "CPU of that, ms"];
    let title = format!("Starts under the processor's share of 128 MB, 7.2 % (medians of {STARTS_UNDER_A_SHARE})");
    table(&title, &columns, &rows);
    Ok(format!("under the share of 128 MB, first request {}", at_most(first_ms(&after), " ms", 50.0)))
}

/// A function that is asked again and again.
struct Warm {
    name: &'static str,
    function: Running,
    event: Value,
    /// Whether each answer holds what to ask for next.
    refreshes: bool,
    first_mib: f64,
    cpu_ms: Vec<f64>,
    took: Vec<Duration>,
}

impl Warm {
    async fn start(name: &'static str, mut function: Running, mut ask: Ask) -> Result<Self, BoxError> {
        let refreshes = name.starts_with("refresh_token");
        if refreshes {
            let (login, _) = token(&mut function, &Ask::password(None)).await?;
            ask = Ask::refresh_token(&refresh_token(login.as_bytes()));
        }
        let event = event(&ask);
        let mut warm = Self { name, function, event, refreshes, first_mib: 0.0, cpu_ms: vec![], took: vec![] };
        warm.ask().await?;
        warm.first_mib = warm.mib();
        warm.took.clear();
        Ok(warm)
    }

    async fn ask(&mut self) -> Result<(), BoxError> {
        let (answer, took) = self.function.invoke(&self.event).await?;
        self.took.push(took);
        if answer["statusCode"] != 200 {
            return Err(answer.to_string().into());
        }
        if self.refreshes {
            let token = refresh_token(answer["body"].as_str().unwrap_or_default().as_bytes());
            self.event = event(&Ask::refresh_token(&token));
        }
        Ok(())
    }

    async fn turn(&mut self) -> Result<(), BoxError> {
        let before = cpu_of(self.function.id());
        for _ in 0..REQUESTS / WARM_TURNS {
            self.ask().await?;
        }
        self.cpu_ms.push(milliseconds((cpu_of(self.function.id()) - before) / (REQUESTS / WARM_TURNS)));
        Ok(())
    }

    fn cpu_ms(&self) -> f64 {
        median(self.cpu_ms.iter().copied())
    }

    fn mib(&self) -> f64 {
        resident_mib(self.function.id())
    }

    fn told(&self) -> Vec<String> {
        let wall_ms = median(self.took.iter().copied().map(milliseconds));
        row([&self.name, &figure(self.cpu_ms()), &figure(wall_ms), &figure(self.first_mib), &figure(self.mib())])
    }
}

async fn warm(subject: &Subject<'_>, bare: Option<&Subject<'_>>, emulator: &CloudProcess) -> Result<String, BoxError> {
    let mut functions = Vec::new();
    if let Some(bare) = bare {
        functions.push(Warm::start("bare lambda_http", bare.start().await?, Ask::client_credentials(None)).await?);
    }
    for (name, algorithm, ask) in [
        ("client_credentials ES256", Algorithm::ES256, Ask::client_credentials(None)),
        ("client_credentials RS256", Algorithm::RS256, Ask::client_credentials(None)),
        ("refresh_token ES256", Algorithm::ES256, Ask::refresh_token("")),
        ("password ES256", Algorithm::ES256, Ask::password(None)),
    ] {
        // A function reads its key when it starts, and then keeps it.
        put_key(emulator.door(), algorithm).await?;
        functions.push(Warm::start(name, subject.start().await?, ask).await?);
    }
    for _ in 0..WARM_TURNS {
        for function in &mut functions {
            function.turn().await?;
        }
    }
    let columns = ["warm", "CPU ms", "wall ms", "MiB after 1", "MiB after 1,000"];
    let rows: Vec<_> = functions.iter().map(Warm::told).collect();
    table(&format!("The function when it is warm ({REQUESTS} requests each, in turns; medians)"), &columns, &rows);
    let of = |name| functions.iter().find(|function| function.name == name).unwrap();
    let (service, logins) = (of("client_credentials ES256"), of("password ES256"));
    Ok(format!(
        "warm {} {} CPU, {} after 1,000, {} after 1,000 logins",
        service.name,
        at_most(service.cpu_ms(), " ms", 0.3),
        at_most(service.mib(), " MiB", 12.0),
        at_most(logins.mib(), " MiB", 32.0),
    ))
}
