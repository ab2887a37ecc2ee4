//! Federated clients: authentication by a token that another issuer gave to the client's workload (RFC 7523 section 2.2).
//!
//! 1. The token is a signed JWT of a type that such tokens have.
//! 2. The client exists and is enabled, and the request names it in `client_id`.
//! 3. The first trust entry of the client with the `iss`, the `sub`, the one `aud` and the required claims of the token
//!    counts. Our issuer is never one of them.
//! 4. The token has not expired; it was issued in the last `max_age` seconds; `iat` and `nbf` are not in the future.
//! 5. A key of the issuer with the `kid` of the header verifies the signature. Only now the keys are fetched (S-1013).
//!
//! Platforms hand out a token repeatedly, so there is no record of its use; `max_age` is the limit.

use super::assertion;
use crate::app::App;
use crate::client::{ClaimText, Client, Trust};
use crate::error::Error;
use crate::issuer_keys::{IssuerKeys, Unavailable};
use crate::jwt::{CLOCK_SKEW, JwkSet, Jwt};

/// The values of `typ` in a token of an issuer. SPIFFE has the last one.
pub const JWT_TYPES: [&str; 3] = [assertion::JWT_TYPES[0], assertion::JWT_TYPES[1], "JOSE"];

/// The reason for a token whose signature is wrong, or whose key the issuer does not have.
pub const NOT_SIGNED: &str = "no key of the issuer with this kid verifies the token";
const NOT_TRUSTED: &str = "a token of an issuer that is not trusted";

/// A token whose every check but the signature has passed.
pub struct Candidate<'c, 'j> {
    /// The entry that counts.
    pub trust: &'c Trust,
    jwt: &'j Jwt<'j>,
    kid: &'j str,
}

/// Authenticates a client by a token of an issuer.
pub(super) async fn authenticate(app: &App, client: &Client, jwt: &Jwt<'_>) -> Result<(), Error> {
    let now = app.clock.now();
    let candidate = check(client, jwt, &app.config.issuer, now).map_err(Error::invalid_client)?;
    match candidate.is_signed(&app.issuer_keys).await {
        Ok(true) => {
            tracing::Span::current().record("secret_id", candidate.trust.name());
            Ok(())
        }
        Ok(false) => Err(Error::invalid_client(NOT_SIGNED)),
        Err(Unavailable) => Err(Error::temporarily_unavailable("the keys of the issuer are not available")),
    }
}

/// Checks everything but the signature (steps 2 to 4, and the `kid`).
///
/// # Errors
/// The reason, which is only logged.
pub fn check<'c, 'j>(
    client: &'c Client,
    jwt: &'j Jwt<'j>,
    issuer: &str,
    now: u64,
) -> Result<Candidate<'c, 'j>, &'static str> {
    if !client.enabled {
        return Err("disabled client");
    }
    if !client.may_use_assertions() {
        return Err("a client that authenticates by another method");
    }
    let trust = entry(client, jwt, issuer)?;
    let expires_at = jwt.time("exp")?.ok_or("a token without exp")?;
    if expires_at + CLOCK_SKEW <= now {
        return Err("an expired token");
    }
    let issued_at = jwt.time("iat")?.ok_or("a token without iat")?;
    if issued_at + trust.max_age() + CLOCK_SKEW < now {
        return Err("a token that is older than max_age");
    }
    jwt.is_not_ahead("iat", now)?;
    jwt.is_not_ahead("nbf", now)?;
    let kid = jwt.header("kid").and_then(|kid| kid.as_str()).ok_or("a token without kid")?;
    Ok(Candidate { trust, jwt, kid })
}

/// Returns the first trust entry that the token fits (step 3). The reason is that of the entry that fits best.
fn entry<'a>(client: &'a Client, jwt: &Jwt<'_>, issuer: &str) -> Result<&'a Trust, &'static str> {
    if jwt.text("iss") == Some(issuer) {
        return Err("a token of our own issuer");
    }
    let failure = |trust: &Trust| {
        let audience = trust.audience.as_ref().map_or(issuer, ClaimText::as_str);
        let conditions = [
            (jwt.text("iss") == Some(trust.issuer.as_str()), NOT_TRUSTED),
            (jwt.text("sub") == Some(trust.subject.as_str()), "a token with another subject"),
            (jwt.is_only_for(audience), "a token for another audience"),
            (trust.claims.are_in(jwt), "a token without the required claims"),
        ];
        conditions.into_iter().enumerate().find_map(|(step, (holds, reason))| (!holds).then_some((step, reason)))
    };
    let fitting = client.federated.iter().find(|trust| failure(trust).is_none());
    fitting.ok_or_else(|| client.federated.iter().filter_map(failure).max().map_or(NOT_TRUSTED, |(_, reason)| reason))
}

impl Candidate<'_, '_> {
    /// Returns true if one of the keys has the `kid` of the token and verifies the signature.
    pub fn is_signed_with(&self, keys: &JwkSet) -> bool {
        keys.verifies(self.jwt, self.kid)
    }

    /// Returns true if a key of the issuer verifies the signature. Fetches the keys if the entry has none.
    async fn is_signed(&self, issuer_keys: &IssuerKeys) -> Result<bool, Unavailable> {
        match &self.trust.jwks {
            Some(written) => Ok(self.is_signed_with(written.keys())),
            None => Ok(self.is_signed_with(&*issuer_keys.of(self.trust.issuer.as_str(), self.kid).await?)),
        }
    }
}
