//! The texts of scopes that this process has read.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::is_younger;
use crate::scope::ScopeTexts;

/// The last texts that were read, with the time of the read in seconds since the epoch.
#[derive(Default)]
pub(super) struct TextsCache(Mutex<Option<(Arc<ScopeTexts>, u64)>>);

impl TextsCache {
    /// Returns the texts, unless they are `max_age` seconds old at `now`, or were read after it: the clock was set back.
    pub fn get(&self, now: u64, max_age: u64) -> Option<Arc<ScopeTexts>> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.as_ref().filter(|(_, read_at)| is_younger(*read_at, max_age, now)).map(|(texts, _)| texts.clone())
    }

    /// Keeps texts that were read now.
    pub fn put(&self, texts: Arc<ScopeTexts>, now: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((texts, now));
    }
}
