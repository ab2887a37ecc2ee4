//! The clock: the only caller of `now()`, so that tests can set the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The source of the time, in whole seconds since the Unix epoch.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that tests set.
    Fixed(Arc<AtomicU64>),
}

impl Clock {
    /// Returns the current time, in seconds since the Unix epoch.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> u64 {
        match self {
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            Self::Fixed(seconds) => seconds.load(Ordering::SeqCst),
        }
    }
}

/// Returns true if a time is less than this number of seconds ago. A time in the future means that the clock was set back;
/// its age is not known.
pub(crate) fn is_younger(at: u64, seconds: u64, now: u64) -> bool {
    now.checked_sub(at).is_some_and(|age| age < seconds)
}
