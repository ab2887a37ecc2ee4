//! A map of bounded size.

use std::collections::HashMap;
use std::hash::Hash;

/// A map that removes its oldest entry when it is full, so that memory does not grow with the number of callers.
pub(super) struct BoundedMap<K, V> {
    capacity: usize,
    /// The number of insertions so far.
    insertions: u64,
    /// Each value with the number of its insertion.
    entries: HashMap<K, (u64, V)>,
}

impl<K: Clone + Eq + Hash, V> BoundedMap<K, V> {
    pub fn new(capacity: usize) -> Self {
        Self { capacity, insertions: 0, entries: HashMap::new() }
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, (_, value))| (key, value))
    }

    /// Inserts or replaces a value. The entry counts as the newest one.
    pub fn insert(&mut self, key: K, value: V) {
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            let oldest = self.entries.iter().min_by_key(|(_, (number, _))| *number).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.entries.remove(&key));
        }
        self.insertions += 1;
        self.entries.insert(key, (self.insertions, value));
    }
}
