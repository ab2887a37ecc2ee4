//! The keys that this process uses: the last good set, and its reload.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::sync::Mutex;

use super::secret::SigningSecret;
use super::{KeyError, KeySet};
use crate::clock::Clock;

/// Seconds after which a failed load is repeated.
const RETRY_AFTER: u64 = 15;
/// The time for which a request waits for the reload of a set that is too old.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(1);

/// The last good set. It is reloaded in the background.
pub struct Keyring {
    secret: SigningSecret,
    clock: Clock,
    max_age: u64,
    set: RwLock<Option<Arc<KeySet>>>,
    /// The times at which the set was loaded and is due to be reloaded, in seconds since the epoch.
    loaded_at: AtomicU64,
    due_at: AtomicU64,
    /// The time of the last load, if that failed, or else 0.
    failed_at: AtomicU64,
    /// Held during a reload, so that only one runs.
    reloading: Arc<Mutex<()>>,
}

impl Keyring {
    /// Builds a keyring for this secret, empty until [`load`](Self::load) or the first request. No set signs for longer
    /// than `max_age` seconds after it was loaded, unless the secret cannot be read.
    pub fn new(sdk: &SdkConfig, secret_id: String, clock: Clock, max_age: u32) -> Self {
        Self {
            secret: SigningSecret::new(sdk, secret_id),
            clock,
            max_age: max_age.into(),
            set: RwLock::new(None),
            loaded_at: AtomicU64::new(0),
            due_at: AtomicU64::new(0),
            failed_at: AtomicU64::new(0),
            reloading: Arc::default(),
        }
    }

    /// Loads the secret, and uses its keys if they are valid.
    ///
    /// # Errors
    /// [`KeyError`]; the last good set stays.
    pub async fn load(&self) -> Result<Arc<KeySet>, KeyError> {
        let loaded_at = self.clock.now();
        match self.read(loaded_at).await {
            Ok(set) => {
                let set = Arc::new(set);
                *self.set.write().unwrap_or_else(PoisonError::into_inner) = Some(set.clone());
                self.loaded_at.store(loaded_at, Ordering::Release);
                // Under constant load, the reload finishes before the set is too old.
                self.due_at.store(loaded_at.saturating_add(self.max_age * 4 / 5), Ordering::Release);
                if self.failed_at.swap(0, Ordering::AcqRel) != 0 {
                    tracing::info!(event = "keys", outcome = "done", "the signing keys were loaded again");
                }
                Ok(set)
            }
            Err(error) => {
                self.due_at.store(loaded_at.saturating_add(RETRY_AFTER), Ordering::Release);
                Err(self.failed(loaded_at, error))
            }
        }
    }

    /// Records and logs a failed load.
    fn failed(&self, at: u64, error: KeyError) -> KeyError {
        self.failed_at.store(at, Ordering::Release);
        let effect = match self.last_good() {
            Some(_) => "keeping the last good signing keys",
            None => "there are no signing keys",
        };
        tracing::error!(event = "keys", outcome = "failed", reason = %error, "{effect}");
        error
    }

    async fn read(&self, now: u64) -> Result<KeySet, KeyError> {
        let version = self.secret.read().await?;
        KeySet::parse(&version.ok_or(KeyError::Unusable("it has no keys yet"))?.text, now)
    }

    /// Returns the last good set. Loads the secret if there is no set yet. Reloads it if the set is too old, and waits at
    /// most 1 second for that: an execution environment that was frozen for hours, perhaps during a load, must not sign with
    /// a key that verifiers may have dropped, or publish a set without the key that signs now.
    ///
    /// # Errors
    /// [`KeyError`] if there is no set.
    pub async fn current(&self) -> Result<Arc<KeySet>, KeyError> {
        let Some(set) = self.last_good() else {
            return self.load().await;
        };
        let now = self.clock.now();
        if !self.needs_reload(now) {
            return Ok(set);
        }
        let reload = async {
            let _reloading = self.reloading.lock().await;
            // Another load may have ended while this request waited for the lock. A load that began before a freeze does not
            // count as failed now.
            if self.needs_reload(now) { self.load().await.map(drop) } else { Ok(()) }
        };
        // `load` logs its error.
        if tokio::time::timeout(RELOAD_TIMEOUT, reload).await.is_err() {
            self.failed(now, KeyError::Unavailable("no response in time".to_owned()));
        }
        Ok(self.last_good().unwrap_or(set))
    }

    /// Returns true if the set is too old, and no load failed lately.
    fn needs_reload(&self, now: u64) -> bool {
        let is_too_old = now.saturating_sub(self.loaded_at.load(Ordering::Acquire)) >= self.max_age;
        is_too_old && now.saturating_sub(self.failed_at.load(Ordering::Acquire)) >= RETRY_AFTER
    }

    /// Starts a reload in the background if one is due. If it fails, the last good set stays, and a later request tries
    /// again.
    pub fn reload_if_due(self: &Arc<Self>) {
        let (now, due_at) = (self.clock.now(), self.due_at.load(Ordering::Acquire));
        // A due time that is later than any that is set means that the clock was set back.
        let due = now >= due_at || due_at - now > self.max_age.max(RETRY_AFTER);
        if !due || self.last_good().is_none() {
            return;
        }
        // Locked here and not in the task, so that `current` finds the lock taken.
        let Ok(reloading) = self.reloading.clone().try_lock_owned() else {
            return;
        };
        let keyring = self.clone();
        tokio::spawn(async move {
            // `load` logs its error.
            let _ = keyring.load().await;
            drop(reloading);
        });
    }

    /// Returns the last good set. Loads nothing.
    pub fn last_good(&self) -> Option<Arc<KeySet>> {
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
