//! The credentials of a client: in `Authorization: Basic` or in the body, never both (RFC 6749 section 2.3).

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::authorization::{SeveralHeaders, authorization};
use super::form;
use crate::client_auth::{CLIENT_ID, CLIENT_SECRET, Credentials, Pair};
use crate::error::Error;
use crate::params::{Param, Params};

const MALFORMED: Error = Error::invalid_request("The Authorization header is malformed.");
const TWO_METHODS: Error = Error::invalid_request("There is more than one client authentication.");

/// Takes the credentials of a request; `None` if there are no credentials. An `Authorization` header of another scheme
/// is ignored: some callers send their last access token with every request.
///
/// # Errors
/// `invalid_request` if they are malformed, or use two methods (RFC 6749 section 2.3).
pub fn credentials(headers: &HeaderMap, params: &mut Params) -> Result<Option<Credentials>, Error> {
    let (client_id, client_secret) = (params.take(CLIENT_ID), params.take(CLIENT_SECRET));
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
    let authorization = authorization(headers, "basic").map_err(|SeveralHeaders| TWO_METHODS)?;
    authorization.map(|encoded| decode_basic(&encoded)).transpose()
}

/// Decodes Basic credentials. The limits and the allowed characters apply to the halves as they were received. A half
/// that cannot be form-decoded (RFC 6749 section 2.3.1) into an id or a secret becomes empty, and does not
/// authenticate.
fn decode_basic(encoded: &str) -> Result<Credentials, Error> {
    let text = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(MALFORMED)?;
    let (client_id, client_secret) = text.split_once(':').ok_or(MALFORMED)?;
    CLIENT_ID.check(client_id)?;
    CLIENT_SECRET.check(client_secret)?;
    let decode = |param: Param, half: &str| {
        form::decode(half.as_bytes()).filter(|decoded| param.check(decoded).is_ok()).unwrap_or_default()
    };
    let presented =
        Pair { client_id: decode(CLIENT_ID, client_id), client_secret: decode(CLIENT_SECRET, client_secret) };
    let raw = Pair { client_id: client_id.to_owned(), client_secret: client_secret.to_owned() };
    Ok(Credentials { raw: (raw != presented).then_some(raw), presented })
}
