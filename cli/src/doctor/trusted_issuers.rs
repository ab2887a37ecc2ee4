//! Checks of the issuers that clients trust: the function fetches their keys.

use std::collections::BTreeSet;

use countersign::client::IssuerUrl;
use countersign::issuer_keys::Fetcher;

use super::Finding;
use crate::deployment::Deployment;

const CHECK: &str = "issuers";

/// Fetches the keys of each issuer like the function does. An issuer in a VPC may fail here and work there.
pub async fn check(deployment: &Deployment, issuers: &BTreeSet<IssuerUrl>) -> Vec<Finding> {
    let fetcher = Fetcher::new(&deployment.config.issuer);
    let mut findings = Vec::new();
    for issuer in issuers {
        let issuer = issuer.as_str();
        findings.push(match fetcher.keys(issuer).await {
            Ok(_) => Finding::ok(CHECK, format!("{issuer} publishes usable keys")),
            Err(reason) => Finding::warning(
                CHECK,
                format!("{issuer}: {reason}"),
                "check the URL, or add the keys with `countersign client trust add ID --jwks FILE`",
            ),
        });
    }
    findings
}
