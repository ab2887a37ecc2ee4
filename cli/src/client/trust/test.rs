//! `countersign client trust test`.

use serde_json::json;

use super::{check, read};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{Outcome, input, output};

pub async fn run(deployment: &Deployment, json: bool, client_id: &str) -> Result<Outcome, Error> {
    let client = read(deployment, client_id).await?.record;
    let token = input::secret("Token")?;
    let (good, bad) = (output::GOOD, output::BAD);
    match check(deployment, &client, &token).await {
        Ok(trust) => {
            let entry = trust.name();
            output::result(json, &json!({"accepted": true, "entry": entry}), || {
                format!("{good}The token proves the client.{good:#} It fits the entry {entry}.")
            })?;
            Ok(Outcome::Done)
        }
        Err(reason) => {
            output::result(json, &json!({"accepted": false, "reason": reason}), || {
                format!("{bad}The token does not prove the client:{bad:#} {reason}.")
            })?;
            Ok(Outcome::NeedsAttention)
        }
    }
}
