//! The lifetimes of tokens.

use super::{ConfigError, Variables};

/// The lifetimes of tokens, in seconds.
#[derive(Clone, Debug)]
pub struct Lifetimes {
    /// `USER_TOKEN_TTL`: the lifetime of a user's access token.
    pub user_token: u32,
    /// `SERVICE_TOKEN_TTL`: the lifetime of a service's access token.
    pub service_token: u32,
    /// `REFRESH_TOKEN_IDLE_TTL`: the time after which an unused refresh token expires.
    pub refresh_token_idle: u32,
    /// `REFRESH_TOKEN_MAX_TTL`: the time after the login at which its refresh tokens expire, even if they are in use.
    pub refresh_token_max: u32,
    /// `REFRESH_GRACE`: the time for which a used refresh token returns the same successor again. 0 disables this; 1 to
    /// 4 are rejected, because the SDK's own retries of a write may take longer.
    pub refresh_grace: u32,
}

impl Lifetimes {
    pub(super) fn read(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            user_token: variables.positive("USER_TOKEN_TTL", 3_600)?,
            service_token: variables.positive("SERVICE_TOKEN_TTL", 43_200)?,
            refresh_token_idle: variables.positive("REFRESH_TOKEN_IDLE_TTL", 2_592_000)?,
            refresh_token_max: refresh_token_max(variables)?,
            refresh_grace: match variables.number("REFRESH_GRACE", 10)? {
                1..5 => return Err(ConfigError::new("REFRESH_GRACE", "must be 0 or at least 5")),
                grace => grace,
            },
        })
    }
}

/// Reads `REFRESH_TOKEN_MAX_TTL`, which is a setting of both functions.
pub(super) fn refresh_token_max(variables: &Variables<'_>) -> Result<u32, ConfigError> {
    variables.positive("REFRESH_TOKEN_MAX_TTL", 7_776_000)
}
