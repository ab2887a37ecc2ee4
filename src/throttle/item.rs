//! The item of a subject: its failed guesses, in one common lane and one lane for each known network.
//!
//! The functions are pure. [`Count::of`] and the condition of `store/attempts.rs` express the same rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::Budget;
use crate::random::random_id;

/// Seconds without an attempt after which the failures of a lane are forgotten.
pub const QUIET: u64 = 86_400;
/// Seconds by which a time may be ahead of our clock. A lane whose time is further ahead counts as absent, so a clock
/// that jumped does not block a subject.
pub const AHEAD: u64 = 60;
/// Seconds for which a network is known.
pub const NETWORK_KNOWN_FOR: u64 = 90 * 86_400;
/// The number of consecutive failures that make a network unknown.
pub const NETWORK_FAILURES: u64 = 10;
/// The maximum number of networks of an item.
pub const MAX_NETWORKS: usize = 8;

/// A lane: the failures since the last success, and the time of the last attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Lane {
    /// The consecutive failures.
    #[serde(deserialize_with = "safe_integer")]
    pub failures: u64,
    /// The time of the last attempt, in seconds since the epoch.
    #[serde(deserialize_with = "safe_integer")]
    pub last_at: u64,
}

/// Reads a whole number of at most 2^53. A larger one is an error: the service does not write it.
fn safe_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number <= 1 << 53 { Ok(number) } else { Err(serde::de::Error::custom("above 2^53")) }
}

impl Lane {
    /// Returns true if the lane counts: its last attempt is not too long ago, and not ahead of our clock.
    pub fn is_current(self, now: u64) -> bool {
        self.last_at > now.saturating_sub(QUIET) && self.last_at <= now + AHEAD
    }

    /// Returns true if this lane of a network shows that the network is known.
    fn is_known(self, now: u64) -> bool {
        self.failures < NETWORK_FAILURES
            && self.last_at > now.saturating_sub(NETWORK_KNOWN_FOR)
            && self.last_at <= now + AHEAD
    }
}

/// The failed guesses at a subject, one item of the table `grants`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempts {
    /// The lane of all attempts that are not from a known network.
    pub common: Option<Lane>,
    /// The lanes of the networks from which the subject succeeded, by the names of their attributes.
    pub networks: BTreeMap<String, Lane>,
    /// The random id of the request that wrote the item last.
    pub by: Option<String>,
}

/// The place of an attempt: the lane that counts it, and the state of that lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The attribute of the known network; `None` is the common lane.
    pub network: Option<String>,
    /// The state of the lane, if it is current.
    pub lane: Option<Lane>,
}

impl Place {
    /// Returns the consecutive failures before the attempt.
    pub fn failures(&self) -> u64 {
        self.lane.map_or(0, |lane| lane.failures)
    }

    /// Returns the name of the lane for the log.
    pub const fn name(&self) -> &'static str {
        if self.network.is_some() { "known" } else { "common" }
    }
}

/// A lane whose next attempt is not allowed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The place of the attempt.
    pub place: Place,
    /// The time at which the next attempt is allowed, in seconds since the epoch.
    pub until: u64,
}

impl Attempts {
    /// Returns the place of an attempt from a network, by the attribute of the network.
    pub fn place(&self, network: Option<&str>, now: u64) -> Place {
        let known = network.and_then(|name| self.networks.get_key_value(name)).filter(|(_, lane)| lane.is_known(now));
        let (network, lane) = match known {
            Some((name, lane)) => (Some(name.clone()), Some(*lane)),
            None => (None, self.common),
        };
        Place { network, lane: lane.filter(|lane| lane.is_current(now)) }
    }

    /// Judges an attempt from a network.
    ///
    /// # Errors
    /// [`Blocked`] if it is not allowed.
    pub fn judge(&self, network: Option<&str>, budget: Budget, now: u64) -> Result<Place, Blocked> {
        let place = self.place(network, now);
        let delay = budget.delay(place.failures());
        match place.lane.map(|lane| lane.last_at.saturating_add(delay)) {
            Some(until) if delay > 0 && until > now => Err(Blocked { place, until }),
            _ => Ok(place),
        }
    }

    /// Returns true if an attempt from this network is from a new one.
    fn is_new(&self, network: &str, now: u64) -> bool {
        !self.networks.get(network).is_some_and(|lane| lane.is_known(now))
    }
}

/// The counting of one attempt: an update of the item.
#[derive(Clone, Debug)]
pub struct Count {
    /// The place of the attempt.
    pub place: Place,
    /// True if the guess was right.
    pub is_right: bool,
    /// The time of the attempt, in seconds since the epoch.
    pub now: u64,
    /// The random id of the request.
    pub by: String,
    /// The attribute of a network that becomes known.
    pub new_network: Option<String>,
    /// The attributes of networks that are removed.
    pub removed: Vec<String>,
    /// The time at which the item expires, in seconds since the epoch.
    pub expires_at: u64,
}

impl Count {
    /// Returns the update for a guess at this place of an item, from a network.
    pub fn of(item: &Attempts, place: Place, (network, is_right): (Option<&str>, bool), now: u64) -> Self {
        let new_network = network.filter(|name| is_right && item.is_new(name, now)).map(ToOwned::to_owned);
        let kept = new_network.as_ref().or(place.network.as_ref());
        let mut others: Vec<_> = item.networks.iter().filter(|(name, _)| Some(*name) != kept).collect();
        others.sort_by_key(|(_, lane)| (lane.is_known(now), lane.last_at));
        let count = others.len() + usize::from(kept.is_some());
        let removed = others.iter().take(count.saturating_sub(MAX_NETWORKS)).map(|(name, _)| (*name).clone()).collect();
        let lasts = if count > 0 { NETWORK_KNOWN_FOR } else { QUIET };
        Self { place, is_right, now, by: random_id(), new_network, removed, expires_at: now + lasts }
    }
}
