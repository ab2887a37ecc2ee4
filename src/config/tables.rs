//! The names of the tables.

use super::{ConfigError, Variables};

/// The names of the DynamoDB tables.
#[derive(Clone, Debug)]
pub struct Tables {
    /// `CLIENTS_TABLE`: the table of clients.
    pub clients: String,
    /// `USERS_TABLE`: the table of users.
    pub users: String,
    /// `GRANTS_TABLE`: the table of the records that the service writes: refresh token families, revoked tokens, failed
    /// guesses, used assertions, consents and browser sessions.
    pub grants: String,
}

impl Tables {
    pub(super) fn read(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            clients: variables.required("CLIENTS_TABLE")?,
            users: variables.required("USERS_TABLE")?,
            grants: variables.required("GRANTS_TABLE")?,
        })
    }
}
