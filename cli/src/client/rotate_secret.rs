//! `countersign client rotate-secret`.

use countersign::client::{Client, MAX_ACTIVE_SECRETS, Secret};
use countersign::clock::Clock;

use super::{SHOWN_ONCE, change, read_confidential};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::output;

/// Adds a secret. The other secret expires in `expires_in` seconds.
pub async fn run(deployment: &Deployment, json: bool, client_id: &str, expires_in: u64) -> Result<(), Error> {
    let stored = read_confidential(deployment, client_id, "secrets").await?;
    if stored.record.token_endpoint_auth_method.is_some() {
        return Err(Error::new(format!(
            "{client_id} has to authenticate by another method than a secret; to accept secrets, too: \
             `countersign client update {client_id} --unset token-endpoint-auth-method`"
        )));
    }
    let (secret, record) = Secret::generate(Clock::System.now())?;
    let add = |client: &mut Client, now: u64| {
        let active: Vec<_> = client.active_secrets(now).map(Secret::name).collect();
        if !client.take_secret(record, now, now.saturating_add(expires_in)) {
            return Err(Error::new(format!(
                "{client_id} has {MAX_ACTIVE_SECRETS} active secrets ({}); retire one with `countersign client \
                 retire-secret`",
                active.join(", ")
            )));
        }
        Ok(None)
    };
    let client = change(deployment, stored, add).await?;
    output::secret(json, client_id, &secret)?;
    output::remark(SHOWN_ONCE);
    for (name, expires_at) in client.secrets.iter().filter_map(|one| Some((one.name(), one.expires_at?))) {
        output::remark(&format!("the secret {name} expires at {}", output::time(expires_at)));
    }
    Ok(())
}
