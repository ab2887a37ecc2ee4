//! The issuers that this process remembers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};

use tokio::sync::Mutex;

use super::Unavailable;
use crate::clock::is_younger;
use crate::jwt::JwkSet;

/// The largest number of issuers.
const MAX_ISSUERS: usize = 100;
/// Seconds for which a set is used without a fetch.
const FRESH: u64 = 600;
/// Seconds for which a set is used if its issuer fails.
const USABLE: u64 = 86_400;
/// The smallest number of seconds between two attempts.
const BETWEEN_ATTEMPTS: u64 = 10;

/// The issuers, by their URL.
#[derive(Default)]
pub(super) struct Memory {
    issuers: BTreeMap<String, (u64, Arc<Issuer>)>,
    /// The number of uses of all issuers.
    uses: u64,
}

impl Memory {
    /// Returns an issuer. A new one takes the place of the one that was not used for longest. An issuer that was attempted
    /// a short time ago keeps its place, so that forgetting does not cause another fetch: returns `None` if all of them
    /// were.
    pub fn issuer(&mut self, url: &str, now: u64) -> Option<Arc<Issuer>> {
        self.uses += 1;
        if let Some((last_use, issuer)) = self.issuers.get_mut(url) {
            *last_use = self.uses;
            return Some(issuer.clone());
        }
        if self.issuers.len() >= MAX_ISSUERS {
            let idle = self.issuers.iter().filter(|(_, (_, issuer))| issuer.may_attempt(now));
            let oldest = idle.min_by_key(|(_, (last_use, _))| *last_use)?.0.clone();
            self.issuers.remove(&oldest);
        }
        let issuer = Arc::<Issuer>::default();
        self.issuers.insert(url.to_owned(), (self.uses, issuer.clone()));
        Some(issuer)
    }
}

/// One issuer.
#[derive(Default)]
pub(super) struct Issuer {
    state: SyncMutex<State>,
    /// Held during a fetch, so that only one runs.
    pub fetching: Arc<Mutex<()>>,
}

#[derive(Default)]
struct State {
    /// The last good set, and the time at which its fetch began, in seconds since the epoch.
    set: Option<(Arc<JwkSet>, u64)>,
    /// The time at which the last fetch began.
    attempted_at: Option<u64>,
}

impl Issuer {
    /// Returns true if a key with this `kid` is not in a fresh set.
    pub fn needs_fetch(&self, kid: &str, now: u64) -> bool {
        self.with_state(|state| state.needs_fetch(kid, now))
    }

    /// Returns true if the last attempt is long enough ago.
    pub fn may_attempt(&self, now: u64) -> bool {
        self.with_state(|state| state.may_attempt(now))
    }

    /// Begins a fetch if it is necessary and allowed. Returns its time.
    pub fn begin_fetch(&self, kid: &str, now: u64) -> Option<u64> {
        self.with_state(|state| {
            let begins = state.needs_fetch(kid, now) && state.may_attempt(now);
            begins.then(|| *state.attempted_at.insert(now))
        })
    }

    /// Keeps the set of a fetch that began at this time.
    pub fn keep(&self, set: JwkSet, began_at: u64) {
        self.with_state(|state| state.set = Some((Arc::new(set), began_at)));
    }

    /// Returns the last good set. Its not having the key counts only if the last fetch did not fail.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn usable(&self, kid: &str, now: u64) -> Result<Arc<JwkSet>, Unavailable> {
        self.with_state(|state| {
            let (set, began_at) = state.set.as_ref().ok_or(Unavailable)?;
            let has_failed_since = state.attempted_at != Some(*began_at);
            let is_usable = is_younger(*began_at, USABLE, now) && (set.has(kid) || !has_failed_since);
            if is_usable { Ok(set.clone()) } else { Err(Unavailable) }
        })
    }

    fn with_state<T>(&self, run: impl FnOnce(&mut State) -> T) -> T {
        run(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn needs_fetch(&self, kid: &str, now: u64) -> bool {
        !self.set.as_ref().is_some_and(|(set, began_at)| is_younger(*began_at, FRESH, now) && set.has(kid))
    }

    fn may_attempt(&self, now: u64) -> bool {
        !self.attempted_at.is_some_and(|at| is_younger(at, BETWEEN_ATTEMPTS, now))
    }
}
