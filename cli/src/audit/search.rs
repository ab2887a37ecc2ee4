//! The query of a search. Every value in it is checked, so that no argument can change the query.

use countersign::client_auth::CLIENT_ID;
use countersign::refresh_token::{FamilyId, RefreshToken};
use countersign::token::verify::inspect;
use serde_json::Value;

use crate::error::Error;
use crate::token::bare;

/// The fields of a result.
const FIELDS: &str = "timestamp, event, outcome, grant, client_id, source, user_source, reason, session, risk";

/// The condition of a search, in the language of CloudWatch Logs Insights.
pub struct Search(String);

impl Search {
    /// Searches for the names of a user in the log.
    pub fn user(log_ids: impl Iterator<Item = String>) -> Self {
        let log_ids: Vec<_> = log_ids.map(|id| format!("\"{id}\"")).collect();
        Self(format!("user in [{}]", log_ids.join(", ")))
    }

    /// Searches for a client.
    ///
    /// # Errors
    /// The error if no client has this id, or if a query cannot contain it.
    pub fn client(client_id: &str) -> Result<Self, Error> {
        CLIENT_ID.check(client_id).map_err(|error| Error::new(error.reason()))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@:/+=, ".contains(&byte);
        if client_id.is_empty() || !client_id.bytes().all(is_plain) {
            return Err(Error::new(format!(
                "the client id {client_id:?} has a character that a query cannot contain; search the log without the CLI"
            )));
        }
        Ok(Self(format!("client_id = \"{client_id}\"")))
    }

    /// Searches for a login by its name in the log.
    ///
    /// # Errors
    /// The error if the name does not have its form.
    pub fn session(session: &str) -> Result<Self, Error> {
        if session.len() != 16 || !session.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::new("the session is not 16 hexadecimal digits; copy it from a line of the log"));
        }
        Ok(Self(format!("session = \"{}\"", session.to_ascii_lowercase())))
    }

    /// Searches for a token and its login. The token is not verified: an expired or forged one is what an operator may have.
    ///
    /// # Errors
    /// The error if the text does not have the form of an access token or a refresh token. Does not quote it.
    pub fn token(token: &str) -> Result<Self, Error> {
        let token = bare(token);
        if let Some(token) = RefreshToken::read_unverified(token) {
            return Self::session(&token.family.log_id());
        }
        let claims = inspect(token, "", None, 0).claims.unwrap_or_default();
        let jti = claims.get("jti").and_then(Value::as_str).filter(|jti| is_token_id(jti));
        let jti = jti.ok_or_else(|| Error::new("stdin has no access token or refresh token of countersign"))?;
        let session = FamilyId::of_token_id(jti).map(|family| format!(" or session = \"{}\"", family.log_id()));
        Ok(Self(format!("jti = \"{jti}\"{}", session.unwrap_or_default())))
    }

    /// Returns the query for the latest `limit` lines, latest first.
    pub fn query(&self, limit: i64) -> String {
        format!("fields {FIELDS} | filter {} | sort @timestamp desc | limit {limit}", self.0)
    }
}

/// Returns true for 22 or 43 characters of base64url: 16 or 32 bytes.
fn is_token_id(jti: &str) -> bool {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    [22, 43].contains(&jti.len()) && jti.bytes().all(is_base64url)
}
