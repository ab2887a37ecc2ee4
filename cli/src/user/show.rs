//! `countersign user show`: the user, and the guesses at its password.

use countersign::clock::Clock;
use countersign::store::StoreError;
use countersign::throttle::{Attempts, Budget};
use serde::Serialize;

use super::view::{View, rows};
use super::{read, subject};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{Outcome, output};

/// A user and the guesses at its password, as JSON.
#[derive(Serialize)]
struct WithAttempts<'a> {
    #[serde(flatten)]
    user: View<'a>,
    /// Absent if they could not be read.
    #[serde(flatten)]
    attempts: Option<AttemptsView>,
}

/// The guesses at a password.
#[derive(Serialize)]
struct AttemptsView {
    /// The time of the latest right password that no failure in the same lane has followed.
    last_login: Option<u64>,
    lanes: Vec<LaneView>,
}

#[derive(Serialize)]
struct LaneView {
    lane: &'static str,
    failures: u64,
    last_at: u64,
    /// The time from which the next attempt is allowed, if it is not allowed now.
    next_attempt: Option<u64>,
}

/// Prints a user. The user is also printed if the guesses cannot be read.
pub async fn run(deployment: &Deployment, json: bool, username: &str) -> Result<Outcome, Error> {
    let user = read(deployment, username).await?.record;
    let (attempts, outcome) = match deployment.store.attempts(subject(&user.username)?.item_id()).await {
        Ok(attempts) => (Some(attempts), Outcome::Done),
        Err(error) => {
            let hint = match error {
                StoreError::Malformed { .. } => format!("{error}; delete it with `countersign user unlock {username}`"),
                error => Error::from(error).message(),
            };
            output::remark(&output::clean(format!("the failed guesses are not shown: {hint}")));
            (None, Outcome::NeedsAttention)
        }
    };
    let attempts =
        attempts.map(|attempts| AttemptsView::new(&attempts, deployment.config.throttle, Clock::System.now()));
    let view = WithAttempts { user: View::new(&user), attempts };
    output::result(json, &view, || view.show())?;
    Ok(outcome)
}

impl AttemptsView {
    fn new(attempts: &Attempts, budget: Budget, now: u64) -> Self {
        let networks = attempts.networks.iter().map(|(name, lane)| (Some(name.as_str()), lane));
        let stored: Vec<_> = attempts.common.iter().map(|lane| (None, lane)).chain(networks).collect();
        let lanes = stored.iter().filter_map(|(network, lane)| {
            let (place, next_attempt) = match attempts.judge(*network, budget, now) {
                Ok(place) => (place, None),
                Err(blocked) => (blocked.place, Some(blocked.until)),
            };
            let (name, failures) = (place.name(), place.failures());
            // Attempts from a network that is not known any more count in the common lane.
            let counts = place.network.as_deref() == *network;
            counts.then_some(LaneView { lane: name, failures, last_at: lane.last_at, next_attempt })
        });
        let succeeded = stored.iter().filter(|(_, lane)| lane.failures == 0);
        Self { last_login: succeeded.map(|(_, lane)| lane.last_at).max(), lanes: lanes.collect() }
    }
}

impl WithAttempts<'_> {
    fn show(&self) -> String {
        let last_login = self.attempts.as_ref().and_then(|attempts| attempts.last_login);
        let record = output::record(rows(&self.user).into_iter().chain([("last_login", last_login.map(output::time))]));
        match &self.attempts {
            Some(attempts) if !attempts.lanes.is_empty() => {
                let lanes = attempts.lanes.iter().map(LaneView::row);
                let table = output::table(&["LANE", "FAILURES", "LAST ATTEMPT", "NEXT ATTEMPT"], lanes);
                format!("{record}\n\n{table}")
            }
            _ => record,
        }
    }
}

impl LaneView {
    fn row(&self) -> Vec<String> {
        let next_attempt = self.next_attempt.map_or_else(|| "now".to_owned(), output::time);
        vec![self.lane.to_owned(), self.failures.to_string(), output::time(self.last_at), next_attempt]
    }
}
