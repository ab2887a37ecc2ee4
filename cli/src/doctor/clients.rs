//! Checks of the clients.

use std::collections::{BTreeSet, HashSet};

use countersign::client::{Client, GrantType, IssuerUrl, MAX_ACTIVE_SECRETS, Trust};
use countersign::config::Config;
use countersign::keys::MAX_ACCESS_TOKEN_TTL;
use countersign::redirect_uri::RedirectUri;
use countersign::store::{StoreError, Stored};
use url::Url;

use super::tally::{Tally, malformed};
use super::{Finding, Level};
use crate::deployment::{DAY, Deployment};
use crate::error::Error;
use crate::output::counted;

const CHECK: &str = "clients";
const DELETE: &str = "fix it in the table, or delete it: `countersign client delete ID`";
/// The number of seconds before the last credential of a client expires at which doctor warns.
const SOON: u64 = 7 * DAY;

/// The clients of a deployment, for other checks.
#[derive(Default)]
pub struct Clients {
    pub ids: HashSet<String>,
    /// The issuers whose keys the function fetches.
    pub issuers: BTreeSet<IssuerUrl>,
}

/// Checks the clients.
pub async fn check(deployment: &Deployment, now: u64) -> (Vec<Finding>, Clients) {
    let issuer = Url::parse(&deployment.config.issuer).ok();
    let (mut clients, mut tally) = (Clients::default(), Tally::default());
    let visit = |client_id: String, client: Result<Stored<Client>, StoreError>| {
        match client {
            Ok(client) => {
                let client = client.record;
                let problems = problems(&client, now).into_iter().chain(browser_problems(&client, issuer.as_ref()));
                let problems = problems.chain(login_page_problems(&client, deployment.config.pages.is_some()));
                let problems = problems.chain(machine_problems(&client, &deployment.config));
                for (_, description, fix) in problems.filter(|(is_so, ..)| client.enabled && *is_so) {
                    tally.add((Level::Warning, description.to_owned(), fix), &client_id);
                }
                let fetched = client.federated.iter().filter(|trust| client.enabled && trust.jwks.is_none());
                clients.issuers.extend(fetched.map(|trust| trust.issuer.clone()));
            }
            Err(error) => tally.add(malformed(&error, DELETE), &client_id),
        }
        clients.ids.insert(client_id);
        Ok::<_, Error>(())
    };
    let scanned = deployment.store.scan(visit).await;
    let mut findings = tally.findings(CHECK);
    match scanned {
        Err(error) => findings.push(Finding::not_run(Level::Error, CHECK, error)),
        Ok(()) if clients.ids.is_empty() => {
            findings.push(Finding::warning(CHECK, "there are no clients", "`countersign client create` creates one"));
        }
        Ok(()) if findings.is_empty() => findings.push(Finding::ok(CHECK, counted(clients.ids.len(), "client"))),
        Ok(()) => {}
    }
    if let Err(error) = deployment.store.scope_texts().await {
        let (level, description, fix) = malformed(&error, "fix the item `§scopes` in the table of clients");
        findings.push(Finding { level, check: "texts of scopes", description, fix: Some(fix.to_owned()) });
    }
    (findings, clients)
}

/// A possible problem: true if the client has it, a description and a fix.
type Problem = (bool, &'static str, &'static str);

/// Checks if the client gets tokens, and gets them cheaply.
fn problems(client: &Client, now: u64) -> [Problem; 8] {
    let defaults = client.default_scopes.clone();
    [
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
            !client.has_credential(now) && !client.is_public(),
            "no active credential, so no tokens",
            "`countersign client rotate-secret ID`, `client key add` or `client trust add`, or `client disable ID`",
        ),
        (
            client.active_secrets(now).count() > MAX_ACTIVE_SECRETS,
            "more than two active secrets, so no tokens",
            "`countersign client retire-secret ID SECRET`",
        ),
        (
            client.has_credential(now) && !client.has_credential(now + SOON),
            "the last active credential expires within 7 days",
            "`countersign client rotate-secret ID` or `client key add`, and deploy the new secret or key",
        ),
        (
            defaults.is_some_and(|scope| scope.allowed_by(&client.scopes).is_err()),
            "default scopes that are not among the scopes",
            "`countersign client update ID --add-scope SCOPE`, or `--default-scope SCOPE`",
        ),
        (
            client.grant_types.contains(&GrantType::ClientCredentials)
                && client.accepted_secrets(now).any(|one| one.hash.scheme() != "sha256"),
            "an imported secret, whose slow hash runs for each token",
            "`countersign client rotate-secret ID`",
        ),
        (
            client.access_token_ttl.is_some_and(|ttl| ttl.get() > MAX_ACCESS_TOKEN_TTL),
            "an access_token_ttl above 7 days, which is limited to 7 days",
            "`countersign client update ID --access-token-ttl 7d`",
        ),
    ]
}

/// Checks if the client works in browsers and on devices.
fn browser_problems(client: &Client, issuer: Option<&Url>) -> [Problem; 3] {
    let host = issuer.and_then(Url::host_str).unwrap_or_default();
    // The http origins are those of developers' machines.
    let is_other_site = |origin: &String| {
        Url::parse(origin).is_ok_and(|url| url.scheme() == "https" && site(url.host_str()) != site(Some(host)))
    };
    [
        (
            client.grant_types.iter().any(|grant_type| !client.may_use(*grant_type)),
            "grant types that a public client may not use",
            "`countersign client update ID --grant-type GRANT` with the others",
        ),
        (
            // The default URL of an API is on the public suffix list, so no application is on its site.
            client.refresh_token_cookie && host.contains(".execute-api."),
            "a refresh token cookie that browsers do not send, because the API has no domain",
            "deploy with DomainName: see docs/browser-apps.md",
        ),
        (
            client.refresh_token_cookie && client.allowed_origins.origins().iter().any(is_other_site),
            "an origin of another site than the issuer, from which browsers do not send the cookie",
            "serve the application and the API from subdomains of one domain, or remove the origin",
        ),
    ]
}

/// Checks if the client works with the login pages.
fn login_page_problems(client: &Client, are_on: bool) -> [Problem; 4] {
    let gets_codes = client.may_use(GrantType::AuthorizationCode);
    let uris = client.redirect_uris.uris();
    [
        (
            gets_codes && !are_on,
            "the grant authorization_code, but LoginPages is off",
            "deploy the stack with LoginPages on, or remove the grant",
        ),
        (
            gets_codes && uris.is_empty(),
            "the grant authorization_code without a redirect URI, so no codes",
            "`countersign client update ID --redirect-uri URI`",
        ),
        (
            gets_codes && !client.is_public() && !uris.is_empty() && uris.iter().all(RedirectUri::is_native),
            "secrets, but redirect URIs only for applications on the user's own device, which cannot keep a secret",
            "`countersign client update ID --redirect-uri https://HOST/PATH`, or create a public client",
        ),
        (
            gets_codes && !client.require_pkce,
            "codes without PKCE, which an attacker can inject",
            "`countersign client update ID --require-pkce`, if the client supports it",
        ),
    ]
}

/// Checks if the client authenticates as strictly as it can.
fn machine_problems(client: &Client, config: &Config) -> [Problem; 5] {
    let issuer = &config.issuer;
    let is_other = |trust: &Trust| trust.audience.as_ref().is_some_and(|audience| audience.as_str() != issuer);
    let needs_certificate = client.uses_certificate() || client.tls_client_certificate_bound_access_tokens;
    [
        (
            needs_certificate && config.mtls_domain.is_none(),
            "a certificate is required, but MtlsDomainName is empty, so no tokens",
            "deploy the stack with MtlsDomainName, or remove --auth-method tls_client_auth and --cert-bound",
        ),
        (
            client.federated.iter().any(|trust| trust.issuer.as_str() == issuer),
            "a trust entry for the issuer of this deployment, whose tokens are never accepted",
            "`countersign client trust remove ID ENTRY`, and trust the platform's issuer",
        ),
        (
            !client.federated.is_empty() && !client.secrets.is_empty(),
            "secrets beside trust entries, so a stolen secret works",
            "`countersign client retire-secret ID SECRET`, when every workload uses its platform's token",
        ),
        (
            client.federated.iter().any(is_other),
            "a trust entry with an audience that is not the issuer, so tokens for another service are accepted",
            "request tokens for the issuer, and add the entry without --audience",
        ),
        (
            client.legacy_audience,
            "legacy_audience, so assertions for the URL of an endpoint are accepted",
            "update the client library, and remove the attribute",
        ),
    ]
}

/// Returns the last two labels of a host, to which cookies of its subdomains may belong.
fn site(host: Option<&str>) -> Vec<&str> {
    host.unwrap_or_default().rsplit('.').take(2).collect()
}
