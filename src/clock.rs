//! What time it is: the only caller of `now()`, so that tests can hold the time still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The source of the time, in whole seconds since the Unix epoch.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands where its holder sets it.
    Fixed(Arc<AtomicU64>),
}

impl Clock {
    /// The time now, in seconds since the Unix epoch.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> u64 {
        match self {
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            Self::Fixed(seconds) => seconds.load(Ordering::SeqCst),
        }
    }
}
