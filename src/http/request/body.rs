//! The body of a request: its size, its encoding, its media type, and its parameters.

use std::convert::Infallible;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::LengthLimitError;

use super::media_type::split;
use super::{form, json};
use crate::error::Error;
use crate::params::{Defined, Params};

/// The limit of a body in bytes.
const MAX_BYTES: usize = 16 * 1024;

const ONE_CONTENT_TYPE: Error = Error::invalid_request("One Content-Type is required.");
const UNDECLARED_JSON: Error =
    Error::invalid_request("A body in JSON needs one header Content-Type: application/json.");

/// A request whose body is in memory, or the error of the body. axum's extractor of `Parts` would clone all of them.
pub struct BufferedRequest {
    /// Everything but the body.
    pub parts: Parts,
    /// The body. `invalid_request` if it is larger than 16 KiB or cannot be read.
    pub body: Result<Bytes, Error>,
}

impl<S: Sync> FromRequest<S> for BufferedRequest {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, MAX_BYTES).await.map_err(|error| {
            let is_too_large = error.into_inner().is::<LengthLimitError>();
            if is_too_large { Error::body_too_large() } else { Error::invalid_request("The body cannot be read.") }
        });
        Ok(Self { parts, body })
    }
}

impl BufferedRequest {
    /// Returns the text of a form: a body of at most 16 KiB, not compressed, of the right type.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn form_text(self) -> Result<Bytes, Error> {
        let body = self.body?;
        check_encoding(&self.parts.headers)?;
        match ContentType::of(&self.parts.headers)? {
            ContentType::Form => Ok(body),
            ContentType::Json => Err(Error::invalid_request("The body is not a form.")),
        }
    }

    /// Reads a form, for an endpoint that defines these parameters.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn form(self, defined: Defined) -> Result<Params, Error> {
        ContentType::Form.read(&self.form_text()?, defined)
    }
}

/// The media type of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
}

impl ContentType {
    /// Reads the media type of `Content-Type`. Ignores its parameters, including `charset`.
    ///
    /// # Errors
    /// `invalid_request` unless there is one header with one of the two media types.
    pub fn of(headers: &HeaderMap) -> Result<Self, Error> {
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

    /// Reads the media type of `Content-Type` for a body. A body that begins with `{` is JSON: in a form, `{` is encoded.
    ///
    /// # Errors
    /// As [`of`](Self::of); and `invalid_request` that names the header, if a body in JSON does not have it. HTTP clients
    /// send `application/x-www-form-urlencoded` or `text/plain` if a caller forgets the header.
    pub fn of_body(headers: &HeaderMap, body: &[u8]) -> Result<Self, Error> {
        match Self::of(headers) {
            Ok(Self::Json) => Ok(Self::Json),
            _ if body.trim_ascii_start().starts_with(b"{") => Err(UNDECLARED_JSON),
            other => other,
        }
    }

    /// Parses a body of this type, for an endpoint that defines these parameters.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn read(self, body: &[u8], defined: Defined) -> Result<Params, Error> {
        match self {
            Self::Json => json::read(body, defined),
            Self::Form => form::read(body, defined, "The body is not a well-formed form."),
        }
    }
}

/// Rejects a body that its `Content-Encoding` says is compressed (S-104).
///
/// # Errors
/// `invalid_request`
pub fn check_encoding(headers: &HeaderMap) -> Result<(), Error> {
    let mut encodings =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    if encodings.all(|encoding| encoding.trim_ascii().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(Error::invalid_request("The Content-Encoding is not identity."))
}
