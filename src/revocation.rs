//! Token revocation (RFC 7009): the client that may revoke a token, and the effect. Pure: no store, no clock.

use serde::{Deserialize, Serialize};

use crate::encoding::sha256;
use crate::refresh_token::{Family, FamilyId};
use crate::token::presented::PresentedToken;
use crate::token::verify::{Holder, VerifiedToken};

/// A revoked access token of a service, one item of the table `grants`. Tokens of users have none, because they end with
/// their login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedToken {
    /// The client that the token was issued to.
    pub client_id: String,
    /// The time at which the token expires, in seconds since the epoch.
    pub expires_at: u64,
}

impl RevokedToken {
    /// Builds the record of a token.
    pub fn of(token: &VerifiedToken) -> Self {
        Self { client_id: token.client_id.clone(), expires_at: token.expires_at }
    }

    /// Returns the key of the record of the token with this `jti`. The `jti` is hashed, like each value from outside.
    pub fn item_id(token_id: &str) -> String {
        format!("revoked#{}", sha256(token_id))
    }

    /// Returns true if the record has an effect at `now`. DynamoDB deletes it up to days later.
    pub fn is_in_force(&self, now: u64) -> bool {
        now < self.expires_at
    }
}

/// The effect of a revocation.
pub enum Effect<'a> {
    /// The token, or its login, is not active anyway. The reason is for the log.
    Nothing(&'static str),
    /// The login ends, with all its tokens.
    EndsLogin(FamilyId),
    /// The access token of a service ends.
    EndsToken(&'a VerifiedToken),
}

/// Returns the client that the token was issued to. Only this client may revoke the token. A refresh token whose family
/// does not exist belongs to no client.
pub fn owner<'a>(token: &'a PresentedToken, family: Option<&'a Family>) -> Option<&'a str> {
    match token {
        PresentedToken::Access(token) => Some(&token.client_id),
        PresentedToken::Refresh(_) => family.map(|family| family.client_id.as_str()),
    }
}

/// Returns the effect of a revocation by the owner of the token. A used refresh token and one that is ahead of its family
/// end the login, too. The user is not read: a login that is over because of the user ends again.
pub fn effect<'a>(token: &'a PresentedToken, family: Option<&Family>, now: u64) -> Effect<'a> {
    if let PresentedToken::Access(token) = token
        && token.holder == Holder::Service
    {
        return Effect::EndsToken(token);
    }
    match (token.family(), family) {
        (Some(id), Some(family)) => family.end(now).map_or(Effect::EndsLogin(id), Effect::Nothing),
        _ => Effect::Nothing("the login does not exist"),
    }
}
