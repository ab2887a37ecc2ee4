//! The memory of one process between requests. It does not grow with the number of callers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bounded::BoundedMap;
use super::network::Network;
use super::{Budget, Subject};
use crate::clock::is_younger;

/// The maximum number of entries of each map.
const CAPACITY: usize = 1_024;
/// The longest time, in seconds, for which a block is remembered, so `user unlock` takes effect after this time.
pub const REMEMBERED_FOR: u64 = 60;
/// The failures of one network, over all subjects, that are allowed immediately.
const NETWORK_BURST: u64 = 30;
/// The seconds in which one more failure of a network is allowed.
const NETWORK_INTERVAL: u64 = 6;
/// The wrong guesses in one minute that a process allows while it cannot count them in the store.
const UNCOUNTED: u64 = 5;

/// The memory of a process.
pub struct Throttle {
    /// The budget of each lane.
    pub budget: Budget,
    blocks: Mutex<BoundedMap<(Subject, Option<Network>), Block>>,
    /// The theoretical arrival time of each network's next failure (GCRA), in seconds since the epoch.
    failures: Mutex<BoundedMap<Network, u64>>,
    uncounted: Mutex<Window>,
}

/// A block of a lane.
struct Block {
    /// The time at which the block is over.
    until: u64,
    /// The time at which this entry expires.
    remembered_until: u64,
}

/// The wrong guesses of the current minute that were not counted in the store.
#[derive(Default)]
struct Window {
    began: u64,
    count: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Block {
    /// Returns true if the entry counts. An entry that expires later than any entry of now was made before the clock
    /// jumped back.
    const fn is_current(&self, now: u64) -> bool {
        self.remembered_until > now && self.remembered_until <= now + REMEMBERED_FOR
    }
}

impl Throttle {
    /// Builds an empty memory.
    pub fn new(budget: Budget) -> Self {
        let (blocks, failures) = (BoundedMap::new(CAPACITY), BoundedMap::new(CAPACITY));
        Self {
            budget,
            blocks: Mutex::new(blocks),
            failures: Mutex::new(failures),
            uncounted: Mutex::new(Window::default()),
        }
    }

    /// Returns true if the process remembers the subject as blocked for any network.
    pub fn remembers(&self, subject: &Subject, now: u64) -> bool {
        lock(&self.blocks).iter().any(|((known, _), block)| known == subject && block.is_current(now))
    }

    /// Returns the time at which the block of a subject is over, if the process remembers one for this network.
    pub(super) fn blocked_until(&self, subject: &Subject, network: Option<Network>, now: u64) -> Option<u64> {
        let blocks = lock(&self.blocks);
        blocks.get(&(subject.clone(), network)).filter(|block| block.is_current(now)).map(|block| block.until)
    }

    /// Remembers a block.
    pub(super) fn remember(&self, (subject, network): (&Subject, Option<Network>), until: u64, now: u64) {
        let block = Block { until, remembered_until: until.min(now + REMEMBERED_FOR) };
        lock(&self.blocks).insert((subject.clone(), network), block);
    }

    /// Returns the time from which a further failure of a network is allowed, if it is not allowed now.
    pub(super) fn network_blocked_until(&self, network: Network, now: u64) -> Option<u64> {
        let allowed_from = (arrival(&lock(&self.failures), network, now) + NETWORK_INTERVAL)
            .saturating_sub(NETWORK_BURST * NETWORK_INTERVAL);
        (allowed_from > now).then_some(allowed_from)
    }

    /// Counts a failure of a network.
    pub(super) fn count_failure(&self, network: Network, now: u64) {
        let mut failures = lock(&self.failures);
        // Simultaneous failures may exceed the burst, but not prolong the block.
        let next = arrival(&failures, network, now) + NETWORK_INTERVAL;
        failures.insert(network, next.min(now + NETWORK_BURST * NETWORK_INTERVAL));
    }

    /// Returns true if no further guess is allowed that cannot be counted in the store.
    pub(super) fn is_uncounted_budget_exhausted(&self, now: u64) -> bool {
        lock(&self.uncounted).is_exhausted(now)
    }

    /// Counts a guess that cannot be counted in the store, if it is wrong. Returns false if it must not have a result, because
    /// others exhausted the budget before it.
    pub(super) fn count_uncounted(&self, is_right: bool, now: u64) -> bool {
        let mut window = lock(&self.uncounted);
        if window.is_exhausted(now) {
            return false;
        }
        if !is_right {
            if !window.contains(now) {
                *window = Window { began: now, count: 0 };
            }
            window.count += 1;
        }
        true
    }
}

/// Returns the theoretical arrival time of a network's next failure. A time that no failure can have caused was stored
/// before the clock jumped back.
fn arrival(failures: &BoundedMap<Network, u64>, network: Network, now: u64) -> u64 {
    let stored = failures.get(&network).copied().unwrap_or_default();
    if stored > now + NETWORK_BURST * NETWORK_INTERVAL { now } else { stored.max(now) }
}

impl Window {
    fn contains(&self, now: u64) -> bool {
        is_younger(self.began, 60, now)
    }

    fn is_exhausted(&self, now: u64) -> bool {
        self.contains(now) && self.count >= UNCOUNTED
    }
}
