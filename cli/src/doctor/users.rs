//! Checks of the users.

use std::collections::{BTreeMap, HashMap, HashSet};

use countersign::password_hash::{Hash, Hasher};
use countersign::store::{StoreError, Stored};
use countersign::user::{User, Username};

use super::tally::{Tally, malformed};
use super::{Finding, Level};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::output::counted;

const CHECK: &str = "users";
const DELETE: &str = "fix it in the table, or delete it: `countersign user delete USERNAME`";
const RESET: &str = "the next login of a user replaces the hash; for users who do not log in: \
                     `countersign user set-password`, or `countersign user disable`";
const RENAME: &str = "`countersign user delete USERNAME`, and `countersign user create` with the same --user-id";
const SEPARATE: &str = "APIs cannot distinguish the two users; delete one, or change its user_id in the table";
const DISTINGUISH: &str = "their tokens have the same sub as the client's; see docs/verifying.md for how an API \
                           tells them apart";
const LOG_OUT: &str = "`countersign user log-out USERNAME` once, and remove the attribute from the table";

/// Checks the users, and that none of them has the id of a client.
pub async fn check(deployment: &Deployment, client_ids: &HashSet<String>) -> Vec<Finding> {
    let hasher = match deployment.hasher() {
        Ok(hasher) => hasher,
        Err(error) => return vec![Finding::not_run(Level::Error, CHECK, error)],
    };
    let mut users = Users { client_ids, hasher, owners: HashMap::new(), old: BTreeMap::new(), tally: Tally::default() };
    let mut count = 0;
    let visit = |username: String, user: Result<Stored<User>, StoreError>| {
        count += 1;
        match user {
            Ok(stored) => users.check(&username, &stored),
            Err(error) => users.tally.add(malformed(&error, DELETE), &username),
        }
        Ok::<_, Error>(())
    };
    let scanned = deployment.store.scan(visit).await;
    let old = users.old_hashes(count);
    let mut findings = users.tally.findings(CHECK);
    findings.extend(old);
    match scanned {
        Err(error) => findings.push(Finding::not_run(Level::Error, CHECK, error)),
        Ok(()) if findings.is_empty() => findings.push(Finding::ok(CHECK, counted(count, "user"))),
        Ok(()) => {}
    }
    findings
}

/// The state of the check.
struct Users<'a> {
    client_ids: &'a HashSet<String>,
    hasher: Hasher,
    /// The username that each `user_id` belongs to.
    owners: HashMap<String, String>,
    /// The number of hashes that are not current, by scheme.
    old: BTreeMap<&'static str, usize>,
    tally: Tally,
}

impl Users<'_> {
    fn check(&mut self, username: &str, stored: &Stored<User>) {
        let user = &stored.record;
        let mut warn = |problem: &str, fix| self.tally.add((Level::Warning, problem.to_owned(), fix), username);
        if stored.has("sessions_valid_from") {
            warn("sessions_valid_from, which is not read any more: logins that it ended may be valid", LOG_OUT);
        }
        if Username::parse(username).is_none_or(|form| form.as_str() != username) {
            warn("a username that is not in its RFC 8265 form, so no login finds it", RENAME);
        }
        if self.client_ids.contains(&user.user_id) {
            warn("a user_id that is the id of a client", DISTINGUISH);
        }
        if let Some(other) = self.owners.insert(user.user_id.clone(), username.to_owned()) {
            self.tally.add((Level::Error, format!("the same user_id as {other}"), SEPARATE), username);
        }
        // The hash of a disabled user is never used.
        let hash = user.password_hash.as_ref().filter(|hash| user.enabled && !self.hasher.is_current(hash));
        if let Some(hash) = hash {
            *self.old.entry(scheme(hash)).or_default() += 1;
        }
    }

    /// Reports the hashes that are not current.
    fn old_hashes(&self, users: usize) -> Option<Finding> {
        if self.old.is_empty() {
            return None;
        }
        let schemes: Vec<_> = self.old.iter().map(|(scheme, count)| format!("{scheme} {count}")).collect();
        let (all, old) = (counted(users, "user"), self.old.values().sum::<usize>());
        let finding = format!("{old} of {all} still have a hash of an old scheme ({})", schemes.join(", "));
        Some(Finding::warning(CHECK, finding, RESET))
    }
}

/// Returns the scheme of a hash that is not current.
fn scheme(hash: &Hash) -> &'static str {
    match hash.scheme() {
        "argon2id" => "argon2id with other parameters",
        other => other,
    }
}
