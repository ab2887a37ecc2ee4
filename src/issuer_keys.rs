//! The public keys of other issuers, whose tokens authenticate clients.
//!
//! Issuers publish their keys (OpenID Connect Discovery section 4). A set that was fetched is kept in the process: it is
//! fresh for 10 minutes, and if the issuer fails then, it remains usable for a day after its fetch. No token can cause more
//! than one fetch in 10 seconds, and an outage of an issuer never makes its tokens wrong: the result is unknown then.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;
use crate::jwt::JwkSet;

mod fetch;
mod memory;
mod transport;

pub use fetch::Fetcher;
use memory::{Issuer, Memory};

/// The error of a set that is not known: the issuer could not be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// The keys of the issuers that this process knows.
pub struct IssuerKeys {
    fetcher: Fetcher,
    clock: Clock,
    memory: Mutex<Memory>,
}

impl IssuerKeys {
    /// Builds an empty memory for the deployment with this issuer. Makes no call, and prepares no connection.
    pub fn new(own_issuer: &str, clock: Clock) -> Self {
        Self { fetcher: Fetcher::new(own_issuer), clock, memory: Mutex::default() }
    }

    /// Returns a set of the issuer's keys. If a key with this `kid` is not in it, the issuer does not have one. Fetches the
    /// set if it is not fresh or does not have the key, and waits for that. Simultaneous callers wait for the same fetch.
    ///
    /// # Errors
    /// [`Unavailable`] if there is no usable set, or if it does not have the key and could not be fetched again.
    pub async fn of(&self, issuer: &str, kid: &str) -> Result<Arc<JwkSet>, Unavailable> {
        let known = self.known(issuer)?;
        if !known.needs_fetch(kid, self.clock.now()) {
            return known.usable(kid, self.clock.now());
        }
        let fetching = known.fetching.clone().lock_owned().await;
        // Another fetch may have ended while this caller waited.
        if let Some(attempt) = known.begin_fetch(kid, self.clock.now()) {
            let (fetcher, issuer, known) = (self.fetcher, issuer.to_owned(), known.clone());
            // A task: the fetch ends, and its result is kept, also if the request reaches its deadline.
            let task = tokio::spawn(async move {
                match fetcher.keys(&issuer).await {
                    Ok(set) => known.keep(set, attempt),
                    Err(reason) => {
                        let effect = "the keys of an issuer were not fetched";
                        tracing::warn!(event = "issuer_keys", outcome = "failed", issuer, reason, "{effect}");
                    }
                }
                drop(fetching);
            });
            // A task that panics has not kept a set.
            let _ = task.await;
        }
        known.usable(kid, self.clock.now())
    }

    fn known(&self, issuer: &str) -> Result<Arc<Issuer>, Unavailable> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.issuer(issuer, self.clock.now()).ok_or(Unavailable)
    }
}
