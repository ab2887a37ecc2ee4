//! A POST of a client: the checks that the token, revocation and introspection endpoints have in common, in their order.

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::app::App;
use crate::client_auth::certificate::RequestCertificate;
use crate::client_auth::{Context, Credentials};
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
    certificate: RequestCertificate,
}

impl Post {
    /// Checks size, content encoding, content type and query of a request to an endpoint that defines these parameters.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn receive(app: &App, received: BufferedRequest, defined: Defined) -> Result<Self, Error> {
        let BufferedRequest { parts, body } = received;
        let body = body?;
        check_encoding(&parts.headers)?;
        let content_type = ContentType::of_body(&parts.headers, &body)?;
        check_query(parts.uri.query().unwrap_or_default(), defined)?;
        let certificate = certificate(app, &parts.extensions);
        Ok(Self { parts, body, content_type, defined, certificate })
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Returns the addresses of the request.
    pub fn addresses(&self) -> Addresses {
        addresses(self.parts.extensions.get(), self.headers())
    }

    /// Returns the certificate of the request.
    pub fn certificate(&self) -> &RequestCertificate {
        &self.certificate
    }

    /// Returns what the client authenticates for. `page` is the header `Origin` of a request of a page.
    pub fn context<'a>(&'a self, page: Option<&'a str>, endpoint: &'static str) -> Context<'a> {
        Context { source: self.addresses().source, page, endpoint, certificate: &self.certificate }
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
