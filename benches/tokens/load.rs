//! The API over HTTP under load. The server, the emulator and the client are three processes on one machine.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::Algorithm;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::deployment::put_key;
use crate::measure::{cpu, microseconds, percentile, wall};
use crate::process::{CloudProcess, Process, Server};
use crate::report::{Report, figure, row, table};
use crate::request::{TokenRequest, refresh_token};
use testing::cloud::BoxError;

const DURATION: Duration = Duration::from_secs(8);
/// The duration of the load before the measured load.
const WARM_UP: Duration = Duration::from_secs(1);
/// The threads of the server, as on a machine with two processors.
const THREADS: usize = 2;

/// The result of a load.
pub struct Load {
    pub tokens_per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// The CPU time of the server for one token.
    pub cpu_us: f64,
    /// The CPU time of the emulator for one token. With that of the client, it limits the tokens per second.
    pub emulator_cpu_us: f64,
    /// The CPU time of this process for one token.
    pub client_cpu_us: f64,
}

/// Sends each of the requests over a connection of its own, again and again, for a duration.
pub async fn load(
    server: &Server,
    emulator: &Process,
    requests: &[TokenRequest],
    duration: Duration,
) -> Result<Load, BoxError> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    send_all(&client, &server.url, requests, WARM_UP).await?;
    let wall_before = wall();
    let cpu_before = [server.process.cpu(), emulator.cpu(), cpu()];
    let durations = send_all(&client, &server.url, requests, duration).await?;
    let elapsed = wall() - wall_before;
    let count = u32::try_from(durations.len())?;
    let cpu_after = [server.process.cpu(), emulator.cpu(), cpu()];
    let per_token = |process: usize| microseconds((cpu_after[process] - cpu_before[process]) / count);
    Ok(Load {
        tokens_per_second: f64::from(count) / elapsed.as_secs_f64(),
        p50_us: percentile(durations.iter().copied().map(microseconds), 50),
        p99_us: percentile(durations.iter().copied().map(microseconds), 99),
        cpu_us: per_token(0),
        emulator_cpu_us: per_token(1),
        client_cpu_us: per_token(2),
    })
}

/// Returns the duration of each request, of all connections.
async fn send_all(
    client: &Client<HttpConnector, Body>,
    url: &str,
    requests: &[TokenRequest],
    duration: Duration,
) -> Result<Vec<Duration>, BoxError> {
    let until = wall() + duration;
    let mut connections = JoinSet::new();
    for request in requests {
        connections.spawn(connection(client.clone(), url.to_owned(), request.clone(), until));
    }
    let mut durations = Vec::new();
    while let Some(connection) = connections.join_next().await {
        durations.append(&mut connection??);
    }
    Ok(durations)
}

/// Sends a request again and again over one connection. A refresh uses the refresh token of the response before.
async fn connection(
    client: Client<HttpConnector, Body>,
    url: String,
    mut request: TokenRequest,
    until: Duration,
) -> Result<Vec<Duration>, BoxError> {
    let is_refresh = request.is_refresh();
    // A login for this connection, so that every load begins with an active refresh token.
    if is_refresh {
        let login = client.request(TokenRequest::password(None).to_http(&url)).await?;
        let body = to_bytes(Body::new(login.into_body()), usize::MAX).await?;
        request = TokenRequest::refresh_token(&refresh_token(&body));
    }
    let mut durations = Vec::new();
    while wall() < until {
        let before = wall();
        let response = client.request(request.to_http(&url)).await?;
        let status = response.status();
        let body = to_bytes(Body::new(response.into_body()), usize::MAX).await?;
        durations.push(wall() - before);
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        if is_refresh {
            request = TokenRequest::refresh_token(&refresh_token(&body));
        }
    }
    Ok(durations)
}

/// Runs the part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    let emulator = CloudProcess::start()?;
    let mut rows = Vec::new();
    let mut line = Vec::new();
    for algorithm in [Algorithm::ES256, Algorithm::RS256] {
        runtime.block_on(put_key(emulator.address(), algorithm))?;
        let server = Server::start(emulator.addresses, THREADS)?;
        let grants = [
            ("client_credentials", TokenRequest::client_credentials(None), 1),
            ("client_credentials", TokenRequest::client_credentials(None), 16),
            ("refresh_token", TokenRequest::refresh_token(""), 1),
            ("refresh_token", TokenRequest::refresh_token(""), 16),
            ("password", TokenRequest::password(None), 1),
        ];
        for (grant, request, connections) in grants {
            if algorithm == Algorithm::RS256 && grant != "client_credentials" {
                continue;
            }
            let requests = vec![request; connections];
            let load = runtime.block_on(load(&server, &emulator.process, &requests, DURATION))?;
            let rate = figure(load.tokens_per_second);
            rows.push(row([
                &format!("{grant} {algorithm:?}"),
                &connections,
                &rate,
                &figure(load.p50_us),
                &figure(load.p99_us),
                &figure(load.cpu_us),
                &figure(load.emulator_cpu_us),
                &figure(load.client_cpu_us),
            ]));
            if connections == 16 || grant == "password" {
                line.push(format!("{grant} {algorithm:?} {rate} tokens/s at {} us CPU", figure(load.cpu_us)));
            }
        }
    }
    let columns =
        ["grant", "connections", "tokens/s", "p50 us", "p99 us", "server CPU us", "emulator CPU us", "client CPU us"];
    table(
        &format!(
            "The API over HTTP, {THREADS} threads; emulator and client on the same processors ({} s each)",
            DURATION.as_secs()
        ),
        &columns,
        &rows,
    );
    report.sum_up("load", &line.join(", "));
    Ok(())
}
