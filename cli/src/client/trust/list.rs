//! `countersign client trust list`.

use countersign::client::{Client, Trust};

use crate::error::Error;
use crate::output;

pub fn run(json: bool, client: &Client) -> Result<(), Error> {
    output::result(json, &client.federated, || {
        if client.federated.is_empty() {
            return "No trust entries. Add one with `countersign client trust add`.".to_owned();
        }
        let heading = ["ENTRY", "ISSUER", "SUBJECT", "AUDIENCE", "CLAIMS", "MAX AGE", "KEYS"];
        output::table(&heading, client.federated.iter().map(row))
    })
}

fn row(trust: &Trust) -> Vec<String> {
    let claims = serde_json::to_string(&trust.claims).unwrap_or_default();
    vec![
        trust.name().to_owned(),
        trust.issuer.as_str().to_owned(),
        trust.subject.as_str().to_owned(),
        trust.audience.as_ref().map_or("-", |audience| audience.as_str()).to_owned(),
        if trust.claims.is_empty() { "-".to_owned() } else { claims },
        output::duration(trust.max_age()),
        if trust.jwks.is_some() { "inline" } else { "published" }.to_owned(),
    ]
}
