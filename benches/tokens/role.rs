//! The roles of this program as another process: an emulated AWS, a server, and the first random number.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use aws_config::BehaviorVersion;
use countersign::app::App;
use countersign::clock::Clock;
use countersign::http::router;
use countersign::{aws, log};
use dynoxide::{Database, ImportOptions};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::deployment::{client, config, config_with_cheapest_hash, seed, username};
use crate::measure::{cpu, wall};
use crate::process::Addresses;
use crate::tls::{self, Certificate};
use testing::cloud::{self, BoxError, Cloud};

/// The option before the name of a role.
pub const OPTION: &str = "--role";
/// The number of items that are imported into a table in one call.
const IMPORTED_ITEMS: usize = 10_000;

/// Runs a role until stdin ends.
pub fn run(role: &str, arguments: &[String]) -> Result<(), BoxError> {
    match role {
        "cloud" => runtime(2)?.block_on(run_cloud(arguments)),
        "server" => {
            let threads = arguments.first().ok_or("the number of threads is missing")?.parse()?;
            runtime(threads)?.block_on(run_server())
        }
        "random" => {
            let (cpu_before, wall_before) = (cpu(), wall());
            aws_lc_rs::rand::fill(&mut [0; 16])?;
            let (cpu, wall) = (cpu() - cpu_before, wall() - wall_before);
            println!("{}", json!([u64::try_from(cpu.as_nanos())?, u64::try_from(wall.as_nanos())?]));
            Ok(())
        }
        other => Err(format!("there is no role {other}").into()),
    }
}

fn runtime(threads: usize) -> io::Result<tokio::runtime::Runtime> {
    match threads {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

/// Runs an emulated AWS. `--fill FILE COUNT` stores it in a file with `COUNT` more clients and users;
/// `--tls CERTIFICATE KEY` also serves TLS.
async fn run_cloud(arguments: &[String]) -> Result<(), BoxError> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let fill = if let ["--fill", file, count] = arguments[..] { Some((file, count.parse()?)) } else { None };
    let cloud = Cloud::open(fill.map(|(file, _): (&str, u32)| Path::new(file)))?;
    seed(&cloud, &if fill.is_some() { config_with_cheapest_hash()? } else { config()? })?;
    if let Some((_, count)) = fill {
        copy(&cloud, "ClientsTable", ("client_id", client(0).0), count)?;
        copy(&cloud, "UsersTable", ("username", username()), count)?;
    }
    let all = cloud::serve(cloud.router().await?).await?;
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
    println!("{}", serde_json::to_string(&Addresses { all, dynamodb, tls })?);
    end_of_stdin().await
}

/// Stores `count` copies of an item in its table, with the keys `copy-0`, `copy-1` and so on.
fn copy(cloud: &Cloud, table: &str, (key, name): (&str, &str), count: u32) -> Result<(), BoxError> {
    let item = cloud.item(table, &json!({key: name}))?.ok_or("the item to copy is missing")?;
    let database: &Database = &cloud.database;
    database.enable_bulk_loading()?;
    let item: dynoxide::types::Item = serde_json::from_value(item)?;
    let copies: Vec<u32> = (0..count).collect();
    for copies in copies.chunks(IMPORTED_ITEMS) {
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

/// Serves the API over HTTP, with the AWS that the environment variables name.
async fn run_server() -> Result<(), BoxError> {
    log::init(io::sink);
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let app = App::new(config()?, &aws::load(sdk).await, Clock::System)?;
    app.warm_up().await;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, router(Arc::new(app))) => Ok(served?),
        ended = end_of_stdin() => ended,
    }
}

async fn end_of_stdin() -> Result<(), BoxError> {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    Ok(end.await?)
}
