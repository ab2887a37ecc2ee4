//! Whether the API answers where it should, as the issuer that it should be, and at the time that it is.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use countersign::clock::Clock;
use serde_json::Value;

use super::{Finding, Level};
use crate::deployment::Deployment;
use crate::{api, output};

/// Seconds that the answer may have been under way, and by which verifiers' clocks differ.
const DRIFT: u64 = 5;
/// Seconds by which a clock that is looked after is never wrong.
const MAX_DRIFT: u64 = 60;

pub async fn look(deployment: &Deployment) -> Vec<Finding> {
    let url = format!("{}/.well-known/oauth-authorization-server", deployment.url);
    match document(&url).await {
        Ok((document, date)) => vec![metadata(deployment, &document), clock(date)],
        Err(cause) => vec![Finding::fault("endpoint", cause, mend(deployment))],
    }
}

/// A JSON document that a URL answers, with the time that it says it is; or what came instead.
pub async fn document(url: &str) -> Result<(Value, Option<u64>), String> {
    let answer = api::ask("GET", url, &[], String::new()).await;
    let answer = answer.map_err(|cause| format!("{url} does not answer: {cause}"))?;
    if answer.status != 200 {
        return Err(format!("{url} answers {}", answer.status));
    }
    let document = serde_json::from_str(&answer.text).map_err(|_| format!("{url} answers no JSON"))?;
    let made = answer.date.and_then(|date| DateTime::from_str(&date, Format::HttpDate).ok());
    let made = made.and_then(|made| u64::try_from(made.secs()).ok());
    // One from a cache is as old as the cache says.
    Ok((document, made.map(|made| made.saturating_add(answer.age))))
}

/// How to have the API answer.
pub fn mend(deployment: &Deployment) -> String {
    let target = deployment.stack.as_ref().and_then(|stack| stack.value("DomainTarget"));
    let dns = target.map(|target| format!("the domain's DNS record must point to {target}; ")).unwrap_or_default();
    format!("{dns}if the API is elsewhere, say --url; if it is there, look at the function's log")
}

/// Whether the API takes itself for what verifiers take it for (RFC 8414 section 3.3).
fn metadata(deployment: &Deployment, metadata: &Value) -> Finding {
    let issuer = &deployment.config.issuer;
    let expected = [
        ("issuer", issuer.clone()),
        ("token_endpoint", format!("{issuer}/oauth/token")),
        ("jwks_uri", format!("{issuer}/.well-known/jwks.json")),
    ];
    let found = |name: &str| metadata.get(name).unwrap_or(&Value::Null);
    match expected.iter().find(|(name, expected)| found(name).as_str() != Some(expected.as_str())) {
        None => Finding::ok("endpoint", format!("{} answers as {issuer}", deployment.url)),
        Some((name, expected)) => Finding::fault(
            "endpoint",
            format!("the {name} of {} is {}, and not {expected}", deployment.url, found(name)),
            "if that is another deployment, say another --url; if it is this one, deploy it again",
        ),
    }
}

/// Whether this machine's clock and the API's agree: by its own, it judges what has expired.
fn clock(theirs: Option<u64>) -> Finding {
    const CHECK: &str = "clock";
    let Some(theirs) = theirs else {
        return Finding::warning(
            CHECK,
            "the API does not say what time it has",
            "look at this machine's clock yourself",
        );
    };
    let ours = Clock::System.now();
    let difference = ours.abs_diff(theirs);
    if difference <= DRIFT {
        return Finding::ok(CHECK, format!("this machine's and the API's agree to {DRIFT}s"));
    }
    let level = if difference > MAX_DRIFT { Level::Fault } else { Level::Warning };
    let whose = if ours > theirs { "this machine's" } else { "the API's" };
    let finding = format!("{whose} is ahead by {}", output::span(difference));
    Finding { level, check: CHECK, found: finding, mend: Some("have this machine's clock set by NTP".to_owned()) }
}
