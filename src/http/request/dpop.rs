//! The header `DPoP` (RFC 9449 section 4.1).

use axum::http::{HeaderMap, HeaderName};

/// The header with the proof.
pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Returns the proof of a request; `None` if there is no header. Two proofs that the gateway joins with a comma are not a
/// JWT.
///
/// # Errors
/// The reason if the header is repeated or not text. It is only logged.
pub fn proof(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let mut values = headers.get_all(DPOP).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err("more than one DPoP header");
    }
    value.to_str().map(Some).map_err(|_| "a proof that is not ASCII")
}
