//! The claims about a user that an application gets with its access token (OpenID Connect Core section 5.3). Pure: no
//! store, no clock.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::refresh_token::{Family, Records};
use crate::scope::Scope;
use crate::scope::openid::{OPENID, PROFILE};
use crate::token::TokenVersion;
use crate::token::verify::VerifiedToken;
use crate::user::User;

/// The claim with the username (OpenID Connect Core section 5.1).
pub const PREFERRED_USERNAME: &str = "preferred_username";

/// The claims about the user of an access token.
#[derive(Serialize)]
pub struct UserInfo<'a> {
    sub: &'a str,
    #[serde(flatten)]
    claims: BTreeMap<&'static str, &'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<&'a str>,
}

/// The reason why an access token gets no claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The token is not one of a valid login by code. The reason is for the log.
    InvalidToken(&'static str),
    /// The scope that is left of the token does not contain `openid`.
    InsufficientScope,
}

/// Returns the claims for an access token that is valid at `now`, from the records of its login.
///
/// # Errors
/// [`Denied`]
pub fn user_info<'a>(
    token: &VerifiedToken,
    family: Option<&Family>,
    records: Records<'a>,
    now: u64,
) -> Result<UserInfo<'a>, Denied> {
    if token.version != TokenVersion::V2 {
        return Err(Denied::InvalidToken("a token of version 1"));
    }
    let family = family.ok_or(Denied::InvalidToken("the login does not exist"))?;
    if family.authorization.is_none() {
        return Err(Denied::InvalidToken("the login is not one by code"));
    }
    let user = family.valid_user(records, now).map_err(Denied::InvalidToken)?;
    let client = records.client.ok_or(Denied::InvalidToken("the client does not exist any more"))?;
    match family.scope_left(&token.scope, client, user) {
        Ok(scope) if scope.contains(OPENID) => Ok(UserInfo::new(user, &scope)),
        _ => Err(Denied::InsufficientScope),
    }
}

impl<'a> UserInfo<'a> {
    fn new(user: &'a User, scope: &Scope) -> Self {
        Self {
            sub: &user.user_id,
            claims: user.claims.within(scope).collect(),
            preferred_username: scope.contains(PROFILE).then_some(user.username.as_str()),
        }
    }
}
