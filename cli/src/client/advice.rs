//! Warnings about clients that are valid, but probably not meant so.

use std::num::NonZeroU32;

use countersign::client::{Client, GrantType};

use crate::deployment::Deployment;
use crate::output;

/// The lifetime in seconds below which a token may expire before it is used.
const SHORT: u32 = 60;

/// Returns the warnings about a client that is about to be written.
pub fn advice(client: &Client, deployment: &Deployment) -> Vec<String> {
    let (client_id, lifetimes) = (&client.client_id, &deployment.config.lifetimes);
    let usable = |grant_type: GrantType| client.may_use(grant_type);
    let mut warnings = Vec::new();
    let mut warn = |text: String| warnings.push(format!("warning: {client_id} {text}"));
    if client.scopes.tokens().is_empty() && GrantType::ALL.into_iter().any(usable) {
        warn(format!(
            "has no scopes, and can get no token without one; add one with `countersign client update {client_id} \
             --add-scope SCOPE`"
        ));
    }
    for grant_type in client.grant_types.iter().copied().filter(|grant_type| !usable(*grant_type)) {
        warn(format!("has the grant type {}, which a public client may not use", grant_type.as_str()));
    }
    for scope in client.scopes.tokens().iter().filter(|scope| scope.contains(',')) {
        warn(format!("has the scope {scope:?}, which is one scope with a comma, and not a list"));
    }
    let access = client.access_token_ttl.map_or(lifetimes.user_token, NonZeroU32::get);
    if access < SHORT {
        warn(format!("gets access tokens that expire after {}", output::duration(access.into())));
    }
    let (refresh, max) = (client.refresh_token_ttl.map_or(0, NonZeroU32::get), lifetimes.refresh_token_max);
    if refresh > max {
        warn(format!(
            "has a refresh_token_ttl of {}, but every login ends after {} (RefreshTokenMaxTtl)",
            output::duration(refresh.into()),
            output::duration(max.into())
        ));
    }
    if (1..=access).contains(&refresh) && usable(GrantType::RefreshToken) {
        warn(format!(
            "has a refresh_token_ttl of {}, which is not longer than the lifetime of its access tokens, {}",
            output::duration(refresh.into()),
            output::duration(access.into())
        ));
    }
    warnings
}
