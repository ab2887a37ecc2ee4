//! All that a request may touch, in one value.

use std::sync::Arc;

use aws_config::SdkConfig;

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::keys::Keyring;
use crate::password_hash::Hasher;
use crate::store::Store;

/// One deployment, as one process sees it.
pub struct App {
    /// Its settings.
    pub config: Config,
    /// Its tables.
    pub store: Store,
    /// Its signing keys.
    pub keyring: Arc<Keyring>,
    /// Its password hashing.
    pub hasher: Hasher,
    /// Its time.
    pub clock: Clock,
}

impl App {
    /// Puts a deployment together. Calls nobody yet.
    ///
    /// # Errors
    /// [`ConfigError`] if the argon2 parameters are none.
    pub fn new(config: Config, sdk: &SdkConfig, clock: Clock) -> Result<Self, ConfigError> {
        let hasher = Hasher::new(config.argon2_memory_kib, config.argon2_iterations, config.argon2_parallelism)
            .map_err(|_| ConfigError {
                variable: "ARGON2_MEMORY_KIB, ARGON2_ITERATIONS or ARGON2_PARALLELISM",
                fault: "is out of bounds",
            })?;
        Ok(Self {
            store: Store::new(sdk, &config),
            keyring: Arc::new(Keyring::new(sdk, config.signing_secret_id.clone(), clock.clone(), config.keys_max_age)),
            hasher,
            config,
            clock,
        })
    }

    /// Opens the connections and loads the keys, so that the first request need not. What fails here is tried again
    /// by the requests that need it, so that a dependency that is down does not keep the function down.
    pub async fn warm_up(&self) {
        let (keys, store) = tokio::join!(self.keyring.load(), self.store.connect());
        if let Err(error) = keys {
            tracing::error!(reason = %error, "starting without signing keys");
        }
        if let Err(error) = store {
            tracing::error!(reason = %error, "starting without a connection to the store");
        }
    }
}
