//! The fetch of an issuer's keys: the discovery document, then its key set.

use super::transport::{Connection, Transport};
use crate::jwt::{JwkSet, json};

/// The largest depth of a discovery document.
const MAX_DEPTH: usize = 8;

/// Fetches the keys of issuers.
#[derive(Clone, Copy)]
pub struct Fetcher(Transport);

impl Fetcher {
    /// Builds the fetcher of the deployment with this issuer: a deployment for local runs may use local issuers.
    pub fn new(own_issuer: &str) -> Self {
        Self(Transport::new(own_issuer))
    }

    /// Returns true if the keys of this issuer may be fetched: its URL has a host name and `https`, or is a local one of a
    /// deployment for local runs.
    pub fn may_fetch(self, issuer: &str) -> bool {
        self.0.allows(issuer)
    }

    /// Fetches the keys of an issuer. Each of the two requests takes at most 1 second.
    ///
    /// # Errors
    /// The reason, in one line.
    pub async fn keys(self, issuer: &str) -> Result<JwkSet, String> {
        let mut connection = self.0.connect()?;
        let jwks_uri = jwks_uri(&mut connection, issuer).await?;
        let set = connection.get(&jwks_uri).await.map_err(|reason| format!("key set: {reason}"))?;
        JwkSet::published(&set).map_err(|reason| format!("key set: {reason}"))
    }
}

/// Fetches the discovery document of an issuer (OpenID Connect Discovery section 4), which must name this issuer. Returns
/// the URL of the key set.
async fn jwks_uri(connection: &mut Connection, issuer: &str) -> Result<String, String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
    let text = connection.get(&url).await.map_err(|reason| format!("discovery document: {reason}"))?;
    let members = json::object(&text, MAX_DEPTH).ok_or("discovery document: it is not a JSON object")?;
    if members.get("issuer").is_none_or(|named| named != issuer) {
        return Err("discovery document: it names another issuer".to_owned());
    }
    let jwks_uri = members.get("jwks_uri").and_then(|uri| uri.as_str());
    Ok(jwks_uri.ok_or("discovery document: it has no jwks_uri")?.to_owned())
}
