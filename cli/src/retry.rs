//! Retries of calls that AWS throttles, for commands with many calls.

use std::time::Duration;

/// The maximum number of attempts. The SDK also retries within each attempt.
const ATTEMPTS: u32 = 6;
/// The first pause between two attempts. Each pause is twice as long as the pause before it.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Repeats `attempt` while its error is transient, with pauses that grow.
pub async fn with_retries<T, E, F: Future<Output = Result<T, E>>>(
    is_transient: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if is_transient(&error) => tokio::time::sleep(pause).await,
            result => return result,
        }
        pause *= 2;
    }
    attempt().await
}
