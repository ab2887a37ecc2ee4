//! Client authentication (RFC 6749 section 2.3).

use std::net::IpAddr;

use crate::app::App;
use crate::client::{Client, MAX_ACTIVE_SECRETS};
use crate::error::Error;
use crate::params::{Grammar, Param};
use crate::store::StoreError;

pub mod assertion;
pub mod certificate;
pub mod federation;
mod secret;

use assertion::Used;
use certificate::RequestCertificate;

/// `client_id` (RFC 6749 section 2.2)
pub const CLIENT_ID: Param = Param::new("client_id", 256, Grammar::VscharOrInteger);
/// `client_secret` (RFC 6749 section 2.3.1)
pub const CLIENT_SECRET: Param = Param::new("client_secret", 1024, Grammar::Vschar);
/// `client_assertion_type` (RFC 7521 section 4.2)
pub const CLIENT_ASSERTION_TYPE: Param = Param::unlimited("client_assertion_type");
/// `client_assertion` (RFC 7521 section 4.2)
pub const CLIENT_ASSERTION: Param = Param::new("client_assertion", 8 * 1024, Grammar::Text);

/// The parameters of client authentication.
pub const PARAMS: &[Param] = &[CLIENT_ID, CLIENT_SECRET, CLIENT_ASSERTION_TYPE, CLIENT_ASSERTION];

/// The credentials of a client, as a request presents them. Has no `Debug`: it contains a secret or an assertion.
pub enum Credentials {
    /// An id, and a secret that may be empty.
    Secret {
        /// The id and the secret.
        presented: Pair,
        /// The halves of Basic credentials before form-decoding, if they differ from the decoded ones.
        raw: Option<Pair>,
    },
    /// An assertion.
    Assertion {
        /// The parameter `client_id`. Without it, the assertion names the client.
        client_id: Option<String>,
        /// The JWT.
        jwt: String,
    },
}

/// A client id and a secret. An empty id or an empty secret never authenticates a client.
#[derive(PartialEq)]
pub struct Pair {
    /// The id.
    pub client_id: String,
    /// The secret.
    pub client_secret: String,
}

/// The request that a client authenticates for.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The address of the caller, if the gateway states one.
    pub source: Option<IpAddr>,
    /// The header `Origin` of a request of a page.
    pub page: Option<&'a str>,
    /// The path of the called endpoint.
    pub endpoint: &'static str,
    /// The certificate of the request.
    pub certificate: &'a RequestCertificate,
}

/// A client that proved itself. An assertion still has to be used up.
#[must_use]
pub struct Proven {
    client: Client,
    used: Option<Used>,
}

impl Proven {
    /// Returns the client, for checks that come before an assertion is used up.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the client, after its assertion is used up. Every check of the credentials comes before, so only the holder
    /// of the key can make us write (S-1008); every check of the request comes after, so an assertion cannot be used
    /// for two guesses.
    ///
    /// # Errors
    /// `invalid_client` if the assertion was used before (S-1007); server errors.
    pub async fn use_up(self, app: &App) -> Result<Client, Error> {
        if let Some(used) = self.used {
            used.store(app).await?;
        }
        Ok(self.client)
    }
}

/// Authenticates a client. Every cause of failure gets the same response (S-202, S-1006).
///
/// # Errors
/// `invalid_client`; `temporarily_unavailable`, 429, if guesses at the client's imported secrets are throttled, and 503 if
/// the keys of an issuer are not available; server errors.
pub async fn authenticate(app: &App, credentials: Option<Credentials>, context: Context<'_>) -> Result<Proven, Error> {
    match credentials {
        None => Err(Error::invalid_client("no client credentials")),
        Some(Credentials::Secret { presented, raw }) => {
            let client = secret::authenticate(app, (presented, raw), context).await?;
            Ok(Proven { client, used: None })
        }
        Some(Credentials::Assertion { client_id, jwt }) => assertion::authenticate(app, client_id, &jwt, context).await,
    }
}

/// Reads the record of a client. A record with more active secrets than a client may have is malformed: each imported secret
/// runs a slow hash (S-304).
async fn find(app: &App, client_id: &str) -> Result<Option<Client>, Error> {
    if client_id.is_empty() {
        return Ok(None);
    }
    let client = app.store.client(client_id).await?;
    let has_too_many = |client: &Client| client.active_secrets(app.clock.now()).count() > MAX_ACTIVE_SECRETS;
    if client.as_ref().is_some_and(has_too_many) {
        let problem = "secrets, of which more than two are active".to_owned();
        return Err(StoreError::Malformed { table: "clients", problem }.into());
    }
    Ok(client)
}

/// Records a client that exists. An unknown id does not reach the log, because it may be a secret in the wrong place.
fn record(client: Option<&Client>) {
    if let Some(client) = client {
        tracing::Span::current().record("client_id", &client.client_id);
    }
}
