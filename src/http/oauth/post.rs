//! A POST of a client: the checks that the token, revocation and introspection endpoints have in common, in their order.

use std::convert::Infallible;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use http_body_util::LengthLimitError;

use crate::app::App;
use crate::client_auth::Credentials;
use crate::client_auth::certificate::Certificate;
use crate::error::Error;
use crate::grant::Origin;
use crate::http::request::body::{ContentType, MAX_BYTES, check_encoding};
use crate::http::request::certificate::certificate;
use crate::http::request::credentials::credentials;
use crate::http::request::form::check_query;
use crate::http::request::origin::origin;
use crate::params::{Defined, Params};

/// A request whose body is in memory, or the error of the body. axum's extractor of `Parts` would clone all of them.
pub(super) struct Received {
    pub parts: Parts,
    pub body: Result<Bytes, Error>,
}

impl<S: Sync> FromRequest<S> for Received {
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
    pub fn receive(Received { parts, body }: Received, defined: Defined) -> Result<Self, Error> {
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
    pub fn origin(&self) -> Origin {
        origin(self.parts.extensions.get(), self.headers())
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
