//! Checks of the records of clients and users.

use std::collections::{BTreeMap, HashMap, HashSet};

use countersign::client::Client;
use countersign::keys::MAX_ACCESS_TOKEN_TTL;
use countersign::password_hash::Hash;
use countersign::store::{StoreError, Stored};
use countersign::user::{User, Username};

use super::{Finding, Level, counted, named};
use crate::deployment::{DAY, Deployment};
use crate::error::Error;

/// The number of seconds before the last secret of a client expires at which doctor warns.
const SOON: u64 = 7 * DAY;

/// Checks the clients. Returns their ids, too.
pub async fn clients(deployment: &Deployment, now: u64) -> (Vec<Finding>, HashSet<String>) {
    const CHECK: &str = "clients";
    const DELETE: &str = "fix it in the table, or delete it: `countersign client delete ID`";
    let (mut ids, mut tally) = (HashSet::new(), Tally::default());
    let see = |client_id: String, client: Result<Stored<Client>, StoreError>| {
        match client {
            Ok(client) => {
                for (finding, fix) in complaints(&client.record, now) {
                    tally.add(Level::Warning, finding.to_owned(), fix, &client_id);
                }
            }
            Err(error) => tally.add(Level::Error, malformed(&error), DELETE, &client_id),
        }
        ids.insert(client_id);
        Ok::<_, Error>(())
    };
    let read = deployment.store.scan(see).await;
    let mut findings = tally.findings(CHECK);
    match read {
        Err(error) => findings.push(Finding::unseen(Level::Error, CHECK, error)),
        Ok(()) if ids.is_empty() => {
            findings.push(Finding::warning(CHECK, "there are no clients", "`countersign client create` creates one"));
        }
        Ok(()) if findings.is_empty() => findings.push(Finding::ok(CHECK, counted(ids.len(), "client"))),
        Ok(()) => {}
    }
    (findings, ids)
}

/// Returns the problems of an enabled client, each with its fix.
fn complaints(client: &Client, now: u64) -> Vec<(&'static str, &'static str)> {
    let active: Vec<_> = client.active_secrets(now).collect();
    let expires_soon = |at: u64| at.saturating_sub(now) <= SOON;
    let defaults = client.default_scopes.clone();
    let complaints = [
        (
            client.scopes.tokens().is_empty(),
            "no scopes, so no tokens",
            "`countersign client update ID --scope SCOPE`, or `countersign client disable ID`",
        ),
        (
            client.grant_types.is_empty(),
            "no grant types, so no tokens",
            "`countersign client update ID --grant-type GRANT`, or `countersign client disable ID`",
        ),
        (
            active.is_empty(),
            "no active secret, so no tokens",
            "`countersign client rotate-secret ID`, or `countersign client disable ID`",
        ),
        (
            !active.is_empty() && active.iter().all(|secret| secret.expires_at.is_some_and(expires_soon)),
            "the last active secret expires within 7 days",
            "`countersign client rotate-secret ID`, and deploy the new secret",
        ),
        (
            defaults.is_some_and(|scope| scope.allowed_by(&client.scopes).is_err()),
            "default scopes that are not among the scopes",
            "`countersign client update ID --add-scope SCOPE`, or `--default-scope SCOPE`",
        ),
        (
            client.grant_types.contains("client_credentials") && active.iter().any(|one| one.hash.scheme() != "sha256"),
            "an imported secret, whose slow hash runs for each token",
            "`countersign client rotate-secret ID`",
        ),
        (
            client.access_token_ttl.is_some_and(|ttl| ttl.get() > MAX_ACCESS_TOKEN_TTL),
            "an access_token_ttl above 7 days, which is limited to 7 days",
            "`countersign client update ID --access-token-ttl 7d`",
        ),
    ];
    let complaints = complaints.into_iter().filter(|(is_so, ..)| client.enabled && *is_so);
    complaints.map(|(_, finding, fix)| (finding, fix)).collect()
}

pub async fn users(deployment: &Deployment, client_ids: &HashSet<String>) -> Vec<Finding> {
    const CHECK: &str = "users";
    const DELETE: &str = "fix it in the table, or delete it: `countersign user delete USERNAME`";
    const RESET: &str = "the next login of a user replaces the hash; for users who do not log in: \
                         `countersign user set-password`, or `countersign user disable`";
    const RENAME: &str = "`countersign user delete USERNAME`, and `countersign user create` with the same --user-id";
    const SEPARATE: &str = "APIs cannot distinguish the two users; delete one, or change its user_id in the table";
    const TELL_APART: &str = "their tokens have the same sub as the client's; see docs/verifying.md for how an API \
                              tells them apart";
    const LOG_OUT: &str = "`countersign user log-out USERNAME` once, and remove the attribute from the table";
    let hasher = match deployment.hasher() {
        Ok(hasher) => hasher,
        Err(error) => return vec![Finding::unseen(Level::Error, CHECK, error)],
    };
    let (mut count, mut old, mut tally) = (0, BTreeMap::<_, usize>::new(), Tally::default());
    let mut owners = HashMap::new();
    let see = |username: String, user: Result<Stored<User>, StoreError>| {
        count += 1;
        match user {
            Ok(stored) => {
                if stored.has("sessions_valid_from") {
                    let finding = "sessions_valid_from, which is not read any more: logins that it ended may be valid";
                    tally.add(Level::Warning, finding.to_owned(), LOG_OUT, &username);
                }
                let user = stored.record;
                if Username::parse(&username).is_none_or(|form| form.as_str() != username) {
                    let finding = "a username that is not in its RFC 8265 form, so no login finds it".to_owned();
                    tally.add(Level::Warning, finding, RENAME, &username);
                }
                if let Some(other) = owners.insert(user.user_id.clone(), username.clone()) {
                    tally.add(Level::Error, format!("the same user_id as {other}"), SEPARATE, &username);
                }
                if client_ids.contains(&user.user_id) {
                    tally.add(Level::Warning, "a user_id that is the id of a client".to_owned(), TELL_APART, &username);
                }
                // The hash of a disabled user is never used.
                let hash = user.password_hash.as_ref().filter(|hash| user.enabled && !hasher.is_current(hash));
                if let Some(hash) = hash {
                    *old.entry(scheme(hash)).or_default() += 1;
                }
            }
            Err(error) => tally.add(Level::Error, malformed(&error), DELETE, &username),
        }
        Ok::<_, Error>(())
    };
    let read = deployment.store.scan(see).await;
    let mut findings = tally.findings(CHECK);
    if !old.is_empty() {
        let schemes: Vec<_> = old.iter().map(|(scheme, count)| format!("{scheme} {count}")).collect();
        let (all, old) = (counted(count, "user"), old.values().sum::<usize>());
        let finding = format!("{old} of {all} still have a hash of an old scheme ({})", schemes.join(", "));
        findings.push(Finding::warning(CHECK, finding, RESET));
    }
    match read {
        Err(error) => findings.push(Finding::unseen(Level::Error, CHECK, error)),
        Ok(()) if findings.is_empty() => findings.push(Finding::ok(CHECK, counted(count, "user"))),
        Ok(()) => {}
    }
    findings
}

/// Returns the scheme of a hash that is not current.
fn scheme(hash: &Hash) -> &'static str {
    match hash.scheme() {
        "argon2id" => "argon2id with other parameters",
        other => other,
    }
}

fn malformed(error: &StoreError) -> String {
    match error {
        StoreError::Malformed { attribute, .. } => format!("malformed ({attribute})"),
        other => other.to_string(),
    }
}

/// Collects the records by problem, so that each problem becomes one finding.
#[derive(Default)]
struct Tally(BTreeMap<(Level, String, &'static str), Vec<String>>);

impl Tally {
    fn add(&mut self, level: Level, finding: String, fix: &'static str, name: &str) {
        self.0.entry((level, finding, fix)).or_default().push(name.to_owned());
    }

    fn findings(self, check: &'static str) -> Vec<Finding> {
        let finding = |((level, finding, fix), mut names): ((Level, String, &str), Vec<String>)| {
            names.sort();
            Finding { level, check, found: format!("{}: {finding}", named(&names)), fix: Some(fix.to_owned()) }
        };
        self.0.into_iter().map(finding).collect()
    }
}
