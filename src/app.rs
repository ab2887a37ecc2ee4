//! The dependencies of a request handler, in one value.

use std::sync::Arc;

use aws_config::SdkConfig;

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::issuer_keys::IssuerKeys;
use crate::keys::Keyring;
use crate::password_hash::Hasher;
use crate::scope::ScopeTexts;
use crate::store::{Store, StoreError};
use crate::throttle::Throttle;

mod texts_cache;

use texts_cache::TextsCache;

/// One deployment, as this process uses it.
pub struct App {
    /// The settings.
    pub config: Config,
    /// The tables.
    pub store: Store,
    /// The signing keys.
    pub keyring: Arc<Keyring>,
    /// The keys of other issuers, whose tokens authenticate clients.
    pub issuer_keys: IssuerKeys,
    /// The password hasher.
    pub hasher: Hasher,
    /// The memory of failed guesses in this process.
    pub throttle: Throttle,
    /// The clock.
    pub clock: Clock,
    scope_texts: TextsCache,
}

impl App {
    /// Builds the clients of the deployment's services. Makes no call.
    ///
    /// # Errors
    /// [`ConfigError`] if the argon2 parameters are not valid.
    pub fn new(config: Config, sdk: &SdkConfig, clock: Clock) -> Result<Self, ConfigError> {
        let variables = "ARGON2_MEMORY_KIB, ARGON2_ITERATIONS or ARGON2_PARALLELISM";
        let hasher = Hasher::new(config.argon2).map_err(|_| ConfigError::new(variables, "is out of bounds"))?;
        let hasher = if config.max_concurrency > 1 { hasher.on_blocking_pool() } else { hasher };
        let keyring = Keyring::new(sdk, config.keys.secret_id.clone(), clock.clone(), config.keys.max_age);
        let (store, throttle) = (Store::new(sdk, &config.tables), Throttle::new(config.throttle));
        let issuer_keys = IssuerKeys::new(&config.issuer, clock.clone());
        Ok(Self {
            store,
            issuer_keys,
            keyring: Arc::new(keyring),
            hasher,
            throttle,
            config,
            clock,
            scope_texts: TextsCache::default(),
        })
    }

    /// Returns the texts of scopes, which may be as old as the keys (`KEYS_MAX_AGE`).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn scope_texts(&self) -> Result<Arc<ScopeTexts>, StoreError> {
        let now = self.clock.now();
        if let Some(texts) = self.scope_texts.get(now, self.config.keys.max_age.into()) {
            return Ok(texts);
        }
        let texts = Arc::new(self.store.scope_texts().await?);
        self.scope_texts.put(texts.clone(), now);
        Ok(texts)
    }

    /// Opens the connections and loads the keys before the first request. Errors are only logged, those of the keys by the
    /// keyring: requests that need the failed dependency try again, so an outage of a dependency does not keep the function
    /// from starting.
    pub async fn warm_up(&self) {
        let (_, store) = tokio::join!(self.keyring.load(), self.store.connect());
        if let Err(error) = store {
            tracing::error!(reason = %error, "starting without a connection to the store");
        }
    }
}
