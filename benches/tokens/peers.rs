//! Two servers in Node beside ours, over the same account, asked the same by the same client.
//!
//! Node runs JavaScript on one thread, and so ours has one here. All of them are in production mode, and keep their
//! connections.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::deployment::{Ask, ISSUER, pem, put_key};
use crate::load::{Load, load};
use crate::measure::median;
use crate::process::{CloudProcess, Process, Server};
use crate::report::{Report, at_least, at_most, figure, note, row, table};
use testing::cloud::BoxError;

const TURNS: usize = 5;
const LASTS: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 16;

/// A server, and what it was loaded with.
struct Peer {
    name: &'static str,
    process: Process,
    url: String,
    loads: Vec<Load>,
}

impl Peer {
    fn ours(account: &CloudProcess) -> Result<Self, BoxError> {
        let Server { process, url } = Server::start(account.addresses, 1)?;
        Ok(Self { name: "countersign", process, url, loads: Vec::new() })
    }

    fn node(name: &'static str, file: &str, account: &CloudProcess, algorithm: Algorithm) -> Result<Self, BoxError> {
        let settings = json!({
            "account": format!("http://{}", account.addresses.dynamodb),
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
        Ok(Self { name, url: process.said.clone(), process, loads: Vec::new() })
    }

    fn of(&self, figure: fn(&Load) -> f64) -> f64 {
        median(self.loads.iter().map(figure))
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers"))
}

/// Installs what the peers need, as pinned.
fn install() -> Result<(), BoxError> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--loglevel=error", "--no-audit", "--no-fund"]).current_dir(folder());
    let status = npm.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(|error| format!("npm: {error}"))?;
    if status.success() { Ok(()) } else { Err("npm ci fails".into()) }
}

/// The part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    if let Err(fault) = install() {
        report.sum_up("peers", &format!("skipped: {fault}"));
        return Ok(());
    }
    let node = Command::new("node").arg("--version").output()?.stdout;
    note(&format!("Node {}", String::from_utf8_lossy(&node).trim()));
    let account = CloudProcess::start()?;
    let mut rows = Vec::new();
    let mut line = Vec::new();
    for algorithm in [Algorithm::ES256, Algorithm::RS256] {
        runtime.block_on(put_key(account.door(), algorithm))?;
        let peers = vec![
            Peer::ours(&account)?,
            Peer::node("@node-oauth/oauth2-server", "oauth2-server.mjs", &account, algorithm)?,
            Peer::node("oidc-provider", "oidc-provider.mjs", &account, algorithm)?,
        ];
        let asks = vec![Ask::client_credentials(None); CONNECTIONS];
        let peers = compare(runtime, peers, &account, &asks)?;
        let best = peers[1..].iter().map(|peer| peer.of(|load| load.tokens_per_second)).fold(0.0, f64::max);
        let ratio = peers[0].of(|load| load.tokens_per_second) / best;
        let grant = format!("client_credentials {algorithm:?}");
        line.push(format!("{grant} {} the tokens/s of the best peer", at_least(ratio, " x", 3.0)));
        rows.extend(told(&grant, &peers));
        if algorithm == Algorithm::ES256 {
            let logins = vec![Ask::password(None)];
            let peers: Vec<_> = peers.into_iter().filter(|peer| peer.name != "oidc-provider").collect();
            let peers = compare(runtime, peers, &account, &logins)?;
            let ratio = peers[0].of(|load| load.cpu_us) / peers[1].of(|load| load.cpu_us);
            line.push(format!("password {} the peer's CPU", at_most(ratio, " x", 0.65)));
            rows.extend(told("password ES256", &peers));
        }
    }
    let columns = ["grant", "server", "tokens/s", "ours x it", "p50 us", "p99 us", "server CPU us", "x ours", "MiB"];
    let title =
        format!("Peers ({CONNECTIONS} connections, password 1; medians of {TURNS} turns of {} s)", LASTS.as_secs());
    table(&title, &columns, &rows);
    report.sum_up("peers", &line.join(", "));
    Ok(())
}

/// Loads them in turns.
fn compare(
    runtime: &Runtime,
    mut peers: Vec<Peer>,
    account: &CloudProcess,
    asks: &[Ask],
) -> Result<Vec<Peer>, BoxError> {
    for peer in &mut peers {
        peer.loads.clear();
    }
    for _ in 0..TURNS {
        for peer in &mut peers {
            let loaded = load(&peer.process, &peer.url, &account.process, asks, LASTS);
            let loaded = runtime.block_on(loaded).map_err(|fault| format!("{}: {fault}", peer.name))?;
            peer.loads.push(loaded);
        }
    }
    Ok(peers)
}

fn told(grant: &str, peers: &[Peer]) -> Vec<Vec<String>> {
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
                &figure(crate::measure::resident_mib(peer.process.id())),
            ])
        })
        .collect()
}
