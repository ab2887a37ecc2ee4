//! `countersign token revoke`: ends what the revocation endpoint would end, for a token of any client.

use countersign::clock::Clock;
use countersign::refresh_token::Family;
use countersign::revocation::{Effect, RevokedToken, effect, owner};
use countersign::token::presented::PresentedToken;
use serde::Serialize;

use super::{bare, family_of};
use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::{Outcome, input, output};

/// The result as JSON.
#[derive(Serialize)]
struct View<'a> {
    /// `login`, `token` or nothing.
    ended: Option<&'static str>,
    client_id: Option<&'a str>,
    username: Option<&'a str>,
    /// The reason why nothing was ended.
    reason: Option<&'static str>,
}

/// Revokes the token of the prompt or of stdin.
pub async fn run(target: &Target, json: bool) -> Result<Outcome, Error> {
    let deployment = target.find().await?;
    let text = input::secret("Token")?;
    let keys = deployment.key_set().await?;
    let now = Clock::System.now();
    let Some(token) = PresentedToken::read(bare(&text), &deployment.config.issuer, &keys, now) else {
        return Err(Error::new(
            "not a token of this deployment, or an expired access token; see `countersign token inspect`",
        ));
    };
    let family = family_of(&deployment, &token).await?;
    let (ended, reason) = revoke(&deployment, &token, family.as_ref(), now).await?;
    let client_id = owner(&token, family.as_ref());
    let username = family.as_ref().map(|family| family.username.as_str());
    output::result(json, &View { ended, client_id, username, reason }, || {
        let (client, user) = (client_id.unwrap_or("unknown"), username.unwrap_or("unknown"));
        match ended {
            Some("login") => format!("ended the login of user {user} at client {client}"),
            Some(_) => format!("revoked the token of client {client}"),
            None => format!("nothing to end: {}", reason.unwrap_or_default()),
        }
    })?;
    if ended.is_some() {
        output::remark("verifiers that only check signatures accept issued access tokens until they expire");
    }
    Ok(if ended.is_some() { Outcome::Done } else { Outcome::NeedsAttention })
}

/// Ends the login or the token. Returns the word for it, or the reason why there is nothing to end.
async fn revoke(
    deployment: &Deployment,
    token: &PresentedToken,
    family: Option<&Family>,
    now: u64,
) -> Result<(Option<&'static str>, Option<&'static str>), Error> {
    match effect(token, family, now) {
        Effect::Nothing(reason) => Ok((None, Some(reason))),
        Effect::EndsLogin(family) => {
            deployment.announce().await?;
            deployment.store.revoke_refresh_family(family).await?;
            Ok((Some("login"), None))
        }
        Effect::EndsToken(token) => {
            deployment.announce().await?;
            deployment.store.revoke_token(&token.token_id, &RevokedToken::of(token)).await?;
            Ok((Some("token"), None))
        }
    }
}
