//! Client authentication (RFC 6749 section 2.3): by `Authorization: Basic` or in the body, never both.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::body::form_decode;
use super::media_type::split;
use crate::app::App;
use crate::client::{Client, Secret};
use crate::error::Error;
use crate::params::{self, Name, Params};

/// The credentials of a client. Has no `Debug`: it contains a secret.
pub(super) struct Credentials {
    presented: Pair,
    /// The halves of the Basic credentials before form-decoding, if they differ from the decoded ones.
    raw: Option<Pair>,
}

/// A client id and a secret. An empty id or an empty secret never authenticates a client.
#[derive(PartialEq)]
struct Pair {
    client_id: String,
    client_secret: String,
}

const MALFORMED: Error = Error::InvalidRequest("The Authorization header is malformed.");
const TWO_METHODS: Error = Error::InvalidRequest("There is more than one client authentication.");

/// Takes the credentials of a request; `None` if there are no credentials. An `Authorization` header of another scheme
/// is ignored: some callers send their last access token with every request.
///
/// # Errors
/// `invalid_request` if they are malformed, or use two methods (RFC 6749 section 2.3).
pub(super) fn credentials(headers: &HeaderMap, params: &mut Params) -> Result<Option<Credentials>, Error> {
    let (client_id, client_secret) = (params.take(Name::ClientId), params.take(Name::ClientSecret));
    let Some(basic) = basic(headers)? else {
        let client_secret = client_secret.unwrap_or_default();
        return Ok(client_id.map(|client_id| Credentials { presented: Pair { client_id, client_secret }, raw: None }));
    };
    let is_of_basic =
        |id: String| id == basic.presented.client_id || basic.raw.as_ref().is_some_and(|raw| id == raw.client_id);
    if client_secret.is_none() && client_id.is_none_or(is_of_basic) { Ok(Some(basic)) } else { Err(TWO_METHODS) }
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
    let value = String::from_utf8_lossy(value.as_bytes());
    if split(&value, ',').skip(1).any(begins_with_scheme) {
        return Err(TWO_METHODS);
    }
    let (scheme, encoded) = value.split_once(' ').unwrap_or((&value, ""));
    scheme.eq_ignore_ascii_case("basic").then(|| decode_basic(encoded.trim_start_matches(' '))).transpose()
}

/// Returns true if this part of `Authorization` is another header: API Gateway joins headers of one name with commas. In
/// a parameter, such as those of Digest, `=` comes before any space.
fn begins_with_scheme(part: &str) -> bool {
    part.split_once(' ')
        .is_some_and(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// Decodes Basic credentials. The limits and the allowed characters apply to the halves as they were received. A half
/// that cannot be form-decoded (RFC 6749 section 2.3.1) into an id or a secret becomes empty, and does not
/// authenticate.
fn decode_basic(encoded: &str) -> Result<Credentials, Error> {
    let text = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(MALFORMED)?;
    let (client_id, client_secret) = text.split_once(':').ok_or(MALFORMED)?;
    params::check(Name::ClientId, client_id)?;
    params::check(Name::ClientSecret, client_secret)?;
    let decode = |name, half: &str| {
        form_decode(half.as_bytes()).filter(|decoded| params::check(name, decoded).is_ok()).unwrap_or_default()
    };
    let presented =
        Pair { client_id: decode(Name::ClientId, client_id), client_secret: decode(Name::ClientSecret, client_secret) };
    let raw = Pair { client_id: client_id.to_owned(), client_secret: client_secret.to_owned() };
    Ok(Credentials { raw: (raw != presented).then_some(raw), presented })
}

/// Authenticates a client. Every cause of failure does the same work and gets the same response (S-202).
///
/// Many libraries do not encode the halves of Basic, and a system that countersign replaces may have accepted that.
/// Therefore raw halves are also accepted, but only for an imported secret (S-211).
///
/// # Errors
/// `invalid_client`; server errors.
pub(super) async fn authenticate(app: &App, credentials: Option<Credentials>) -> Result<Client, Error> {
    let Some(Credentials { presented, raw }) = credentials else {
        return Err(Error::InvalidClient("no client credentials"));
    };
    let mut client = find(app, &presented.client_id).await?;
    let mut proven = proves(app, client.as_ref(), &presented.client_secret, |_| true);
    if let Some(raw) = raw.filter(|_| !proven) {
        let is_same_id = raw.client_id == presented.client_id;
        let other = if is_same_id { None } else { find(app, &raw.client_id).await? };
        let candidate = if is_same_id { client.as_ref() } else { other.as_ref() };
        proven = proves(app, candidate, &raw.client_secret, |secret| secret.hash.is_slow());
        client = other.or(client);
    }
    let client = client.ok_or(Error::InvalidClient("unknown client"))?;
    // Only an id that exists reaches the log: an unknown one may be a secret in the wrong place.
    tracing::Span::current().record("client_id", &client.client_id);
    match (proven, client.enabled) {
        (true, _) => Ok(client),
        (false, true) => Err(Error::InvalidClient("wrong or expired secret")),
        (false, false) => Err(Error::InvalidClient("disabled client")),
    }
}

async fn find(app: &App, client_id: &str) -> Result<Option<Client>, Error> {
    if client_id.is_empty() { Ok(None) } else { Ok(app.store.client(client_id).await?) }
}

/// Returns true if the client is enabled and the secret is one of its active secrets, of which only those are tried
/// that `counts` accepts.
fn proves(app: &App, client: Option<&Client>, client_secret: &str, counts: fn(&Secret) -> bool) -> bool {
    let secrets = client.into_iter().flat_map(|client| client.active_secrets(app.clock.now()));
    let secrets = secrets.filter(|secret| counts(secret) && !client_secret.is_empty());
    let is_right = app.hasher.verify_secret(secrets.map(|secret| &secret.hash), client_secret);
    is_right && client.is_some_and(|client| client.enabled)
}
