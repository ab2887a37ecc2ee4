//! Which keys this process signs with: the last good reading of the secret, and when to read it again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use tokio::sync::Mutex;

use super::{KeyError, KeySet};
use crate::aws;
use crate::clock::Clock;

/// Seconds after which the secret is read again when that failed.
const RETRY_AFTER: u64 = 15;
/// How long a request waits for a set that is not too old.
const PATIENCE: Duration = Duration::from_secs(1);

/// Holds the last good set, and reads the secret again beside requests.
pub struct Keyring {
    secrets_manager: Client,
    secret_id: String,
    clock: Clock,
    max_age: u64,
    set: RwLock<Option<Arc<KeySet>>>,
    /// When the set was read, and when it is to be read again; seconds since the epoch.
    read_at: AtomicU64,
    due_at: AtomicU64,
    /// When a reading failed last.
    failed_at: AtomicU64,
    /// Held by whoever reads again: one is enough.
    reading: Arc<Mutex<()>>,
}

impl Keyring {
    /// A ring for this secret, empty until [`load`](Self::load) or the first request. No set signs for longer than
    /// `max_age` seconds after it was read, unless the secret cannot be read.
    pub fn new(sdk: &SdkConfig, secret_id: String, clock: Clock, max_age: u32) -> Self {
        Self {
            secrets_manager: Client::new(sdk),
            secret_id,
            clock,
            max_age: max_age.into(),
            set: RwLock::new(None),
            read_at: AtomicU64::new(0),
            due_at: AtomicU64::new(0),
            failed_at: AtomicU64::new(0),
            reading: Arc::default(),
        }
    }

    /// Reads the secret and takes it up.
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
        let request = self.secrets_manager.get_secret_value().secret_id(&self.secret_id);
        let output = Box::pin(request.send()).await.map_err(|error| KeyError::Unavailable(aws::cause(&error)))?;
        KeySet::parse(output.secret_string().ok_or(KeyError::Unusable("it has no text"))?, now)
    }

    /// The last good set. Reads the secret if there is none yet, and again if the set is too old: an environment that was
    /// frozen for hours, perhaps in the middle of a reading, must not sign with a key that verifiers may have forgotten,
    /// nor publish a set without the one that they will meet. It waits for that, but not for long.
    ///
    /// # Errors
    /// [`KeyError`] if there is none to be had.
    pub async fn current(&self) -> Result<Arc<KeySet>, KeyError> {
        let Some(set) = self.last_good() else {
            return self.load().await;
        };
        let now = self.clock.now();
        let failed_lately = now.saturating_sub(self.failed_at.load(Ordering::Acquire)) < RETRY_AFTER;
        if !self.is_too_old(now) || failed_lately {
            return Ok(set);
        }
        let reread = async {
            let _reading = self.reading.lock().await;
            // Whoever held it may have read in time, or long ago.
            if self.is_too_old(now) { self.load().await.map(drop) } else { Ok(()) }
        };
        let read = tokio::time::timeout(PATIENCE, reread).await.unwrap_or_else(|_| {
            self.failed_at.store(now, Ordering::Release);
            Err(KeyError::Unavailable("no answer in time".to_owned()))
        });
        if let Err(error) = read {
            tracing::error!(reason = %error, "keeping the last good signing keys");
        }
        Ok(self.last_good().unwrap_or(set))
    }

    fn is_too_old(&self, now: u64) -> bool {
        now.saturating_sub(self.read_at.load(Ordering::Acquire)) >= self.max_age
    }

    /// Has the secret read again if that is due, beside whatever the caller does next. A failure keeps the last good
    /// set, and a later request tries again.
    pub fn reread_if_due(self: &Arc<Self>) {
        let (now, due_at) = (self.clock.now(), self.due_at.load(Ordering::Acquire));
        // A due time further off than any that was ever set means that the clock was set back.
        let due = now >= due_at || due_at - now > self.max_age.max(RETRY_AFTER);
        if !due || self.last_good().is_none() {
            return;
        }
        // Who gets the lock reads. It is got here, so that `current` finds it taken.
        let Ok(reading) = self.reading.clone().try_lock_owned() else {
            return;
        };
        let ring = self.clone();
        tokio::spawn(async move {
            if let Err(error) = ring.load().await {
                tracing::error!(reason = %error, "keeping the last good signing keys");
            }
            drop(reading);
        });
    }

    fn last_good(&self) -> Option<Arc<KeySet>> {
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
