//! The HTTP API as a Lambda function.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::{self, Config, environment};
use countersign::{gateway, log};
use lambda_http::lambda_runtime;

// One thread, because an execution environment handles one request at a time. A second thread would cost CPU time in
// each request.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log::init(io::stdout);
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_variables(environment)?;
    Config::require_lambda()?;
    let sdk = config::connection(environment)?.sdk()?;
    let app = App::new(config, &sdk, Clock::System)?;
    app.warm_up().await;
    lambda_runtime::run(gateway::service(Arc::new(app))).await
}
