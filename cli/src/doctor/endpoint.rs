//! Checks of the API: its URL, its issuer and its clock.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use countersign::clock::Clock;
use serde_json::Value;

use super::{Finding, Level};
use crate::deployment::Deployment;
use crate::{api, output};

/// The clock skew in seconds that needs no attention: verifiers accept it, and the response takes some time.
const DRIFT: u64 = 5;
/// The clock skew in seconds above which tokens are rejected.
const MAX_DRIFT: u64 = 60;

pub async fn check(deployment: &Deployment) -> Vec<Finding> {
    let url = format!("{}/.well-known/oauth-authorization-server", deployment.url);
    match document(&url).await {
        Ok((document, date)) => vec![metadata(deployment, &document), clock(date)],
        Err(cause) => vec![Finding::error("endpoint", cause, fix(deployment))],
    }
}

/// Fetches a JSON document. Returns it with the server's time, or an error message.
pub async fn document(url: &str) -> Result<(Value, Option<u64>), String> {
    let response = api::send("GET", url, &[], String::new()).await;
    let response = response.map_err(|cause| format!("{url} did not respond: {cause}"))?;
    if response.status != 200 {
        return Err(format!("{url} returned {}", response.status));
    }
    let document = serde_json::from_str(&response.text).map_err(|_| format!("{url} did not return JSON"))?;
    let made = response.date.and_then(|date| DateTime::from_str(&date, Format::HttpDate).ok());
    let made = made.and_then(|made| u64::try_from(made.secs()).ok());
    // The Date of a cached response is older by its Age.
    Ok((document, made.map(|made| made.saturating_add(response.age))))
}

/// Returns how to fix an API that does not respond.
pub fn fix(deployment: &Deployment) -> String {
    let target = deployment.stack.as_ref().and_then(|stack| stack.value("DomainTarget"));
    let dns = target.map(|target| format!("the domain's DNS record must point to {target}; ")).unwrap_or_default();
    format!("{dns}if the API has another URL, set --url; otherwise see the function's log")
}

/// Checks that the metadata has the issuer and the URLs that verifiers expect (RFC 8414 section 3.3).
fn metadata(deployment: &Deployment, metadata: &Value) -> Finding {
    let issuer = &deployment.config.issuer;
    let expected = [
        ("issuer", issuer.clone()),
        ("token_endpoint", format!("{issuer}/oauth/token")),
        ("jwks_uri", format!("{issuer}/.well-known/jwks.json")),
    ];
    let found = |name: &str| metadata.get(name).unwrap_or(&Value::Null);
    match expected.iter().find(|(name, expected)| found(name).as_str() != Some(expected.as_str())) {
        None => Finding::ok("endpoint", format!("{} has the issuer {issuer}", deployment.url)),
        Some((name, expected)) => Finding::error(
            "endpoint",
            format!("the {name} of {} is {}, not {expected}", deployment.url, found(name)),
            "if this is another deployment, set another --url; otherwise deploy again",
        ),
    }
}

/// Compares the clock of this machine with the API's, because doctor uses its own clock to check expiry.
fn clock(theirs: Option<u64>) -> Finding {
    const CHECK: &str = "clock";
    let Some(theirs) = theirs else {
        return Finding::warning(
            CHECK,
            "the response of the API has no Date header",
            "check this machine's clock yourself",
        );
    };
    let ours = Clock::System.now();
    let difference = ours.abs_diff(theirs);
    if difference <= DRIFT {
        return Finding::ok(CHECK, format!("this machine's and the API's differ by at most {DRIFT}s"));
    }
    let level = if difference > MAX_DRIFT { Level::Error } else { Level::Warning };
    let whose = if ours > theirs { "this machine's" } else { "the API's" };
    let description = format!("{whose} is ahead by {}", output::duration(difference));
    Finding { level, check: CHECK, description, fix: Some("set this machine's clock by NTP".to_owned()) }
}
