//! Forms (`application/x-www-form-urlencoded`, WHATWG URL section 5.1), decoded strictly: a body, or a query.

use crate::error::Error;
use crate::params::{Defined, Params, Received};

/// Rejects a query that contains a parameter of the endpoint, even an empty one. Other parameters are ignored.
///
/// # Errors
/// `invalid_request`, also for a query that cannot be decoded.
pub fn check_query(query: &str, defined: Defined) -> Result<(), Error> {
    let params = read(query.as_bytes(), defined, "The query is not well-formed.")?;
    params.first().map_or(Ok(()), |param| Err(param.in_query()))
}

/// Reads the parameters of a form, for an endpoint that defines these parameters. `malformed` is the description of the
/// error if the form cannot be decoded.
///
/// # Errors
/// `invalid_request`
pub fn read(text: &[u8], defined: Defined, malformed: &'static str) -> Result<Params, Error> {
    let mut params = Params::new(defined);
    for pair in pairs(text) {
        let (name, value) = pair.ok_or(Error::invalid_request(malformed))?;
        params.insert(&name, Some(value))?;
    }
    Ok(params)
}

/// Reads the parameters of a form for an endpoint that checks them in its own order.
///
/// # Errors
/// `invalid_request` if the form cannot be decoded, or has too many parameters or a name that is too long.
pub fn receive(text: &[u8], defined: Defined) -> Result<Received, Error> {
    let mut received = Received::new(defined);
    for pair in pairs(text) {
        let (name, value) = pair.ok_or(Error::invalid_request("The request is not well-formed."))?;
        received.insert(&name, value)?;
    }
    Ok(received)
}

/// Splits a form into names and values; `None` for one that cannot be decoded.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = Option<(String, String)>> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=').map(decode);
        let mut half = || halves.next().unwrap_or_else(|| Some(String::new()));
        Some((half()?, half()?))
    })
}

/// Decodes `application/x-www-form-urlencoded` text. Returns `None` for a `%` without two hex digits and for bytes that
/// are not UTF-8, which the usual decoders replace.
pub fn decode(text: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    let hex_digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next())? << 4 | hex_digit(bytes.next())?,
            other => *other,
        });
    }
    String::from_utf8(decoded).ok()
}
