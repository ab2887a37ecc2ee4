//! Starts of the function: the time to its first request for an invocation, and its first response.

use std::time::Duration;

use serde_json::Value;

use super::{Running, Subjects};
use crate::measure::{cpu_of_threads, median, milliseconds};
use crate::report::{at_most, figure, note, row, table};
use crate::request::TokenRequest;
use crate::share::Share;
use testing::cloud::BoxError;

const STARTS: usize = 20;
const STARTS_UNDER_SHARE: usize = 10;
/// The time of bare `lambda_http` to its first `next`, used if the example was not built.
const BARE_NEXT_MS: f64 = 1.2;
const COLUMNS: [&str; 5] =
    ["start", "to the first `next`, ms", "CPU of that, ms", "first request, ms", "CPU of that, ms"];

/// The durations and CPU times of one start.
struct Start {
    next: Duration,
    next_cpu: Duration,
    first: Duration,
    first_cpu: Duration,
}

impl Start {
    /// Measures the first request of a function that was just started. The bare function responds with something other
    /// than a token.
    async fn measure(mut function: Running, event: &Value, is_bare: bool) -> Result<Self, BoxError> {
        let next_cpu = cpu_of_threads(function.id());
        let first = if is_bare { function.invoke(event).await?.1 } else { function.token(event).await?.1 };
        let first_cpu = cpu_of_threads(function.id()) - next_cpu;
        Ok(Self { next: function.started_in, next_cpu, first, first_cpu })
    }
}

/// Returns the median of a duration of the starts, in milliseconds.
fn median_ms(starts: &[Start], part: fn(&Start) -> Duration) -> f64 {
    median(starts.iter().map(|start| milliseconds(part(start))))
}

fn medians(name: &str, starts: &[Start]) -> Vec<String> {
    let of = |part| figure(median_ms(starts, part));
    row([&name, &of(|s| s.next), &of(|s| s.next_cpu), &of(|s| s.first), &of(|s| s.first_cpu)])
}

/// Measures starts with a whole processor. Returns the summary.
pub async fn run(subjects: &Subjects<'_>) -> Result<String, BoxError> {
    let event = TokenRequest::client_credentials(None).to_event();
    let named = [
        ("loopback TLS", subjects.tls),
        ("without TLS", Some(subjects.plain)),
        ("without TLS, but with the machine's certificates", Some(subjects.system)),
        ("bare lambda_http", subjects.bare),
    ];
    let mut starts = named.map(|_| Vec::new());
    for _ in 0..STARTS {
        for ((name, subject), starts) in named.iter().zip(&mut starts) {
            if let Some(subject) = subject {
                starts.push(Start::measure(subject.start().await?, &event, name.starts_with("bare")).await?);
            }
        }
    }
    let measured = named.iter().zip(&starts).filter(|(_, starts)| !starts.is_empty());
    let rows: Vec<_> = measured.map(|((name, _), starts)| medians(name, starts)).collect();
    table(&format!("Starts (medians of {STARTS}, client_credentials ES256)"), &COLUMNS, &rows);
    note(
        "The keys are loaded and the connections opened before the first `next`. The function trusts the one certificate \
         of AWS_CA_BUNDLE; a deployed function trusts Amazon's five.",
    );
    let [tls, plain, _, bare] = &starts;
    let bare_next = if bare.is_empty() {
        note(&format!(
            "target/release/examples/bare is missing (`make bench` builds it): its time to the first `next` is taken \
             as {BARE_NEXT_MS} ms."
        ));
        BARE_NEXT_MS
    } else {
        median_ms(bare, |start| start.next)
    };
    // The goals for the start exclude the network. Two calls over loopback are closest to that.
    let next = median_ms(plain, |start| start.next);
    Ok(format!(
        "first next without TLS {}, which is {} bare lambda_http, first request {}",
        at_most(next, " ms", 3.0),
        at_most(next / bare_next, " x", 1.8),
        at_most(median_ms(if tls.is_empty() { plain } else { tls }, |start| start.first), " ms", 4.0),
    ))
}

/// Measures starts with the share of a processor that Lambda gives to 128 MB. Returns the summary.
pub async fn run_under_share(subjects: &Subjects<'_>) -> Result<String, BoxError> {
    let share = match Share::create() {
        Ok(share) => share,
        Err(error) => {
            note(&format!("Starts with a share of a processor are not measured: {error}."));
            return Ok("a share of a processor cannot be set on this machine".to_owned());
        }
    };
    let event = TokenRequest::client_credentials(None).to_event();
    let function = subjects.measured();
    let (mut from_first_request, mut from_start, mut bare_starts) = (vec![], vec![], vec![]);
    for _ in 0..STARTS_UNDER_SHARE {
        // Lambda gives an execution environment a whole processor until it is initialised.
        let initialised = function.start().await?;
        share.add(initialised.id())?;
        from_first_request.push(Start::measure(initialised, &event, false).await?);
        from_start.push(Start::measure(function.start_under(&share).await?, &event, false).await?);
        if let Some(bare) = &subjects.bare {
            bare_starts.push(Start::measure(bare.start_under(&share).await?, &event, true).await?);
        }
    }
    let mut rows = vec![
        medians("the share from the first request", &from_first_request),
        medians("the share from the start", &from_start),
    ];
    if !bare_starts.is_empty() {
        rows.push(medians("bare lambda_http, the share from the start", &bare_starts));
    }
    let title = format!("Starts with the processor share of 128 MB, 7.2 % (medians of {STARTS_UNDER_SHARE})");
    table(&title, &COLUMNS, &rows);
    let first = median_ms(&from_first_request, |start| start.first);
    Ok(format!("under the share of 128 MB, first request {}", at_most(first, " ms", 50.0)))
}
