//! `countersign user show`: the user, the guesses at its password, and its consents.

use countersign::clock::Clock;
use countersign::consent::{Consent, Owner};
use countersign::store::StoreError;
use countersign::throttle::{Attempts, Budget};
use serde::Serialize;

use super::view::{View, rows};
use super::{read, subject};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{Outcome, output};

/// A user, the guesses at its password and its consents, as JSON.
#[derive(Serialize)]
struct WithAttempts<'a> {
    #[serde(flatten)]
    user: View<'a>,
    /// Absent if they could not be read.
    #[serde(flatten)]
    attempts: Option<AttemptsView>,
    /// Absent if they could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    consents: Option<Vec<ConsentView>>,
}

/// The consent of the user for a client.
#[derive(Serialize)]
struct ConsentView {
    client_id: String,
    #[serde(flatten)]
    consent: Consent,
    /// True if the end has passed.
    ended: bool,
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

/// Prints a user. The user is also printed if the guesses or the consents cannot be read.
pub async fn run(deployment: &Deployment, json: bool, username: &str) -> Result<Outcome, Error> {
    let user = read(deployment, username).await?.record;
    let now = Clock::System.now();
    let unlock = format!("delete it with `countersign user unlock {username}`");
    let attempts =
        shown("failed guesses", &unlock, deployment.store.attempts(subject(user.username.as_str())?.item_id()).await);
    let consents = shown("consents", "fix it in the table", deployment.store.owner(&user.user_id).await);
    let is_complete = attempts.is_some() && consents.is_some();
    let attempts = attempts.map(|attempts| AttemptsView::new(&attempts, deployment.config.throttle, now));
    let consents = consents.map(|owner: Owner| {
        let consents = owner.consents.into_iter();
        consents.map(|(client_id, consent)| ConsentView { client_id, ended: consent.has_ended(now), consent }).collect()
    });
    let view = WithAttempts { user: View::new(&user), attempts, consents };
    output::result(json, &view, || view.show())?;
    Ok(if is_complete { Outcome::Done } else { Outcome::NeedsAttention })
}

/// Returns what was read. Otherwise prints the reason why it is not shown, and `fix` if the record is malformed.
fn shown<T>(name: &str, fix: &str, read: Result<T, StoreError>) -> Option<T> {
    let hint = match read {
        Ok(found) => return Some(found),
        Err(error @ StoreError::Malformed { .. }) => format!("{error}; {fix}"),
        Err(error) => Error::from(error).message(),
    };
    output::remark(&output::clean(format!("the {name} are not shown: {hint}")));
    None
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
        let mut parts = vec![record];
        if let Some(attempts) = self.attempts.as_ref().filter(|attempts| !attempts.lanes.is_empty()) {
            let lanes = attempts.lanes.iter().map(LaneView::row);
            parts.push(output::table(&["LANE", "FAILURES", "LAST ATTEMPT", "NEXT ATTEMPT"], lanes));
        }
        if let Some(consents) = self.consents.as_ref().filter(|consents| !consents.is_empty()) {
            let rows = consents.iter().map(ConsentView::row);
            parts.push(output::table(&["CONSENT", "NAME", "SINCE", "UNTIL", "LAST USE", "SCOPES"], rows));
        }
        parts.join("\n\n")
    }
}

impl ConsentView {
    fn row(&self) -> Vec<String> {
        let Consent { name, scopes, since, until, used_on, .. } = &self.consent;
        let until = match until {
            None => "no end".to_owned(),
            Some(until) if self.ended => format!("ended {}", output::time(*until)),
            Some(until) => output::time(*until),
        };
        vec![
            self.client_id.clone(),
            name.clone(),
            output::time(*since),
            until,
            used_on.map_or_else(|| "-".to_owned(), output::time),
            output::list(scopes.tokens()),
        ]
    }
}

impl LaneView {
    fn row(&self) -> Vec<String> {
        let next_attempt = self.next_attempt.map_or_else(|| "now".to_owned(), output::time);
        vec![self.lane.to_owned(), self.failures.to_string(), output::time(self.last_at), next_attempt]
    }
}
