//! One attempt, from its beginning to its result.

use super::item::{Attempts, Blocked, Count, Place};
use super::network::Network;
use super::{Kind, Subject};
use crate::app::App;
use crate::error::Error;
use crate::risk::Risk;
use crate::store::{Counted, StoreError};

/// The number of times that an item is judged again because another request changed it before the count.
const MAX_REJUDGEMENTS: usize = 3;
/// The failures in a lane from which on a right guess is a risk signal.
const MANY_FAILURES: u64 = 5;

/// The permission for one guess. Only [`begin`] makes one, and a check of a password or a slow secret consumes it.
#[must_use = "a guess that is not counted must not be checked"]
pub struct Attempt<'a> {
    app: &'a App,
    subject: Subject,
    network: Option<Network>,
    /// The item of the subject, unless it could not be read.
    item: Option<Attempts>,
}

/// A guess that was checked but is not counted yet. Its result only comes out of [`settle`](Self::settle).
#[must_use = "the result is known only after the count"]
pub struct Guess<'a, T> {
    attempt: Attempt<'a>,
    proven: Option<T>,
}

/// Rejects an attempt that this process remembers as blocked. Needs no read.
///
/// # Errors
/// `temporarily_unavailable`, 429.
pub fn recall(app: &App, subject: &Subject, network: Option<Network>) -> Result<(), Error> {
    let now = app.clock.now();
    match app.throttle.blocked_until(subject, network, now) {
        Some(until) => Err(reject(app, "memory", until, now)),
        None => Ok(()),
    }
}

/// Begins an attempt at a subject from a network, `None` if the address is not known. `item` is the item of the subject
/// as it was read.
///
/// # Errors
/// `temporarily_unavailable`, 429, if the attempt is blocked. `temporarily_unavailable`, 503, if it cannot be counted:
/// for an account, if the item could not be read; for a client, if the process has no budget left for guesses that are
/// not counted. `server_error` if the item is malformed.
pub fn begin(
    app: &App,
    subject: Subject,
    network: Option<Network>,
    item: Result<Attempts, StoreError>,
) -> Result<Attempt<'_>, Error> {
    let now = app.clock.now();
    let item = match item {
        Ok(item) => Some(item),
        Err(error) if may_be_uncounted(&subject, &error) => {
            if app.throttle.is_uncounted_budget_exhausted(now) {
                return Err(not_countable());
            }
            None
        }
        Err(error) => return Err(error.into()),
    };
    let attempt = Attempt { app, subject, network, item };
    if let Some(item) = &attempt.item {
        let place = attempt.judge(item, now)?;
        let network = network.filter(|_| place.network.is_none());
        if let Some(until) = network.and_then(|network| app.throttle.network_blocked_until(network, now)) {
            return Err(reject(app, "network", until, now));
        }
    }
    Ok(attempt)
}

/// Returns true if a guess may have a result although this error prevents its count: at a client, while the store is down.
fn may_be_uncounted(subject: &Subject, error: &StoreError) -> bool {
    subject.kind == Kind::Client && error.is_transient()
}

/// Returns the error of a guess at a client that cannot be counted, after as many others as a process allows.
fn not_countable() -> Error {
    Error::temporarily_unavailable("guesses at client secrets cannot be counted")
}

/// Returns the error of a rejected attempt, and records it.
fn reject(app: &App, lane: &'static str, until: u64, now: u64) -> Error {
    let max_delay = app.throttle.budget.max_delay;
    let retry_after = u32::try_from(until.saturating_sub(now)).unwrap_or(u32::MAX).clamp(1, max_delay);
    let span = tracing::Span::current();
    span.record("lane", lane);
    span.record("retry_after", retry_after);
    Error::too_many_attempts(retry_after)
}

impl<'a> Attempt<'a> {
    /// Attaches the result of the check to its attempt.
    pub(crate) const fn checked<T>(self, proven: Option<T>) -> Guess<'a, T> {
        Guess { attempt: self, proven }
    }

    fn judge(&self, item: &Attempts, now: u64) -> Result<Place, Error> {
        item.judge(self.attribute().as_deref(), self.app.throttle.budget, now).map_err(|blocked| {
            let Blocked { place, until } = blocked;
            self.app.throttle.remember((&self.subject, self.network), until, now);
            tracing::Span::current().record("failures", place.failures());
            reject(self.app, place.name(), until, now)
        })
    }

    fn attribute(&self) -> Option<String> {
        self.network.map(|network| network.attribute(self.subject.item_id()))
    }

    /// Counts the guess. A guess that is not counted has no result, except at a client while the store is down.
    async fn count(mut self, is_right: bool) -> Result<Option<Risk>, Error> {
        let Some(mut item) = self.item.take() else {
            return self.count_in_memory(is_right);
        };
        let (app, attribute) = (self.app, self.attribute());
        for _ in 0..=MAX_REJUDGEMENTS {
            let now = app.clock.now();
            let place = self.judge(&item, now)?;
            let count = Count::of(&item, place, (attribute.as_deref(), is_right), now);
            match app.store.count_attempt(self.subject.item_id(), &count, app.throttle.budget).await {
                Ok(Counted::Counted { failures }) => return Ok(self.record(&count, failures)),
                Ok(Counted::Changed(changed)) => item = changed,
                Err(error) if may_be_uncounted(&self.subject, &error) => return self.count_in_memory(is_right),
                Err(error) => return Err(error.into()),
            }
        }
        let now = app.clock.now();
        Err(reject(app, item.place(attribute.as_deref(), now).name(), now, now))
    }

    fn count_in_memory(&self, is_right: bool) -> Result<Option<Risk>, Error> {
        let has_result = self.app.throttle.count_uncounted(is_right, self.app.clock.now());
        if has_result { Ok(None) } else { Err(not_countable()) }
    }

    /// Records a guess that was counted. Returns the risk of a right one.
    fn record(&self, count: &Count, failures: u64) -> Option<Risk> {
        if let Some(network) = self.network.filter(|_| !count.is_right && count.place.network.is_none()) {
            self.app.throttle.count_failure(network, count.now);
        }
        // A request whose client was proven continues, and may record the lane of an account.
        if self.subject.kind == Kind::Client && count.is_right {
            return None;
        }
        let span = tracing::Span::current();
        span.record("lane", count.place.name());
        span.record("failures", failures);
        let risk = if !count.is_right {
            None
        } else if count.new_network.is_some() {
            Some(Risk::NewNetwork)
        } else {
            (count.place.failures() >= MANY_FAILURES).then_some(Risk::AfterFailures)
        };
        if let Some(risk) = risk {
            span.record("risk", risk.as_str());
        }
        risk
    }
}

impl<T> Guess<'_, T> {
    /// Makes the guess wrong unless a further condition holds.
    pub fn only_if(self, holds: bool) -> Self {
        Self { proven: self.proven.filter(|_| holds), ..self }
    }

    /// Counts the guess, and returns its result: `None` if it was wrong. If it was right, does `work` concurrently with
    /// the count; the result of the work is returned only if the guess was counted.
    ///
    /// # Errors
    /// `temporarily_unavailable`, 429, if the count was rejected, whether the guess was right or wrong;
    /// `temporarily_unavailable`, 503, if it failed. `server_error` if the item is malformed.
    pub async fn settle<R, W: Future<Output = R>>(
        self,
        work: impl FnOnce(T) -> W,
    ) -> Result<Option<(R, Option<Risk>)>, Error> {
        let Self { attempt, proven } = self;
        let is_right = proven.is_some();
        let done = async {
            match proven {
                Some(proven) => Some(work(proven).await),
                None => None,
            }
        };
        let (risk, done) = tokio::join!(attempt.count(is_right), done);
        let risk = risk?;
        Ok(done.map(|done| (done, risk)))
    }
}
