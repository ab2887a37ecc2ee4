//! Checks of the clients.

use std::collections::HashSet;

use countersign::client::{Client, GrantType};
use countersign::keys::MAX_ACCESS_TOKEN_TTL;
use countersign::store::{StoreError, Stored};

use super::tally::{Tally, malformed};
use super::{Finding, Level, counted};
use crate::deployment::{DAY, Deployment};
use crate::error::Error;

const CHECK: &str = "clients";
const DELETE: &str = "fix it in the table, or delete it: `countersign client delete ID`";
/// The number of seconds before the last secret of a client expires at which doctor warns.
const SOON: u64 = 7 * DAY;

/// Checks the clients. Returns their ids, too.
pub async fn check(deployment: &Deployment, now: u64) -> (Vec<Finding>, HashSet<String>) {
    let (mut ids, mut tally) = (HashSet::new(), Tally::default());
    let visit = |client_id: String, client: Result<Stored<Client>, StoreError>| {
        match client {
            Ok(client) => {
                for (description, fix) in problems(&client.record, &deployment.config.issuer, now) {
                    tally.add((Level::Warning, description.to_owned(), fix), &client_id);
                }
            }
            Err(error) => tally.add(malformed(&error, DELETE), &client_id),
        }
        ids.insert(client_id);
        Ok::<_, Error>(())
    };
    let scanned = deployment.store.scan(visit).await;
    let mut findings = tally.findings(CHECK);
    match scanned {
        Err(error) => findings.push(Finding::not_run(Level::Error, CHECK, error)),
        Ok(()) if ids.is_empty() => {
            findings.push(Finding::warning(CHECK, "there are no clients", "`countersign client create` creates one"));
        }
        Ok(()) if findings.is_empty() => findings.push(Finding::ok(CHECK, counted(ids.len(), "client"))),
        Ok(()) => {}
    }
    (findings, ids)
}

/// Returns the problems of an enabled client of this issuer, each with its fix.
fn problems(client: &Client, issuer: &str, now: u64) -> Vec<(&'static str, &'static str)> {
    let active: Vec<_> = client.active_secrets(now).collect();
    let expires_soon = |at: u64| at.saturating_sub(now) <= SOON;
    let defaults = client.default_scopes.clone();
    let problems = [
        (
            client.scopes.is_empty(),
            "no scopes, so no tokens",
            "`countersign client update ID --scope SCOPE`, or `countersign client disable ID`",
        ),
        (
            client.grant_types.is_empty(),
            "no grant types, so no tokens",
            "`countersign client update ID --grant-type GRANT`, or `countersign client disable ID`",
        ),
        (
            active.is_empty() && !client.is_public(),
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
            client.grant_types.contains(&GrantType::ClientCredentials)
                && active.iter().any(|one| one.hash.scheme() != "sha256"),
            "an imported secret, whose slow hash runs for each token",
            "`countersign client rotate-secret ID`",
        ),
        (
            client.access_token_ttl.is_some_and(|ttl| ttl.get() > MAX_ACCESS_TOKEN_TTL),
            "an access_token_ttl above 7 days, which is limited to 7 days",
            "`countersign client update ID --access-token-ttl 7d`",
        ),
        (
            // The default URL of an API is on the public suffix list, so no application is on its site.
            client.refresh_token_cookie && issuer.contains(".execute-api."),
            "a refresh token cookie that browsers do not send, because the API has no domain",
            "deploy with DomainName: see docs/browser-apps.md",
        ),
    ];
    let problems = problems.into_iter().filter(|(is_so, ..)| client.enabled && *is_so);
    problems.map(|(_, description, fix)| (description, fix)).collect()
}
