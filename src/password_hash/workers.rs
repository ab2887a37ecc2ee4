//! The limit of slow hashes that run simultaneously in a process.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::durations::{Measured, Work};

/// The maximum number of requests that wait for a permit.
const MAX_WAITING: usize = 64;
/// The longest wait for a permit.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// The permits for slow hashes: as many as the process has CPUs.
pub struct Workers {
    permits: Arc<Semaphore>,
    waiting: Semaphore,
    uses_blocking_pool: bool,
}

/// Too many requests are waiting for a permit, or one waited too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl Workers {
    /// Returns this number of permits. Work runs on the caller's thread, which is the fastest way if a process serves one
    /// request at a time.
    pub fn new(permits: usize) -> Self {
        let permits = Arc::new(Semaphore::new(permits));
        Self { permits, waiting: Semaphore::new(MAX_WAITING), uses_blocking_pool: false }
    }

    /// Returns as many permits as the process has CPUs.
    pub fn for_cpus() -> Self {
        Self::new(available_parallelism().map_or(1, usize::from))
    }

    /// Runs work on tokio's blocking pool, so that other requests continue meanwhile.
    #[must_use]
    pub fn on_blocking_pool(self) -> Self {
        Self { uses_blocking_pool: true, ..self }
    }

    /// Waits for a permit and does the work. The permit moves into the work, so a caller that stops waiting does not
    /// release the permit before the work ends.
    ///
    /// # Errors
    /// [`Busy`]
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let permit = self.permit().await?;
        let _measured = Measured::begin(Work::Hash);
        let work = move || {
            let done = work();
            drop(permit);
            done
        };
        if !self.uses_blocking_pool {
            return Ok(work());
        }
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => Ok(done),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime is shutting down.
            Err(_) => Err(Busy),
        }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Busy> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.waiting.try_acquire().map_err(|_| Busy)?;
        let permit = timeout(MAX_WAIT, self.permits.clone().acquire_owned()).await.map_err(|_| Busy)?;
        permit.map_err(|_| Busy)
    }
}
