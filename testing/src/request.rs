//! Requests, valid and invalid.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A request that is not sent yet.
#[derive(Default)]
pub struct RequestBuilder {
    headers: Vec<(String, String)>,
    query: String,
    body: Vec<u8>,
}

/// Returns a request with a form body.
pub fn form(params: &[(&str, &str)]) -> RequestBuilder {
    raw_form(form_body(params))
}

/// Encodes a form.
pub fn form_body(params: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = params.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    pairs.join("&")
}

/// Returns the value of `Authorization` for a client (RFC 6749 section 2.3.1).
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", percent(id), percent(secret))))
}

/// Returns a request with these bytes as a form body.
pub fn raw_form(body: impl Into<Vec<u8>>) -> RequestBuilder {
    RequestBuilder { body: body.into(), ..RequestBuilder::default() }
        .header("content-type", "application/x-www-form-urlencoded")
}

/// Returns a request with these bytes as a JSON body.
pub fn raw_json(body: impl Into<Vec<u8>>) -> RequestBuilder {
    RequestBuilder { body: body.into(), ..RequestBuilder::default() }.header("content-type", "application/json")
}

impl RequestBuilder {
    /// Adds a header. A second header with the same name does not replace the first.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn basic(self, id: &str, secret: &str) -> Self {
        self.header("authorization", &basic(id, secret))
    }

    /// Sets the query, with its `?`.
    #[must_use]
    pub fn query(self, query: &str) -> Self {
        Self { query: query.to_owned(), ..self }
    }

    /// Returns the request to the token endpoint.
    pub fn post(self) -> Request<Body> {
        self.to("POST", "/oauth/token")
    }

    /// Returns the request with this method and path.
    pub fn to(self, method: &str, path: &str) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(format!("{path}{}", self.query));
        for (name, value) in self.headers {
            request = request.header(name, value.into_bytes());
        }
        request.body(self.body.into()).unwrap()
    }
}

/// Form-encodes a text like most libraries: everything except letters, digits and `*-._` is encoded.
pub fn percent(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"*-._".contains(&byte);
    let encode = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}
