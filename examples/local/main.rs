//! The whole service on one's own machine, with nothing but Rust: the same router, over a DynamoDB emulator in this
//! process, with a key made at the start and a demo client of each kind.

#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for what it does not have")]

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use countersign::app::App;
use countersign::clock::Clock;
use countersign::http::router;
use countersign::{aws, log};
use tokio::net::TcpListener;

mod cloud;
mod demo;

use cloud::{Cloud, Fault};
use demo::{APPLICATION, SCOPES, SERVICE, USER, seed};

/// Runs countersign on this machine, with demo clients and a demo user.
#[derive(Parser)]
struct Options {
    /// The port of 127.0.0.1 to listen on
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// A file that keeps clients, users, refresh tokens and the key between runs
    #[arg(long)]
    data: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    log::init(io::stderr);
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("countersign: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Fault> {
    let listener = TcpListener::bind(("127.0.0.1", options.port))
        .await
        .map_err(|error| format!("cannot listen on port {}: {error}. Choose another one with --port.", options.port))?;
    let issuer = format!("http://{}", listener.local_addr()?);

    let cloud = Cloud::open(options.data.as_deref())
        .map_err(|fault| format!("cannot open the data: {fault}. Is the file one that --data made?"))?;
    let door = cloud::serve(cloud.door().await?).await?;
    let sdk = aws::load(cloud::sdk(door)).await;
    let app = App::new(cloud::config(&issuer)?, &sdk, Clock::System)?;
    seed(&cloud, &app)?;
    app.warm_up().await;
    introduce(&issuer, &serde_json::to_string(&app.keyring.current().await?.jwks())?);

    axum::serve(listener, router(Arc::new(app))).with_graceful_shutdown(interrupted()).await?;
    println!("\nEnded.");
    Ok(())
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a signal to wait for, serve until the process is ended.
        std::future::pending::<()>().await;
    }
}

fn introduce(issuer: &str, jwks: &str) {
    let (service_id, service_secret) = SERVICE;
    let (app_id, app_secret) = APPLICATION;
    let (username, password) = USER;
    let scope = SCOPES.join(" ");
    println!(
        r#"countersign answers at {issuer}/oauth/token. Ctrl-C ends it.

A service logs in (client_credentials):
  curl {issuer}/oauth/token -u {service_id}:{service_secret} -d grant_type=client_credentials

A user logs in through a first-party application (password), as the legacy callers do it:
  curl {issuer}/oauth/token -H 'content-type: application/json' -d '{{"grant_type":"password","client_id":"{app_id}","client_secret":"{app_secret}","username":"{username}","password":"{password}","scope":"{scope}"}}'

The application goes on acting for the user (refresh_token), after a login of its own:
  curl {issuer}/oauth/token -u {app_id}:{app_secret} -d grant_type=refresh_token -d refresh_token=$(curl -s {issuer}/oauth/token -u {app_id}:{app_secret} -d grant_type=password -d username={username} -d password={password} | sed 's/.*"refresh_token":"\([^"]*\)".*/\1/')

The tokens verify with this public key (JWKS):
  {jwks}
"#
    );
}
