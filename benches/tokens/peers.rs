//! A comparison with two servers in Node, over the same emulated AWS, with the same requests from the same client.
//!
//! Node runs JavaScript on one thread, so our server has one thread here. All servers run in production mode and keep
//! their connections.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::deployment::{pem, put_key};
use crate::load::{Load, load};
use crate::measure::{median, resident_mib};
use crate::process::{CloudProcess, Process, Server};
use crate::report::{Report, at_least, at_most, figure, note, row, table};
use crate::request::TokenRequest;
use testing::ISSUER;
use testing::cloud::BoxError;

const TURNS: usize = 5;
const DURATION: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 16;

/// A server, and the results of its loads.
struct Peer {
    name: &'static str,
    server: Server,
    loads: Vec<Load>,
}

impl Peer {
    fn countersign(emulator: &CloudProcess) -> Result<Self, BoxError> {
        Ok(Self { name: "countersign", server: Server::start(emulator.addresses, 1)?, loads: Vec::new() })
    }

    fn node(name: &'static str, file: &str, emulator: &CloudProcess, algorithm: Algorithm) -> Result<Self, BoxError> {
        let settings = json!({
            "dynamodb": format!("http://{}", emulator.addresses.dynamodb),
            "algorithm": format!("{algorithm:?}"),
            "issuer": ISSUER,
            "key": pem(algorithm),
        });
        let mut command = Command::new("node");
        command
            .arg(folder().join(file))
            .env("COUNTERSIGN", settings.to_string())
            .env("NODE_ENV", "production")
            .env("NODE_NO_WARNINGS", "1");
        let process = Process::start(&mut command)?;
        Ok(Self { name, server: Server { url: process.ready_line.clone(), process }, loads: Vec::new() })
    }

    /// Returns the median of a figure of the loads.
    fn of(&self, figure: fn(&Load) -> f64) -> f64 {
        median(self.loads.iter().map(figure))
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers"))
}

/// Installs the locked packages of the peers.
fn install() -> Result<(), BoxError> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--loglevel=error", "--no-audit", "--no-fund"]).current_dir(folder());
    let status = npm.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(|error| format!("npm: {error}"))?;
    if status.success() { Ok(()) } else { Err("npm ci failed".into()) }
}

/// Runs the part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    if let Err(error) = install() {
        report.sum_up("peers", &format!("skipped: {error}"));
        return Ok(());
    }
    let node = Command::new("node").arg("--version").output()?.stdout;
    note(&format!("Node {}", String::from_utf8_lossy(&node).trim()));
    let emulator = CloudProcess::start()?;
    let mut rows = Vec::new();
    let mut line = Vec::new();
    for algorithm in [Algorithm::ES256, Algorithm::RS256] {
        runtime.block_on(put_key(emulator.address(), algorithm))?;
        let mut peers = vec![
            Peer::countersign(&emulator)?,
            Peer::node("@node-oauth/oauth2-server", "oauth2-server.mjs", &emulator, algorithm)?,
            Peer::node("oidc-provider", "oidc-provider.mjs", &emulator, algorithm)?,
        ];
        let requests = vec![TokenRequest::client_credentials(None); CONNECTIONS];
        load_all(runtime, &mut peers, &emulator, &requests)?;
        let best = peers[1..].iter().map(|peer| peer.of(|load| load.tokens_per_second)).fold(0.0, f64::max);
        let ratio = peers[0].of(|load| load.tokens_per_second) / best;
        let grant = format!("client_credentials {algorithm:?}");
        line.push(format!("{grant} {} the tokens/s of the best peer", at_least(ratio, " x", 3.0)));
        rows.extend(results(&grant, &peers));
        if algorithm == Algorithm::ES256 {
            peers.retain(|peer| peer.name != "oidc-provider");
            load_all(runtime, &mut peers, &emulator, &[TokenRequest::password(None)])?;
            let ratio = peers[0].of(|load| load.cpu_us) / peers[1].of(|load| load.cpu_us);
            line.push(format!("password {} the peer's CPU", at_most(ratio, " x", 0.45)));
            rows.extend(results("password ES256", &peers));
        }
    }
    let columns = [
        "grant",
        "server",
        "tokens/s",
        "countersign's rate, x",
        "p50 us",
        "p99 us",
        "server CPU us",
        "x countersign's CPU",
        "MiB",
    ];
    let title =
        format!("Peers ({CONNECTIONS} connections, password 1; medians of {TURNS} turns of {} s)", DURATION.as_secs());
    table(&title, &columns, &rows);
    report.sum_up("peers", &line.join(", "));
    Ok(())
}

/// Loads the servers in turns.
fn load_all(
    runtime: &Runtime,
    peers: &mut [Peer],
    emulator: &CloudProcess,
    requests: &[TokenRequest],
) -> Result<(), BoxError> {
    for peer in &mut *peers {
        peer.loads.clear();
    }
    for _ in 0..TURNS {
        for peer in &mut *peers {
            let load = runtime.block_on(load(&peer.server, &emulator.process, requests, DURATION));
            peer.loads.push(load.map_err(|error| format!("{}: {error}", peer.name))?);
        }
    }
    Ok(())
}

/// Returns a row for each server. The first server is ours.
fn results(grant: &str, peers: &[Peer]) -> Vec<Vec<String>> {
    let (rate, cpu) = (peers[0].of(|load| load.tokens_per_second), peers[0].of(|load| load.cpu_us));
    peers
        .iter()
        .map(|peer| {
            row([
                &grant,
                &peer.name,
                &figure(peer.of(|load| load.tokens_per_second)),
                &figure(rate / peer.of(|load| load.tokens_per_second)),
                &figure(peer.of(|load| load.p50_us)),
                &figure(peer.of(|load| load.p99_us)),
                &figure(peer.of(|load| load.cpu_us)),
                &figure(peer.of(|load| load.cpu_us) / cpu),
                &figure(resident_mib(peer.server.process.id())),
            ])
        })
        .collect()
}
