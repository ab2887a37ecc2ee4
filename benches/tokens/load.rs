//! The API on a socket under load: server, account and client are processes of their own, on one machine.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::Algorithm;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::deployment::{Ask, put_key, refresh_token};
use crate::measure::{cpu, microseconds, percentile, wall};
use crate::process::{CloudProcess, Process, Server};
use crate::report::{Report, figure, row, table};
use testing::cloud::BoxError;

const LASTS: Duration = Duration::from_secs(8);
/// Connections that nobody counts, before those that are counted.
const WARM_UP: Duration = Duration::from_secs(1);
/// As a machine of two processors would have it.
const THREADS: usize = 2;

/// What a load was answered with.
pub struct Load {
    pub tokens_per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// CPU of the server for one token.
    pub cpu_us: f64,
    /// CPU of the account, and of this process, for one token: why there are not more tokens in a second.
    pub account_cpu_us: f64,
    pub client_cpu_us: f64,
}

/// Asks for tokens over so many connections, each of which is kept and asks again when it has its answer.
pub async fn load(
    server: &Process,
    url: &str,
    account: &Process,
    asks: &[Ask],
    lasts: Duration,
) -> Result<Load, BoxError> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    all(&client, url, asks, WARM_UP).await?;
    let (wall_before, mine) = (wall(), cpu());
    let (servers, accounts) = (server.cpu(), account.cpu());
    let took = all(&client, url, asks, lasts).await?;
    let elapsed = wall() - wall_before;
    let count = u32::try_from(took.len())?;
    let each = |cpu: Duration| microseconds(cpu / count);
    Ok(Load {
        tokens_per_second: f64::from(count) / elapsed.as_secs_f64(),
        p50_us: percentile(took.iter().copied().map(microseconds), 50),
        p99_us: percentile(took.iter().copied().map(microseconds), 99),
        cpu_us: each(server.cpu() - servers),
        account_cpu_us: each(account.cpu() - accounts),
        client_cpu_us: each(cpu() - mine),
    })
}

async fn all(
    client: &Client<HttpConnector, Body>,
    url: &str,
    asks: &[Ask],
    lasts: Duration,
) -> Result<Vec<Duration>, BoxError> {
    let until = wall() + lasts;
    let mut connections = JoinSet::new();
    for ask in asks {
        connections.spawn(one(client.clone(), url.to_owned(), ask.clone(), until));
    }
    let mut took = Vec::new();
    while let Some(one) = connections.join_next().await {
        took.append(&mut one??);
    }
    Ok(took)
}

/// One connection. One that has a refresh token goes on with the next.
async fn one(
    client: Client<HttpConnector, Body>,
    url: String,
    mut ask: Ask,
    until: Duration,
) -> Result<Vec<Duration>, BoxError> {
    // Its own login, so that every run begins with a token that lives.
    let refreshes = ask.form.starts_with("grant_type=refresh_token");
    if refreshes {
        let login = client.request(Ask::password(None).request(&url)).await?;
        ask = Ask::refresh_token(&refresh_token(&to_bytes(Body::new(login.into_body()), usize::MAX).await?));
    }
    let mut took = Vec::new();
    while wall() < until {
        let before = wall();
        let answer = client.request(ask.request(&url)).await?;
        let status = answer.status();
        let body = to_bytes(Body::new(answer.into_body()), usize::MAX).await?;
        took.push(wall() - before);
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        if refreshes {
            ask = Ask::refresh_token(&refresh_token(&body));
        }
    }
    Ok(took)
}

/// The part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    let account = CloudProcess::start()?;
    let mut rows = Vec::new();
    let mut line = Vec::new();
    for algorithm in [Algorithm::ES256, Algorithm::RS256] {
        runtime.block_on(put_key(account.door(), algorithm))?;
        let server = Server::start(account.addresses, THREADS)?;
        let grants = [
            ("client_credentials", Ask::client_credentials(None), 1),
            ("client_credentials", Ask::client_credentials(None), 16),
            ("refresh_token", Ask::refresh_token(""), 1),
            ("refresh_token", Ask::refresh_token(""), 16),
            ("password", Ask::password(None), 1),
        ];
        for (grant, ask, connections) in grants {
            if algorithm == Algorithm::RS256 && grant != "client_credentials" {
                continue;
            }
            let asks = vec![ask; connections];
            let loaded = load(&server.process, &server.url, &account.process, &asks, LASTS);
            let loaded = runtime.block_on(loaded)?;
            let rate = figure(loaded.tokens_per_second);
            rows.push(row([
                &format!("{grant} {algorithm:?}"),
                &connections,
                &rate,
                &figure(loaded.p50_us),
                &figure(loaded.p99_us),
                &figure(loaded.cpu_us),
                &figure(loaded.account_cpu_us),
                &figure(loaded.client_cpu_us),
            ]));
            if connections == 16 || grant == "password" {
                line.push(format!("{grant} {algorithm:?} {rate} tokens/s at {} us CPU", figure(loaded.cpu_us)));
            }
        }
    }
    let columns =
        ["grant", "connections", "tokens/s", "p50 us", "p99 us", "server CPU us", "account CPU us", "client CPU us"];
    table(
        &format!(
            "The API on a socket, {THREADS} threads; account and client on the same processors ({} s each)",
            LASTS.as_secs()
        ),
        &columns,
        &rows,
    );
    report.sum_up("load", &line.join(", "));
    Ok(())
}
