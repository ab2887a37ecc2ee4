//! Client authentication (RFC 6749 section 2.3).

use crate::app::App;
use crate::client::{Client, Secret};
use crate::error::Error;
use crate::params::{Grammar, Param};

/// `client_id` (RFC 6749 section 2.2)
pub const CLIENT_ID: Param = Param::new("client_id", 256, Grammar::VscharOrInteger);
/// `client_secret` (RFC 6749 section 2.3.1)
pub const CLIENT_SECRET: Param = Param::new("client_secret", 1024, Grammar::Vschar);

/// The parameters of client authentication.
pub const PARAMS: &[Param] = &[CLIENT_ID, CLIENT_SECRET];

/// The credentials of a client, as a request presents them. Has no `Debug`: it contains a secret.
pub struct Credentials {
    /// The id and the secret.
    pub presented: Pair,
    /// The halves of Basic credentials before form-decoding, if they differ from the decoded ones.
    pub raw: Option<Pair>,
}

/// A client id and a secret. An empty id or an empty secret never authenticates a client.
#[derive(PartialEq)]
pub struct Pair {
    /// The id.
    pub client_id: String,
    /// The secret.
    pub client_secret: String,
}

/// Authenticates a client. Every cause of failure does the same work and gets the same response (S-202).
///
/// Many libraries do not encode the halves of Basic, and a system that countersign replaces may have accepted that.
/// Therefore raw halves are also accepted, but only for an imported secret (S-211).
///
/// # Errors
/// `invalid_client`; server errors.
pub async fn authenticate(app: &App, credentials: Option<Credentials>) -> Result<Client, Error> {
    let Some(Credentials { presented, raw }) = credentials else {
        return Err(Error::invalid_client("no client credentials"));
    };
    let mut client = find(app, &presented.client_id).await?;
    let mut proven = proof(app, client.as_ref(), &presented.client_secret, |_| true);
    if let Some(raw) = raw.filter(|_| proven.is_none()) {
        let is_same_id = raw.client_id == presented.client_id;
        let other = if is_same_id { None } else { find(app, &raw.client_id).await? };
        let candidate = if is_same_id { client.as_ref() } else { other.as_ref() };
        proven = proof(app, candidate, &raw.client_secret, |secret| secret.hash.is_slow());
        client = other.or(client);
    }
    let client = client.ok_or(Error::invalid_client("unknown client"))?;
    // Only an id that exists reaches the log: an unknown one may be a secret in the wrong place.
    let span = tracing::Span::current();
    span.record("client_id", &client.client_id);
    match (proven, client.enabled) {
        (Some(secret), _) => {
            span.record("secret_id", secret);
            Ok(client)
        }
        (None, true) => Err(Error::invalid_client("wrong or expired secret")),
        (None, false) => Err(Error::invalid_client("disabled client")),
    }
}

async fn find(app: &App, client_id: &str) -> Result<Option<Client>, Error> {
    if client_id.is_empty() { Ok(None) } else { Ok(app.store.client(client_id).await?) }
}

/// Returns the name of the active secret that the presented secret matches, if the client is enabled. Tries only the
/// active secrets that `counts` accepts.
fn proof(app: &App, client: Option<&Client>, client_secret: &str, counts: fn(&Secret) -> bool) -> Option<String> {
    let secrets = client.into_iter().flat_map(|client| client.active_secrets(app.clock.now()));
    let secrets = secrets.filter(|secret| counts(secret) && !client_secret.is_empty());
    let proven = app.hasher.verify_secret(secrets, client_secret);
    proven.filter(|_| client.is_some_and(|client| client.enabled)).map(Secret::name)
}
