//! A POST of a client: the checks that the token, revocation and introspection endpoints have in common, in their order.

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::app::App;
use crate::client_auth::Credentials;
use crate::client_auth::certificate::Certificate;
use crate::error::Error;
use crate::grant::Addresses;
use crate::http::request::addresses::addresses;
use crate::http::request::body::{BufferedRequest, ContentType, check_encoding};
use crate::http::request::certificate::certificate;
use crate::http::request::credentials::credentials;
use crate::http::request::form::check_query;
use crate::params::{Defined, Params};

/// A request whose body is not decoded yet.
pub(super) struct Post {
    parts: Parts,
    body: Bytes,
    content_type: ContentType,
    defined: Defined,
}

impl Post {
    /// Checks size, content encoding, content type and query of a request to an endpoint that defines these parameters.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn receive(BufferedRequest { parts, body }: BufferedRequest, defined: Defined) -> Result<Self, Error> {
        let body = body?;
        check_encoding(&parts.headers)?;
        let content_type = ContentType::of_body(&parts.headers, &body)?;
        check_query(parts.uri.query().unwrap_or_default(), defined)?;
        Ok(Self { parts, body, content_type, defined })
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Returns the addresses of the request.
    pub fn addresses(&self) -> Addresses {
        addresses(self.parts.extensions.get(), self.headers())
    }

    /// Returns the certificate of the request, if it counts.
    ///
    /// # Errors
    /// The reason, which is only logged.
    pub fn certificate(&self, app: &App) -> Result<Certificate, &'static str> {
        certificate(app, &self.parts.extensions)
    }

    /// Decodes the parameters, and takes the client's credentials from the request.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn params(&self) -> Result<(Params, Option<Credentials>), Error> {
        let mut params = self.content_type.read(&self.body, self.defined)?;
        let credentials = credentials(self.headers(), &mut params)?;
        Ok((params, credentials))
    }
}
