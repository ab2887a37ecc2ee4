//! Retries of calls that AWS throttles, for commands that make many of them.

use std::time::Duration;

/// The maximum number of calls. The SDK retries within each call.
const TRIES: u32 = 6;
/// The first pause between two tries. Each pause is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Repeats `attempt` while its error is transient, with pauses that grow.
pub async fn patiently<T, E, F: Future<Output = Result<T, E>>>(
    is_transient: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match attempt().await {
            Err(error) if is_transient(&error) => tokio::time::sleep(pause).await,
            done => return done,
        }
        pause *= 2;
    }
    attempt().await
}
