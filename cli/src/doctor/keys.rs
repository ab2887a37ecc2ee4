//! Checks of the signing keys: that they are valid, published and rotated.

use countersign::keys::{KeyStatus, Keys, RotationError, Stage};
use serde_json::Value;

use super::endpoint::{self, document};
use super::{Finding, Level, named};
use crate::deployment::{DAY, Deployment};
use crate::error::Error;
use crate::output::{self, counted};

/// The delay in seconds after which a rotation is late. The schedule runs daily, so one failed run causes no warning.
const LATE: u64 = 2 * DAY;
/// The private members of a JWK (RFC 7518 section 6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

pub async fn check(deployment: &Deployment, now: u64) -> Vec<Finding> {
    let keys = Box::pin(read(deployment)).await;
    let published = published(deployment).await;
    let mut findings = Vec::new();
    if let Ok(keys) = &keys {
        findings.push(Finding::ok("secret", "the keys are valid"));
        findings.extend(rotation(deployment, keys, now));
    }
    if let Ok(published) = &published {
        findings.extend(private_halves(&deployment.url, published));
        findings.extend(keys.iter().flat_map(|keys| compare(deployment, keys, published)));
    }
    findings.extend(keys.err());
    findings.extend(published.err());
    findings
}

async fn read(deployment: &Deployment) -> Result<Keys, Finding> {
    const CHECK: &str = "secret";
    let not_run = |error| Finding::not_run(Level::Error, CHECK, error);
    deployment.keys().await.map_err(|error| match error {
        RotationError::Nothing(reason) => {
            Finding::error(CHECK, reason, "`countersign key rotate` creates the first keys")
        }
        error => not_run(Error::from(error)),
    })
}

/// Fetches the published keys.
async fn published(deployment: &Deployment) -> Result<Vec<Value>, Finding> {
    let error = |cause: String| Finding::error("published keys", cause, endpoint::fix(deployment));
    let url = format!("{}/.well-known/jwks.json", deployment.url);
    let (document, _) = document(&url).await.map_err(error)?;
    match document.get("keys").and_then(Value::as_array) {
        Some(keys) => Ok(keys.clone()),
        None => Err(error(format!("{url} did not return a JWK set"))),
    }
}

fn kid(key: &Value) -> &str {
    key.get("kid").and_then(Value::as_str).unwrap_or_default()
}

fn private_halves(url: &str, published: &[Value]) -> Vec<Finding> {
    let is_private = |key: &&Value| PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some());
    let finding = |key: &Value| {
        let kid = kid(key);
        Finding::error(
            "published keys",
            format!("{kid} is published with its private key: anyone can sign tokens"),
            format!(
                "run `countersign key rotate --emergency={kid}` immediately; then find out which server responds at {url}"
            ),
        )
    };
    published.iter().filter(is_private).map(finding).collect()
}

/// Compares the published keys with the keys of the secret.
fn compare(deployment: &Deployment, keys: &Keys, published: &[Value]) -> Vec<Finding> {
    const CHECK: &str = "published keys";
    let caches = output::duration(deployment.config.keys.max_age.into());
    let wait = || format!("wait {caches} until caches expire; after that, see the function's log");
    let is_missing = |key: &&KeyStatus| !published.iter().any(|published| kid(published) == key.kid);
    let (current, others): (Vec<_>, Vec<_>) =
        keys.states.iter().filter(is_missing).partition(|key| key.stage == Stage::Current);
    let others: Vec<_> = others.into_iter().map(|key| key.kid.clone()).collect();
    let foreign = published.iter().map(kid).filter(|kid| !keys.states.iter().any(|key| key.kid == *kid));
    let foreign: Vec<_> = foreign.map(ToOwned::to_owned).collect();

    let mut findings = Vec::new();
    for key in current {
        let finding = format!("the current key {} is not published: verifiers reject its tokens", key.kid);
        findings.push(Finding::error(CHECK, finding, wait()));
    }
    if !others.is_empty() {
        findings.push(Finding::warning(CHECK, format!("not published yet: {}", named(&others)), wait()));
    }
    if !foreign.is_empty() {
        let finding = format!("published, but not in the secret: {}", named(&foreign));
        findings.push(Finding::warning(CHECK, finding, wait()));
    }
    for key in altered(keys, published) {
        let fix =
            "verifiers reject its tokens; check the function's log, and proxies and caches between it and its callers";
        findings.push(Finding::error(
            CHECK,
            format!("the published key {key} differs from the key in the secret"),
            fix,
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("they match the {} of the secret", counted(published.len(), "key"))));
    }
    findings
}

/// Returns the kids whose published key differs from the key in the secret.
fn altered<'a>(keys: &Keys, published: &'a [Value]) -> Vec<&'a str> {
    let own: Value = serde_json::from_str(&keys.jwks).unwrap_or_default();
    let own = own.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_altered = |key: &&Value| own.iter().any(|own| kid(own) == kid(key) && own != *key);
    published.iter().filter(is_altered).map(kid).collect()
}

/// Checks that the next key exists and that the rotation is not late.
fn rotation(deployment: &Deployment, keys: &Keys, now: u64) -> Vec<Finding> {
    const CHECK: &str = "rotation";
    let of_stage = |stage: Stage| keys.states.iter().find(|key| key.stage == stage);
    let algorithm = of_stage(Stage::Current).map(|key| key.algorithm.name()).unwrap_or_default();
    if !keys.are_rotated {
        return vec![Finding::ok(CHECK, format!("the key ({algorithm}) is externally managed and never rotated"))];
    }
    let mut findings = Vec::new();
    match of_stage(Stage::Next) {
        None => findings.push(Finding::warning(CHECK, "there is no next key", "`countersign key rotate` creates one")),
        Some(next) => findings.extend(next_key(deployment, next)),
    }
    let age = of_stage(Stage::Current).and_then(|key| key.signs_since).map(|since| now.saturating_sub(since));
    findings.extend(age.and_then(|age| lateness(deployment, age)));
    if findings.is_empty() {
        let age = age.map(|age| format!(" for {}", output::duration(age))).unwrap_or_default();
        findings
            .push(Finding::ok(CHECK, format!("the current key ({algorithm}) has signed{age}; the next key exists")));
    }
    findings
}

/// Reports a next key of the wrong algorithm, or one that is not public yet.
fn next_key(deployment: &Deployment, next: &KeyStatus) -> Option<Finding> {
    const CHECK: &str = "rotation";
    let wanted = deployment.rotation_config.as_ref().ok().map(|config| config.policy.algorithm);
    if let Some(wanted) = wanted.filter(|wanted| *wanted != next.algorithm) {
        let (wanted, of_next) = (wanted.name(), next.algorithm.name());
        let finding = format!("the algorithm of the next key is {of_next}, and SigningAlgorithm is {wanted}");
        let fix = format!("`countersign key rotate --emergency={}` replaces it; it has never signed", next.kid);
        return Some(Finding::warning(CHECK, finding, fix));
    }
    let unscheduled = "the next key was added by hand, and is not scheduled yet";
    next.public_since.is_none().then(|| Finding::warning(CHECK, unscheduled, "`countersign key rotate` schedules it"))
}

/// Reports a current key that has signed for longer than configured.
fn lateness(deployment: &Deployment, age: u64) -> Option<Finding> {
    let signs_for = deployment.signs_for()?;
    if age <= signs_for.saturating_add(LATE) {
        return None;
    }
    let function = deployment.stack.as_ref().and_then(|stack| stack.value("RotateFunctionName"));
    let function = function.unwrap_or("RotateFunction");
    let (age, signs_for) = (output::duration(age), output::duration(signs_for));
    let finding = format!("the current key has signed for {age}, but its limit is {signs_for}");
    let fix = format!("check RotationAlarm and the log of {function}; `countersign key rotate` rotates now");
    Some(Finding::warning("rotation", finding, fix))
}
