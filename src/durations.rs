//! The time that a request spends on password hashes and in the store, for its log line.
//!
//! The work measures itself, wherever the request does it. Work outside of a request is not measured.

use std::cell::RefCell;
use std::time::Duration;

use tokio::task_local;
use tokio::time::Instant;

task_local! {
    static STOPWATCHES: RefCell<Stopwatches>;
}

/// The durations of a request in milliseconds. A kind of work that did not occur has none.
#[derive(Clone, Copy)]
pub struct Durations {
    /// The time of slow hashes.
    pub hash_ms: Option<u64>,
    /// The time in which at least one call to the store was waiting for its response. Concurrent calls count once.
    pub store_ms: Option<u64>,
    /// The whole time.
    pub total_ms: u64,
}

/// A kind of work that is measured.
#[derive(Clone, Copy)]
pub enum Work {
    /// A slow hash.
    Hash,
    /// A call to the store.
    StoreCall,
}

/// Runs a request, and returns its output with its durations.
pub async fn of<T>(request: impl Future<Output = T>) -> (T, Durations) {
    let began = Instant::now();
    let measured = async {
        let output = request.await;
        (output, STOPWATCHES.with(RefCell::take))
    };
    let (output, Stopwatches { hash, store }) = STOPWATCHES.scope(RefCell::default(), measured).await;
    let durations = Durations {
        hash_ms: hash.total.map(milliseconds),
        store_ms: store.total.map(milliseconds),
        total_ms: milliseconds(began.elapsed()),
    };
    (output, durations)
}

/// Work that is measured until this is dropped.
#[must_use]
pub struct Measured(Work);

impl Measured {
    /// Begins the work.
    pub fn begin(work: Work) -> Self {
        change(work, Stopwatch::start);
        Self(work)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        change(self.0, Stopwatch::stop);
    }
}

#[derive(Default)]
struct Stopwatches {
    hash: Stopwatch,
    store: Stopwatch,
}

/// Measures the time in which work of one kind runs. Concurrent work counts once.
#[derive(Default)]
struct Stopwatch {
    running: u32,
    began: Option<Instant>,
    total: Option<Duration>,
}

impl Stopwatch {
    fn start(&mut self) {
        self.running += 1;
        self.began.get_or_insert_with(Instant::now);
    }

    fn stop(&mut self) {
        self.running = self.running.saturating_sub(1);
        if self.running == 0
            && let Some(began) = self.began.take()
        {
            *self.total.get_or_insert_default() += began.elapsed();
        }
    }
}

fn change(work: Work, change: fn(&mut Stopwatch)) {
    // Fails outside of a request.
    let _ = STOPWATCHES.try_with(|stopwatches| {
        let mut stopwatches = stopwatches.borrow_mut();
        change(match work {
            Work::Hash => &mut stopwatches.hash,
            Work::StoreCall => &mut stopwatches.store,
        });
    });
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
