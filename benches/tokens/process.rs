//! Processes of our own beside this one, which is then the only one whose CPU time it counts: this program again, with a
//! word that tells it what to be. Each ends when its input does, and so never outlives this one.

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use aws_config::BehaviorVersion;
use countersign::app::App;
use countersign::clock::Clock;
use countersign::http::router;
use countersign::{aws, log};
use dynoxide::{Database, ImportOptions};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::deployment;
use crate::measure::{cpu, cpu_so_far, wall};
use crate::tls::{self, Certificate};
use testing::cloud::{self, BoxError, Cloud};

/// The word before the name of what this program shall be.
pub const BE: &str = "--be";
/// How many items are put into a table at once.
const FILLED_AT_ONCE: usize = 10_000;

/// A process that runs.
pub struct Process {
    child: Child,
    /// What it said when it was ready.
    pub said: String,
}

impl Process {
    /// Starts this program as something else, and waits until it is ready.
    pub fn be(what: &str, arguments: &[String]) -> Result<Self, BoxError> {
        let mut command = Command::new(env::current_exe()?);
        command.args([BE, what]).args(arguments);
        Self::start(&mut command)
    }

    /// Starts a program, and waits for the line that says that it is ready.
    pub fn start(command: &mut Command) -> Result<Self, BoxError> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        BufReader::new(child.stdout.take().ok_or("it has no output")?).read_line(&mut said)?;
        let process = Self { child, said: said.trim().to_owned() };
        if process.said.is_empty() { Err(format!("{command:?} did not start").into()) } else { Ok(process) }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn cpu(&self) -> Duration {
        cpu_so_far(self.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An emulated account in a process of its own.
pub struct CloudProcess {
    pub process: Process,
    pub addresses: Addresses,
}

/// Where an account is.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub struct Addresses {
    /// All of it.
    pub door: SocketAddr,
    /// DynamoDB without the detour by the door.
    pub dynamodb: SocketAddr,
    /// All of it, by TLS.
    pub tls: Option<SocketAddr>,
}

impl CloudProcess {
    /// One that is gone with the process.
    pub fn start() -> Result<Self, BoxError> {
        Self::start_with(&[])
    }

    /// One that is there by TLS too.
    pub fn start_tls(certificate: &Certificate) -> Result<Self, BoxError> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        Self::start_with(&["--tls".to_owned(), path(&certificate.certificate), path(&certificate.key)])
    }

    /// One in a file, with so many clients and users more. A hash of their password is what a test of the store has no
    /// use for, and is as cheap as can be.
    pub fn start_filled(file: &Path, count: u32) -> Result<Self, BoxError> {
        Self::start_with(&["--fill".to_owned(), file.to_string_lossy().into_owned(), count.to_string()])
    }

    fn start_with(arguments: &[String]) -> Result<Self, BoxError> {
        let process = Process::be("cloud", arguments)?;
        Ok(Self { addresses: serde_json::from_str(&process.said)?, process })
    }

    pub fn door(&self) -> SocketAddr {
        self.addresses.door
    }
}

/// The API on a socket, as the local server has it, in a process of its own.
pub struct Server {
    pub process: Process,
    pub url: String,
}

impl Server {
    /// With so many threads; over an account whose secret has the key already.
    pub fn start(addresses: Addresses, threads: usize) -> Result<Self, BoxError> {
        let mut command = Command::new(env::current_exe()?);
        command
            .args([BE, "server", &threads.to_string()])
            .env("AWS_ENDPOINT_URL", format!("http://{}", addresses.door))
            .env("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{}", addresses.dynamodb))
            .env("AWS_REGION", "eu-west-2")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local");
        let process = Process::start(&mut command)?;
        Ok(Self { url: process.said.clone(), process })
    }
}

/// What the first random number of a process costs: CPU and time.
pub fn first_random() -> Result<(Duration, Duration), BoxError> {
    let process = Process::be("random", &[])?;
    let (cpu, wall): (u64, u64) = serde_json::from_str(&process.said)?;
    Ok((Duration::from_nanos(cpu), Duration::from_nanos(wall)))
}

/// Is what it is told to be, until its input ends.
pub fn be(what: &str, arguments: &[String]) -> Result<(), BoxError> {
    match what {
        "cloud" => runtime(2)?.block_on(be_cloud(arguments)),
        "server" => runtime(arguments.first().ok_or("how many threads?")?.parse()?)?.block_on(be_server()),
        "random" => {
            let (cpu_before, wall_before) = (cpu(), wall());
            aws_lc_rs::rand::fill(&mut [0; 16])?;
            let (cpu, wall) = (cpu() - cpu_before, wall() - wall_before);
            println!("{}", json!([u64::try_from(cpu.as_nanos())?, u64::try_from(wall.as_nanos())?]));
            Ok(())
        }
        other => Err(format!("{other} is nothing to be").into()),
    }
}

fn runtime(threads: usize) -> io::Result<tokio::runtime::Runtime> {
    match threads {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

async fn be_cloud(arguments: &[String]) -> Result<(), BoxError> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let fill = if let ["--fill", file, count] = arguments[..] { Some((file, count.parse()?)) } else { None };
    let cloud = Cloud::open(fill.map(|(file, _): (&str, u32)| Path::new(file)))?;
    let door = cloud::serve(cloud.router().await?).await?;
    deployment::seeded(
        &cloud,
        if fill.is_some() { deployment::config_with_cheapest_hash()? } else { deployment::config()? },
    )?;
    if let Some((_, count)) = fill {
        copy(&cloud, "ClientsTable", "client_id", deployment::client(0).0, count)?;
        copy(&cloud, "UsersTable", "username", deployment::username(), count)?;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let dynamodb = listener.local_addr()?;
    tokio::spawn(dynoxide::server::serve_on(listener, cloud.database.clone()));
    let tls = match arguments[..] {
        ["--tls", certificate, key] => {
            let certificate = Certificate { certificate: PathBuf::from(certificate), key: PathBuf::from(key) };
            Some(tls::serve(cloud.router().await?, &certificate).await?)
        }
        _ => None,
    };
    println!("{}", serde_json::to_string(&Addresses { door, dynamodb, tls })?);
    input_ends().await
}

/// Puts an item into its table again, `count` times, as `copy-0` and so on.
fn copy(cloud: &Cloud, table: &str, key: &str, name: &str, count: u32) -> Result<(), BoxError> {
    let item = cloud.item(table, &json!({key: name}))?.ok_or("there is nothing to copy")?;
    let database: &Database = &cloud.database;
    database.enable_bulk_loading()?;
    let item: dynoxide::types::Item = serde_json::from_value(item)?;
    let copies: Vec<u32> = (0..count).collect();
    for copies in copies.chunks(FILLED_AT_ONCE) {
        let items = copies.iter().map(|copy| {
            let mut item = item.clone();
            item.insert(key.to_owned(), dynoxide::types::AttributeValue::S(format!("copy-{copy}")));
            item
        });
        database.import_items(table, items.collect(), ImportOptions::default())?;
    }
    database.disable_bulk_loading()?;
    Ok(())
}

async fn be_server() -> Result<(), BoxError> {
    log::init(io::sink);
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let app = App::new(deployment::config()?, &aws::load(sdk).await, Clock::System)?;
    app.warm_up().await;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, router(Arc::new(app))) => Ok(served?),
        ended = input_ends() => ended,
    }
}

async fn input_ends() -> Result<(), BoxError> {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    Ok(end.await?)
}
