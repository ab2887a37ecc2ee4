//! The service on one machine; needs only Rust and a C compiler. The router of the function runs over an emulated AWS
//! in this process, with a new key, a demo client of each kind, and a demo user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::{fs, io};

use clap::Parser;
use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::http::router;
use countersign::{aws, log};
use serde_json::Value;
use testing::cloud::{self, BoxError, Cloud};
use testing::demo;
use tokio::net::TcpListener;

mod demo_api;
mod demo_client;

/// Run countersign on this machine with demo clients and a demo user
#[derive(Parser)]
struct Options {
    /// The port of 127.0.0.1 to listen on
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// A file that stores clients, users, refresh tokens and the key between runs
    #[arg(long)]
    data: Option<PathBuf>,
    /// The issuer, if a TLS proxy passes its requests on to the port
    #[arg(long)]
    issuer: Option<String>,
    /// The algorithm of the signing key, which a new run generates
    #[arg(long, default_value = "RS256", value_parser = ["RS256", "ES256"])]
    signing_algorithm: String,
    /// A JSON file of more clients and users, with secrets and passwords in plain text (like testing/src/demo.json)
    #[arg(long)]
    records: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    log::init(io::stderr);
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), BoxError> {
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await.map_err(|error| {
        format!(
            "cannot listen on port {}: {error}; select a free port with `cargo run --example local -- --port 0`",
            options.port
        )
    })?;
    let origin = format!("http://{}", listener.local_addr()?);
    let issuer = options.issuer.unwrap_or_else(|| origin.clone());

    let cloud = Cloud::open(options.data.as_deref()).map_err(|error| {
        format!("cannot open the data file: {error}; choose a file that `--data` created, or a new one")
    })?;
    let address = cloud::serve(cloud.router().await?).await?;
    let sdk = aws::load(cloud::sdk(address)).await;
    let mut environment = cloud::environment(&issuer);
    environment.insert("LOGIN_PAGES", "on".to_owned());
    environment.insert("SIGNING_ALGORITHM", options.signing_algorithm.clone());
    let mut config = Config::from_variables(|name| environment.get(name).map(Into::into))?;
    config.max_concurrency = u32::MAX;
    let app = App::new(config, &sdk, Clock::System)?;
    if options.signing_algorithm == "ES256" && cloud.secret()?.is_none() {
        cloud.put_secret(&testing::p256_pem())?;
    }
    demo::seed(&cloud, &app.hasher)?;
    if let Some(file) = &options.records {
        let records = read(file).map_err(|error| format!("cannot read the records of {}: {error}", file.display()))?;
        demo::add(&cloud, &app.hasher, &records)?;
    }
    app.warm_up().await;
    introduce(&issuer, &app.keyring.current().await?.jwks);
    environment.insert("AWS_ENDPOINT_URL", format!("http://{address}"));
    environment.insert("COUNTERSIGN_URL", origin.clone());
    print_settings(&environment);

    let app = Arc::new(app);
    let service = router(app.clone());
    let service = demo_client::routes(&issuer, &origin, service.clone())?.merge(service);
    let service = service.merge(demo_api::routes(&issuer, app));
    axum::serve(listener, service).with_graceful_shutdown(interrupted()).await?;
    println!("\nStopped.");
    Ok(())
}

fn read(file: &Path) -> Result<Value, BoxError> {
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler, Ctrl-C ends the process.
        std::future::pending::<()>().await;
    }
}

/// Prints requests that are ready to paste.
fn introduce(issuer: &str, jwks: &str) {
    let introduction = include_str!("introduction.txt").replace("{token_url}", &format!("{issuer}/oauth/token"));
    println!(
        "{introduction}
A user logs in at our page, allows access, and the client shows its tokens (authorization_code); open it in a browser, and sign in as
john.smith@itccompliance.co.uk with secret-password:
  {issuer}/demo

The public key that verifies the tokens (JWKS):
  {jwks}
"
    );
}

/// Prints the settings with which the CLI manages this service.
fn print_settings(environment: &BTreeMap<&str, String>) {
    // A stack or a profile of the developer would take precedence.
    let aws = "COUNTERSIGN_STACK= AWS_PROFILE= AWS_SESSION_TOKEN= AWS_REGION=eu-west-2 AWS_ACCESS_KEY_ID=local \
               AWS_SECRET_ACCESS_KEY=local";
    let settings: Vec<_> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let settings = settings.join(" ");
    println!(
        "The countersign CLI manages clients, users and keys of this run, in another terminal:
  export {aws} {settings}
  cargo run --bin countersign -- client list

Stop with Ctrl-C.
"
    );
}
