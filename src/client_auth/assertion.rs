//! Client assertions (RFC 7523 section 2.2, updated by RFC 10070): `private_key_jwt` (OpenID Connect Core section 9).
//!
//! 1. The assertion is a signed JWT of a type that assertions have.
//! 2. The client exists and is enabled. Its id is the parameter `client_id`, or, without it, the `sub`.
//! 3. `iss` and `sub` are the client id. A JWT with another `iss` is a token of an issuer: see [`federation`].
//! 4. An active key of the client has the algorithm and the `kid` of the header, and verifies the signature.
//! 5. `aud` is our issuer, as a string or in an array that has nothing else (RFC 10070 section 4).
//! 6. The assertion has not expired and ends within 5 minutes; `iat` and `nbf` are not in the future.
//! 7. `jti` is present, and the client uses it for the first time. The write that decides this comes last.
//!
//! Only the holder of the key can pass step 4, so assertions are not throttled, and the work of a failure is not equalised.

use serde_json::Value;

use super::{CLIENT_ID, Context, Proven, federation, find, record};
use crate::app::App;
use crate::client::{Client, ClientKey};
use crate::encoding::sha256;
use crate::error::Error;
use crate::jwt::{CLOCK_SKEW, Jwt};

/// The values of `client_assertion_type`. The second one is that of SPIFFE, with the same meaning.
pub const TYPES: [&str; 2] = [
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe",
];

/// The values of `typ` in an assertion. RFC 10070 does not recommend to reject an assertion without a type.
pub(super) const JWT_TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];
/// The largest time until an assertion expires, in seconds.
const MAX_LIFETIME: u64 = 300;
/// The limit of a `jti` in bytes.
const MAX_JTI_BYTES: usize = 256;

/// An assertion that proved its client, and is not used up yet.
pub(super) struct Used {
    /// The SHA-256 of the client id and the `jti`, in base64url.
    id: String,
    /// The time after which the assertion is not accepted any more, in seconds since the epoch.
    expires_at: u64,
    /// The time at which the assertion was verified.
    now: u64,
}

impl Used {
    fn new(client_id: &str, jti: &str, expires_at: u64, now: u64) -> Self {
        Self { id: sha256(format!("{client_id}\0{jti}")), expires_at, now }
    }

    /// Stores that the assertion was used. The time that decided whether it has expired also decides here whether a stored
    /// use has.
    pub async fn store(self, app: &App) -> Result<(), Error> {
        let is_first = app.store.use_assertion(&self.id, self.expires_at, self.now).await?;
        if is_first { Ok(()) } else { Err(Error::invalid_client("an assertion that was used before")) }
    }
}

/// Authenticates a client by an assertion, which the caller uses up, or by a token of an issuer.
pub(super) async fn authenticate(
    app: &App,
    client_id: Option<String>,
    jwt: &str,
    context: Context<'_>,
) -> Result<Proven, Error> {
    let jwt = Jwt::read(jwt).map_err(Error::invalid_client)?;
    let id = client_id.as_deref().or_else(|| jwt.text("sub")).unwrap_or_default();
    let is_own = jwt.text("iss") == Some(id);
    if !jwt.may_be(if is_own { &JWT_TYPES } else { &federation::JWT_TYPES }) {
        return Err(Error::invalid_client("a JWT of another type"));
    }
    let client = if CLIENT_ID.check(id).is_ok() { find(app, id).await? } else { None };
    record(client.as_ref());
    let client = client.ok_or(Error::invalid_client("unknown client"))?;
    if is_own {
        let used = prove(app, &client, &jwt, context).map_err(Error::invalid_client)?;
        return Ok(Proven { client, used: Some(used) });
    }
    if client_id.is_none() {
        return Err(Error::invalid_client("a token of an issuer without client_id"));
    }
    federation::authenticate(app, &client, &jwt).await?;
    Ok(Proven { client, used: None })
}

/// Checks that an assertion proves the client. Returns the reason if it does not.
fn prove(app: &App, client: &Client, jwt: &Jwt<'_>, context: Context<'_>) -> Result<Used, &'static str> {
    if !client.enabled {
        return Err("disabled client");
    }
    if jwt.text("sub") != Some(&client.client_id) {
        return Err("an assertion whose sub is not the client");
    }
    let now = app.clock.now();
    let key = signer(client, jwt, now).ok_or("no key of the client verifies the assertion")?;
    let is_legacy = !jwt.is_only_for(&app.config.issuer);
    if is_legacy && !(client.legacy_audience && is_for_endpoint(jwt, &app.config.issuer, context.endpoint)) {
        return Err("an assertion for another audience");
    }
    let expires_at = jwt.time("exp")?.ok_or("an assertion without exp")? + CLOCK_SKEW;
    if expires_at <= now {
        return Err("an expired assertion");
    }
    if expires_at > now + MAX_LIFETIME + 2 * CLOCK_SKEW {
        return Err("an assertion that expires in more than 5 minutes");
    }
    jwt.is_not_ahead("iat", now)?;
    jwt.is_not_ahead("nbf", now)?;
    let jti = jwt.text("jti").filter(|jti| (1..=MAX_JTI_BYTES).contains(&jti.len()));
    let jti = jti.ok_or("an assertion without a jti of 1 to 256 bytes")?;
    let span = tracing::Span::current();
    span.record("secret_id", &key.kid);
    if is_legacy {
        span.record("legacy_audience", true);
    }
    Ok(Used::new(&client.client_id, jti, expires_at, now))
}

/// Returns the key of the client that signed the assertion. The record decides which algorithm a key has.
fn signer<'a>(client: &'a Client, jwt: &Jwt<'_>, now: u64) -> Option<&'a ClientKey> {
    let may_sign = client.may_use_assertions();
    let is_named = |key: &&ClientKey| jwt.header("kid").is_none_or(|kid| *kid == *key.kid);
    let mut keys = client.jwks.iter().filter(|key| may_sign && key.is_active(now)).filter(is_named);
    keys.find(|key| key.alg.is(jwt.algorithm()) && jwt.is_signed_by(key.jwk.key()))
}

/// Step 5 for a client with `legacy_audience`: also the token endpoint, or the endpoint that is called.
fn is_for_endpoint(jwt: &Jwt<'_>, issuer: &str, endpoint: &str) -> bool {
    let is_ours = |audience: &Value| {
        let path = audience.as_str().and_then(|audience| audience.strip_prefix(issuer));
        path.is_some_and(|path| ["", "/oauth/token", endpoint].contains(&path))
    };
    match jwt.claim("aud") {
        Some(Value::Array(audiences)) => !audiences.is_empty() && audiences.iter().all(is_ours),
        audience => audience.is_some_and(is_ours),
    }
}
