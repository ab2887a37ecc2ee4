//! Requests to a warm function: their cost, and the memory of the function.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::Value;

use super::{Running, Subjects};
use crate::deployment::put_key;
use crate::measure::{cpu_of_threads, median, milliseconds, resident_mib};
use crate::process::CloudProcess;
use crate::report::{at_most, figure, row, table};
use crate::request::{TokenRequest, refresh_token};
use testing::cloud::BoxError;

const REQUESTS: u32 = 1_000;
/// The number of turns in which each function gets its requests.
const TURNS: u32 = 20;

/// A warm function, with the costs of its requests.
struct Warm {
    name: &'static str,
    function: Running,
    event: Value,
    /// True if the refresh token of each response is used in the next request.
    is_refresh: bool,
    first_mib: f64,
    cpu_ms: Vec<f64>,
    durations: Vec<Duration>,
}

impl Warm {
    /// Sends the first request, which is not measured. A refresh begins with a login.
    async fn start(name: &'static str, mut function: Running, request: &TokenRequest) -> Result<Self, BoxError> {
        let is_refresh = request.is_refresh();
        let event = if is_refresh {
            let (login, _) = function.token(&TokenRequest::password(None).to_event()).await?;
            TokenRequest::refresh_token(&refresh_token(login.as_bytes())).to_event()
        } else {
            request.to_event()
        };
        let mut warm = Self { name, function, event, is_refresh, first_mib: 0.0, cpu_ms: vec![], durations: vec![] };
        warm.request().await?;
        warm.first_mib = warm.mib();
        warm.durations.clear();
        Ok(warm)
    }

    async fn request(&mut self) -> Result<(), BoxError> {
        let (response, duration) = self.function.invoke(&self.event).await?;
        self.durations.push(duration);
        if response["statusCode"] != 200 {
            return Err(response.to_string().into());
        }
        if self.is_refresh {
            let token = refresh_token(response["body"].as_str().unwrap_or_default().as_bytes());
            self.event = TokenRequest::refresh_token(&token).to_event();
        }
        Ok(())
    }

    async fn turn(&mut self) -> Result<(), BoxError> {
        let before = cpu_of_threads(self.function.id());
        for _ in 0..REQUESTS / TURNS {
            self.request().await?;
        }
        self.cpu_ms.push(milliseconds((cpu_of_threads(self.function.id()) - before) / (REQUESTS / TURNS)));
        Ok(())
    }

    fn cpu_ms(&self) -> f64 {
        median(self.cpu_ms.iter().copied())
    }

    fn mib(&self) -> f64 {
        resident_mib(self.function.id())
    }

    fn row(&self) -> Vec<String> {
        let wall_ms = median(self.durations.iter().copied().map(milliseconds));
        row([&self.name, &figure(self.cpu_ms()), &figure(wall_ms), &figure(self.first_mib), &figure(self.mib())])
    }
}

/// Measures warm functions. Returns the summary.
pub async fn run(subjects: &Subjects<'_>, emulator: &CloudProcess) -> Result<String, BoxError> {
    let mut functions = Vec::new();
    if let Some(bare) = &subjects.bare {
        let request = TokenRequest::client_credentials(None);
        functions.push(Warm::start("bare lambda_http", bare.start().await?, &request).await?);
    }
    for (name, algorithm, request) in [
        ("client_credentials ES256", Algorithm::ES256, TokenRequest::client_credentials(None)),
        ("client_credentials RS256", Algorithm::RS256, TokenRequest::client_credentials(None)),
        ("refresh_token ES256", Algorithm::ES256, TokenRequest::refresh_token("")),
        ("password ES256", Algorithm::ES256, TokenRequest::password(None)),
    ] {
        // A function loads its key when it starts, and then keeps it.
        put_key(emulator.address(), algorithm).await?;
        functions.push(Warm::start(name, subjects.measured().start().await?, &request).await?);
    }
    for _ in 0..TURNS {
        for function in &mut functions {
            function.turn().await?;
        }
    }
    let columns = ["warm", "CPU ms", "wall ms", "MiB after 1", "MiB after 1,000"];
    let rows: Vec<_> = functions.iter().map(Warm::row).collect();
    table(&format!("The warm function ({REQUESTS} requests each, in turns; medians)"), &columns, &rows);
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
