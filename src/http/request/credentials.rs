//! The credentials of a client: in `Authorization: Basic`, a secret in the body or an assertion, never two of them (RFC 6749
//! section 2.3, RFC 7521 section 4.2).

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::authorization::{SeveralHeaders, authorization};
use super::form;
use crate::client_auth::{
    CLIENT_ASSERTION, CLIENT_ASSERTION_TYPE, CLIENT_ID, CLIENT_SECRET, Credentials, Pair, assertion,
};
use crate::error::Error;
use crate::params::{Param, Params};

const MALFORMED: Error = Error::invalid_request("The Authorization header is malformed.");
const TWO_METHODS: Error = Error::invalid_request("There is more than one client authentication.");

/// The decoded halves of Basic credentials, and the halves as they were received if they differ.
type Basic = (Pair, Option<Pair>);

/// Takes the credentials of a request; `None` if there are no credentials. An `Authorization` header of another scheme
/// is ignored: some callers send their last access token with every request.
///
/// # Errors
/// `invalid_request` if they are malformed, or use two methods (RFC 6749 section 2.3).
pub fn credentials(headers: &HeaderMap, params: &mut Params) -> Result<Option<Credentials>, Error> {
    let (client_id, client_secret) = (params.take(CLIENT_ID), params.take(CLIENT_SECRET));
    let (basic, assertion) = (basic(headers)?, assertion(params)?);
    match (basic, client_secret, assertion) {
        (None, None, Some(jwt)) => Ok(Some(Credentials::Assertion { client_id, jwt })),
        (None, client_secret, None) => Ok(client_id.map(|client_id| {
            let client_secret = client_secret.unwrap_or_default();
            Credentials::Secret { presented: Pair { client_id, client_secret }, raw: None }
        })),
        (Some((presented, raw)), None, None) => {
            let is_of_basic =
                |id: String| id == presented.client_id || raw.as_ref().is_some_and(|raw| id == raw.client_id);
            if client_id.is_none_or(is_of_basic) {
                Ok(Some(Credentials::Secret { presented, raw }))
            } else {
                Err(TWO_METHODS)
            }
        }
        _ => Err(TWO_METHODS),
    }
}

/// Takes the assertion, whose type must be one that we know (RFC 7521 section 4.2).
fn assertion(params: &mut Params) -> Result<Option<String>, Error> {
    match (params.take(CLIENT_ASSERTION_TYPE), params.take(CLIENT_ASSERTION)) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(CLIENT_ASSERTION_TYPE.missing()),
        (Some(kind), _) if !assertion::TYPES.contains(&kind.as_str()) => {
            Err(Error::invalid_request("The client_assertion_type is not supported."))
        }
        (Some(_), None) => Err(CLIENT_ASSERTION.missing()),
        (Some(_), Some(jwt)) => Ok(Some(jwt)),
    }
}

/// Reads `Authorization`, if it is Basic (RFC 7617 section 2).
fn basic(headers: &HeaderMap) -> Result<Option<Basic>, Error> {
    let authorization = authorization(headers, "basic").map_err(|SeveralHeaders| TWO_METHODS)?;
    authorization.map(|encoded| decode_basic(&encoded)).transpose()
}

/// Decodes Basic credentials. The limits and the allowed characters apply to the halves as they were received. A half
/// that cannot be form-decoded (RFC 6749 section 2.3.1) into an id or a secret becomes empty, and does not
/// authenticate.
fn decode_basic(encoded: &str) -> Result<Basic, Error> {
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
    let raw = (raw != presented).then_some(raw);
    Ok((presented, raw))
}
