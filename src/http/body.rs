//! Parsing of token requests: a JSON or form body, decoded strictly, and a query, which must not contain parameters.

use std::collections::BTreeMap;
use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::media_type::split;
use crate::error::Error;
use crate::params::Params;

/// The limit of a body in bytes.
pub(super) const MAX_BYTES: usize = 16 * 1024;
const MAX_JSON_DEPTH: u8 = 4;

/// The largest integer of 15 digits. Every JSON library preserves integers up to this one exactly.
const MAX_INTEGER: u64 = 999_999_999_999_999;

const ONE_CONTENT_TYPE: Error = Error::invalid_request("One Content-Type is required.");
const MALFORMED_FORM: Error = Error::invalid_request("The body is not a well-formed form.");
const MALFORMED_QUERY: Error = Error::invalid_request("The query is not well-formed.");
const MALFORMED_JSON: Error =
    Error::invalid_request("The body is not one JSON object, at most 4 deep and without repeated members.");

/// The form of a body.
#[derive(Clone, Copy)]
pub(super) enum ContentType {
    Json,
    Form,
}

impl ContentType {
    /// Reads the media type of `Content-Type`. Ignores its parameters, including `charset`.
    ///
    /// # Errors
    /// `invalid_request` unless there is one header with one of the two media types.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(ONE_CONTENT_TYPE);
        };
        // The gateway joins headers of one name with commas.
        if split(&String::from_utf8_lossy(value.as_bytes()), ',').skip(1).any(|part| part.contains('/')) {
            return Err(ONE_CONTENT_TYPE);
        }
        let media_type = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if media_type.eq_ignore_ascii_case(b"application/json") {
            Ok(Self::Json)
        } else if media_type.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            Ok(Self::Form)
        } else {
            let description = "The Content-Type is neither application/json nor application/x-www-form-urlencoded.";
            Err(Error::invalid_request(description))
        }
    }

    /// Parses a body of this type.
    ///
    /// # Errors
    /// `invalid_request`
    pub(super) fn read(self, body: &[u8]) -> Result<Params, Error> {
        match self {
            Self::Json => read_json(body),
            Self::Form => read_form(body, || MALFORMED_FORM),
        }
    }
}

/// Rejects a body that its `Content-Encoding` says is compressed (S-104).
///
/// # Errors
/// `invalid_request`
pub(super) fn check_encoding(headers: &HeaderMap) -> Result<(), Error> {
    let mut encodings =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    if encodings.all(|encoding| encoding.trim_ascii().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(Error::invalid_request("The Content-Encoding is not identity."))
}

/// Rejects a query that contains a parameter of the endpoint, even an empty one. Other parameters are ignored.
///
/// # Errors
/// `invalid_request`, also for a query that cannot be decoded.
pub(super) fn check_query(query: &str) -> Result<(), Error> {
    if read_form(query.as_bytes(), || MALFORMED_QUERY)?.is_empty() {
        return Ok(());
    }
    Err(Error::invalid_request("Parameters belong in the body, not in the query."))
}

fn read_form(text: &[u8], malformed: impl Fn() -> Error) -> Result<Params, Error> {
    let mut params = Params::default();
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=').map(form_decode);
        let mut half = || halves.next().unwrap_or_else(|| Some(String::new())).ok_or_else(&malformed);
        params.insert(&half()?, Some(half()?))?;
    }
    Ok(params)
}

/// Decodes `application/x-www-form-urlencoded` text. Returns `None` for a `%` without two hex digits and for bytes that
/// are not UTF-8, which the usual decoders replace.
pub(super) fn form_decode(text: &[u8]) -> Option<String> {
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

fn read_json(body: &[u8]) -> Result<Params, Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let members =
        json.deserialize_map(Members).and_then(|members| json.end().map(|()| members)).map_err(|_| MALFORMED_JSON)?;
    let mut params = Params::default();
    for (name, value) in members {
        let value = match value {
            Value::Text(text) => Some(text),
            // A system whose client ids are numbers may send a number.
            Value::Integer(integer) if name == "client_id" && integer <= MAX_INTEGER => Some(integer.to_string()),
            Value::Integer(_) | Value::Other if Params::defines(&name) => {
                return Err(Error::invalid_request("A parameter is not a string."));
            }
            Value::Null | Value::Integer(_) | Value::Other => None,
        };
        params.insert(&name, value)?;
    }
    Ok(params)
}

/// The value of a member, with the content that a parameter may have.
enum Value {
    Text(String),
    Null,
    /// An integer without sign, fraction and exponent.
    Integer(u64),
    Other,
}

/// Deserializes the object of the body.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        members(map, 1)
    }
}

fn members<'de, A: MapAccess<'de>>(mut map: A, depth: u8) -> Result<BTreeMap<String, Value>, A::Error> {
    let mut members = BTreeMap::new();
    while let Some(name) = map.next_key()? {
        if members.insert(name, map.next_value_seed(Within { depth })?).is_some() {
            return Err(de::Error::custom("a repeated member"));
        }
    }
    Ok(members)
}

/// Deserializes a value within an object or array of this depth.
struct Within {
    depth: u8,
}

impl Within {
    /// Returns the depth of the value if the value is an object or array.
    fn deeper<E: de::Error>(&self) -> Result<u8, E> {
        if self.depth < MAX_JSON_DEPTH { Ok(self.depth + 1) } else { Err(E::custom("too deep")) }
    }
}

impl<'de> DeserializeSeed<'de> for Within {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Value, E> {
        Ok(Value::Integer(integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        while seq.next_element_seed(Within { depth })?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        members(map, self.deeper()?).map(|_| Value::Other)
    }
}
