//! The keys that this process uses: the last good set, and when to load it again.

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
/// How long a request waits for the reload of a set that is too old.
const PATIENCE: Duration = Duration::from_secs(1);

/// Holds the last good set, and reloads it beside requests.
pub struct Keyring {
    secret: SigningSecret,
    clock: Clock,
    max_age: u64,
    set: RwLock<Option<Arc<KeySet>>>,
    /// When the set was loaded, and when it is due to be loaded again; seconds since the epoch.
    read_at: AtomicU64,
    due_at: AtomicU64,
    /// When a load failed last.
    failed_at: AtomicU64,
    /// Held during a reload: one at a time is enough.
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
            read_at: AtomicU64::new(0),
            due_at: AtomicU64::new(0),
            failed_at: AtomicU64::new(0),
            reloading: Arc::default(),
        }
    }

    /// Loads the secret and uses its keys from now on.
    ///
    /// # Errors
    /// [`KeyError`]; the last good set stays.
    pub async fn load(&self) -> Result<Arc<KeySet>, KeyError> {
        let read_at = self.clock.now();
        let read = self.read(read_at).await;
        match read {
            Ok(set) => {
                let set = Arc::new(set);
                *self.set.write().unwrap_or_else(PoisonError::into_inner) = Some(set.clone());
                self.read_at.store(read_at, Ordering::Release);
                // Early enough to be done before the set is too old, if requests come all the time.
                self.due_at.store(read_at.saturating_add(self.max_age * 4 / 5), Ordering::Release);
                Ok(set)
            }
            Err(error) => {
                self.failed_at.store(read_at, Ordering::Release);
                self.due_at.store(read_at.saturating_add(RETRY_AFTER), Ordering::Release);
                Err(error)
            }
        }
    }

    async fn read(&self, now: u64) -> Result<KeySet, KeyError> {
        let version = self.secret.read().await?;
        KeySet::parse(&version.ok_or(KeyError::Unusable("it has no keys yet"))?.text, now)
    }

    /// Returns the last good set. Loads the secret if there is none yet, and reloads it if the set is too old: an execution
    /// environment that was frozen for hours, perhaps during a load, must not sign with a key that verifiers may have
    /// forgotten, nor publish a set without the key that signs now. It waits for the reload, for a second at most.
    ///
    /// # Errors
    /// [`KeyError`] if there is no set.
    pub async fn current(&self) -> Result<Arc<KeySet>, KeyError> {
        let Some(set) = self.last_good() else {
            return self.load().await;
        };
        let now = self.clock.now();
        let failed_lately = now.saturating_sub(self.failed_at.load(Ordering::Acquire)) < RETRY_AFTER;
        if !self.is_too_old(now) || failed_lately {
            return Ok(set);
        }
        let reload = async {
            let _reloading = self.reloading.lock().await;
            // The process that held the lock may have loaded the set just now, or before a freeze.
            if self.is_too_old(now) { self.load().await.map(drop) } else { Ok(()) }
        };
        let reloaded = tokio::time::timeout(PATIENCE, reload).await.unwrap_or_else(|_| {
            self.failed_at.store(now, Ordering::Release);
            Err(KeyError::Unavailable("no response in time".to_owned()))
        });
        if let Err(error) = reloaded {
            tracing::error!(reason = %error, "keeping the last good signing keys");
        }
        Ok(self.last_good().unwrap_or(set))
    }

    fn is_too_old(&self, now: u64) -> bool {
        now.saturating_sub(self.read_at.load(Ordering::Acquire)) >= self.max_age
    }

    /// Starts a reload if one is due. It runs beside whatever the caller does next. A failure keeps the last good set, and a
    /// later request tries again.
    pub fn reload_if_due(self: &Arc<Self>) {
        let (now, due_at) = (self.clock.now(), self.due_at.load(Ordering::Acquire));
        // If the due time is further away than any that is ever set, the clock was set back.
        let due = now >= due_at || due_at - now > self.max_age.max(RETRY_AFTER);
        if !due || self.last_good().is_none() {
            return;
        }
        // Locked here and not in the task, so that `current` finds the lock taken.
        let Ok(reloading) = self.reloading.clone().try_lock_owned() else {
            return;
        };
        let ring = self.clone();
        tokio::spawn(async move {
            if let Err(error) = ring.load().await {
                tracing::error!(reason = %error, "keeping the last good signing keys");
            }
            drop(reloading);
        });
    }

    fn last_good(&self) -> Option<Arc<KeySet>> {
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
