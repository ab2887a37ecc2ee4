//! Client authentication (RFC 6749 section 2.3): by `Authorization: Basic` or in the body, never both.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::body::form_decode;
use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::params::{self, Name, Params};

/// What a client presents. Has no `Debug`: it holds a secret.
pub(super) struct Credentials {
    client_id: String,
    client_secret: String,
}

const MALFORMED: Error = Error::InvalidRequest("The Authorization header is malformed.");
const TWO_METHODS: Error = Error::InvalidRequest("There is more than one client authentication.");

/// Takes the credentials of a request; `None` if there are none. An `Authorization` of another scheme is no client
/// authentication: some callers send their last access token along with everything.
///
/// # Errors
/// `invalid_request` if they are malformed, or come in two ways (RFC 6749 section 2.3).
pub(super) fn credentials(headers: &HeaderMap, params: &mut Params) -> Result<Option<Credentials>, Error> {
    let (client_id, client_secret) = (params.take(Name::ClientId), params.take(Name::ClientSecret));
    match basic(headers)? {
        None => {
            let client_secret = client_secret.unwrap_or_default();
            Ok(client_id.map(|client_id| Credentials { client_id, client_secret }))
        }
        Some(basic) if client_secret.is_none() && client_id.is_none_or(|client_id| client_id == basic.client_id) => {
            Ok(Some(basic))
        }
        Some(_) => Err(TWO_METHODS),
    }
}

/// Reads `Authorization`, if it is Basic (RFC 7617 section 2).
fn basic(headers: &HeaderMap) -> Result<Option<Credentials>, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(TWO_METHODS);
    }
    let value = value.to_str().map_err(|_| MALFORMED)?;
    match value.split_once(' ').unwrap_or((value, "")) {
        (scheme, encoded) if scheme.eq_ignore_ascii_case("basic") => decode_basic(encoded).map(Some),
        _ => Ok(None),
    }
}

/// Decodes Basic credentials, each half of them form-encoded (RFC 6749 section 2.3.1).
fn decode_basic(encoded: &str) -> Result<Credentials, Error> {
    let decoded = STANDARD.decode(encoded.trim_start_matches(' ')).map_err(|_| MALFORMED)?;
    let mut halves = decoded.splitn(2, |byte| *byte == b':');
    let mut half = |name| {
        let text = halves.next().and_then(form_decode).ok_or(MALFORMED)?;
        params::check(name, &text).map(|()| text)
    };
    Ok(Credentials { client_id: half(Name::ClientId)?, client_secret: half(Name::ClientSecret)? })
}

/// Has a client prove who it is. Every cause of failure does the same work and gets the same answer (S-202).
///
/// # Errors
/// `invalid_client`; our own faults.
pub(super) async fn authenticate(app: &App, credentials: Option<Credentials>) -> Result<Client, Error> {
    let credentials = match credentials {
        Some(credentials) if !credentials.client_id.is_empty() => credentials,
        _ => return Err(Error::InvalidClient("no client credentials")),
    };
    let client = app.store.client(&credentials.client_id).await?;
    let now = app.clock.now();
    let live = client.iter().flat_map(|client| client.live_secrets(now)).map(|secret| &secret.hash);
    let proven = app.hasher.verify_secret(live, &credentials.client_secret);
    let client = client.ok_or(Error::InvalidClient("unknown client"))?;
    // Only a name that is on record gets into the log: an unknown one may be a secret in the wrong place.
    tracing::Span::current().record("client_id", &client.client_id);
    match (proven, client.enabled) {
        (true, true) => Ok(client),
        (false, _) => Err(Error::InvalidClient("wrong or expired secret")),
        (true, false) => Err(Error::InvalidClient("disabled client")),
    }
}
