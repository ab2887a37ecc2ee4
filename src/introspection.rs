//! Token introspection (RFC 7662): the content of an active token, and the callers that may see it. Pure: no store, no
//! clock.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::client::Client;
use crate::confirmation::{Confirmation, token_type};
use crate::refresh_token::{Family, Presented, Records, Standing};
use crate::revocation::RevokedToken;
use crate::scope::Scope;
use crate::token::presented::PresentedToken;
use crate::token::verify::{Holder, VerifiedToken};
use crate::user::User;

/// A token, and the records that decide if it is active, each as it was read. `None` if a record does not exist or if the
/// token does not depend on it.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The token.
    pub token: &'a PresentedToken,
    /// The login of the user.
    pub family: Option<&'a Family>,
    /// The client that the token was issued to, and the records of the login.
    pub records: Records<'a>,
    /// The record of the revocation of a service's token.
    pub revoked: Option<&'a RevokedToken>,
}

/// The content of an active token (section 2.2). The members are in the order in which they are sent.
#[derive(Serialize)]
pub struct Content<'a> {
    active: bool,
    scope: String,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'a Confirmation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dealer: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a Map<String, Value>>,
}

const NO_SCOPE: &str = "client and user have lost all scopes of the token";

/// Returns true if a client may see the token, if it is active: the client that it was issued to, or a resource server
/// that introspects the token's audience.
pub fn may_see(caller: &Client, token: &PresentedToken, family: Option<&Family>) -> bool {
    match token {
        PresentedToken::Access(token) => {
            token.client_id == caller.client_id || caller.introspects.cover(&token.audience)
        }
        PresentedToken::Refresh(_) => family.is_some_and(|family| family.client_id == caller.client_id),
    }
}

/// Returns the content of a token that is active at `now`. Its scope is what client and user are still allowed to have.
///
/// # Errors
/// The reason why the token is not active, for the log.
pub fn active<'a>(evidence: Evidence<'a>, issuer: &'a str, now: u64) -> Result<Content<'a>, &'static str> {
    let client = evidence.records.client.ok_or("the client does not exist any more")?;
    match evidence.token {
        PresentedToken::Access(token) if token.holder == Holder::Service => {
            if !client.enabled {
                return Err("disabled client");
            }
            if evidence.revoked.is_some_and(|revoked| revoked.is_in_force(now)) {
                return Err("the token was revoked");
            }
            let scope = token.scope.clone().narrowed_to(&client.scopes).map_err(|_| NO_SCOPE)?;
            Ok(Content::of_access_token(token, &scope, issuer))
        }
        PresentedToken::Access(token) => {
            let (family, user) = valid_login(evidence, now)?;
            let scope = family.scope_left(&token.scope, client, user).map_err(|_| NO_SCOPE)?;
            let active = Content::of_access_token(token, &scope, issuer);
            Ok(Content { auth_time: Some(family.auth_time), ..active })
        }
        PresentedToken::Refresh(token) => {
            let (family, user) = valid_login(evidence, now)?;
            let presented = Presented { generation: token.generation, client_id: &family.client_id, at: now };
            if family.standing(presented, 0) != Standing::Active {
                return Err("the refresh token is not the active one of its login");
            }
            let scope = family.scope_left(&family.scopes, client, user).map_err(|_| NO_SCOPE)?;
            let expires_at = family.expires_at.min(family.last_end(evidence.records.consent));
            Ok(Content::of_refresh_token(family, &scope, expires_at, issuer))
        }
    }
}

fn valid_login(evidence: Evidence<'_>, now: u64) -> Result<(&Family, &User), &'static str> {
    let family = evidence.family.ok_or("the login does not exist")?;
    let user = family.valid_user(evidence.records, now)?;
    Ok((family, user))
}

impl<'a> Content<'a> {
    fn of_access_token(token: &'a VerifiedToken, scope: &Scope, issuer: &'a str) -> Self {
        Self {
            active: true,
            scope: scope.to_string(),
            client_id: &token.client_id,
            token_type: Some(token_type(token.cnf.as_ref())),
            exp: token.expires_at,
            iat: Some(token.issued_at),
            nbf: Some(token.not_before),
            sub: &token.subject,
            aud: Some(&token.audience),
            iss: issuer,
            jti: Some(&token.token_id),
            cnf: token.cnf.as_ref(),
            auth_time: None,
            dealer: token.dealer.as_ref(),
            system: token.system.as_ref(),
        }
    }

    fn of_refresh_token(family: &'a Family, scope: &Scope, expires_at: u64, issuer: &'a str) -> Self {
        Self {
            active: true,
            scope: scope.to_string(),
            client_id: &family.client_id,
            token_type: None,
            exp: expires_at,
            iat: None,
            nbf: None,
            sub: &family.user_id,
            aud: None,
            iss: issuer,
            jti: None,
            cnf: None,
            auth_time: Some(family.auth_time),
            dealer: None,
            system: None,
        }
    }
}
