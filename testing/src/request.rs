//! Requests, written as a test needs them.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A request to be.
#[derive(Default)]
pub struct RequestBuilder {
    headers: Vec<(String, String)>,
    query: String,
    body: Vec<u8>,
}

pub fn form(params: &[(&str, &str)]) -> RequestBuilder {
    raw_form(form_body(params))
}

pub fn form_body(params: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = params.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    pairs.join("&")
}

/// The value of `Authorization` for a client.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", percent(id), percent(secret))))
}

/// A form body to the letter.
pub fn raw_form(body: impl Into<Vec<u8>>) -> RequestBuilder {
    RequestBuilder { body: body.into(), ..RequestBuilder::default() }
        .header("content-type", "application/x-www-form-urlencoded")
}

/// A JSON body to the letter.
pub fn raw_json(body: impl Into<Vec<u8>>) -> RequestBuilder {
    RequestBuilder { body: body.into(), ..RequestBuilder::default() }.header("content-type", "application/json")
}

impl RequestBuilder {
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn basic(self, id: &str, secret: &str) -> Self {
        self.header("authorization", &basic(id, secret))
    }

    #[must_use]
    pub fn query(self, query: &str) -> Self {
        Self { query: query.to_owned(), ..self }
    }

    pub fn post(self) -> Request<Body> {
        self.to("POST", "/oauth/token")
    }

    pub fn to(self, method: &str, path: &str) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(format!("{path}{}", self.query));
        for (name, value) in self.headers {
            request = request.header(name, value.into_bytes());
        }
        request.body(self.body.into()).unwrap()
    }
}

/// Form-encodes a text, as most libraries do: letters, digits and `*-._` stay as they are.
pub fn percent(text: &str) -> String {
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"*-._".contains(&byte);
    let encode = |byte: u8| if stays(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}
