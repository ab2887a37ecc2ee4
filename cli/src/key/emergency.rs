//! `countersign key rotate --emergency`: removes a compromised key, and says until when caches may still use it.

use countersign::clock::Clock;
use countersign::keys::{KeyStatus, RotationReport, RotationRequest, STALE_IF_ERROR, Stage};
use serde::Serialize;

use super::{CURRENT, current, print, rows};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{Outcome, input, output};

/// A removal as JSON, with the latest times at which the key has an effect, in seconds since the epoch.
#[derive(Serialize)]
struct View<'a> {
    #[serde(flatten)]
    report: &'a RotationReport,
    dropped: &'a str,
    /// The time until which an execution environment may sign with the keys that it loaded before. Absent for a key that
    /// did not sign.
    signs_until: Option<u64>,
    /// The time until which a verifier may accept tokens of the key, if it follows `Cache-Control`.
    verifies_until: u64,
    /// The same for a verifier that cannot reach the API, or is an authorizer of API Gateway.
    verifies_until_without_reload: u64,
}

pub async fn run(deployment: &Deployment, json: bool, kid: &str, yes: bool) -> Result<Outcome, Error> {
    let rotation = deployment.rotation()?;
    let keys = deployment.keys().await?;
    if !keys.are_rotated {
        return Err(Error::new("the secret has an externally managed key; replace the key in the secret"));
    }
    let with_kid = keys.states.iter().find(|key| key.kid == kid);
    let key = if kid == CURRENT { current(&keys) } else { with_kid };
    let Some(KeyStatus { kid, stage, .. }) = key else {
        return Err(Error::new(format!("key {kid} not found; list keys with `countersign key list`")));
    };
    deployment.announce().await?;
    input::confirm(yes, &format!("Remove the key {kid}? Verifiers will reject all tokens that it signed."))?;
    // The kid is named because `current` may be another key by then.
    let with_hint = |error| Error::new(format!("{}; repeat with --emergency={kid}", Error::from(error).message()));
    let report = rotation.run(RotationRequest::Emergency(kid)).await.map_err(with_hint)?;
    if report.reason.is_some() {
        return print(json, &report);
    }
    let (now, max_age) = (Clock::System.now(), u64::from(deployment.config.keys.max_age));
    // An execution environment may publish the keys that it loaded before, and a cache may keep these as long again.
    let verifies_until = now.saturating_add(2 * max_age);
    let view = View {
        report: &report,
        dropped: kid,
        signs_until: (*stage == Stage::Current).then(|| now.saturating_add(max_age)),
        verifies_until,
        verifies_until_without_reload: verifies_until.saturating_add(STALE_IF_ERROR.into()),
    };
    output::result(json, &view, || view.show())?;
    if !json {
        remark(&view, max_age);
    }
    Ok(Outcome::Done)
}

impl View<'_> {
    fn show(&self) -> String {
        output::record(rows(self.report).into_iter().chain([
            ("dropped", Some(self.dropped.to_owned())),
            ("signs until", self.signs_until.map(output::time)),
            ("verifies until", Some(output::time(self.verifies_until))),
        ]))
    }
}

/// Explains the times.
fn remark(view: &View<'_>, max_age: u64) {
    let (max_age, stale) = (output::duration(max_age), output::duration(STALE_IF_ERROR.into()));
    if view.signs_until.is_some() {
        output::remark(&format!(
            "an execution environment signs with the dropped key until it loads the secret again, after at most {max_age} \
             (KeysMaxAge), or until it can read the secret"
        ));
    }
    output::remark(&format!(
        "verifiers accept tokens of the dropped key for at most 2 times {max_age}; verifiers that cannot reach the API, and \
         authorizers of API Gateway, for {stale} more, until {}",
        output::time(view.verifies_until_without_reload)
    ));
}
