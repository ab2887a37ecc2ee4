//! Checks of responses: those that hold for every response, and the comparison with the expected response.

use axum::http::HeaderMap;
use serde_json::Value;

use crate::model::{Expected, Issued};
use crate::{ISSUER, NOW, cloud, take_log};

/// A response as it is sent over HTTP.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Response {
    /// Creates a response from its parts. The body is `null` unless it is JSON.
    pub fn new(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("headers are text");
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
        Self { status, headers, body: serde_json::from_slice(body).unwrap_or_default() }
    }

    /// Reads a response in the format of the gateway.
    pub fn from_gateway(response: &Value) -> Self {
        assert_eq!(response["isBase64Encoded"], false, "{response}");
        assert_eq!(response["cookies"].as_array().map_or(0, Vec::len), 0, "{response}");
        let headers = response["headers"].as_object().expect("headers");
        Self {
            status: response["statusCode"].as_u64().and_then(|status| status.try_into().ok()).expect("a status"),
            headers: headers.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
            body: response["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default(),
        }
    }

    /// Returns the value of a header, which must not be repeated.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} twice in {self:?}");
        value
    }

    /// Asserts that this is the expected response, and what holds for every response.
    pub fn assert(&self, expected: &Expected) {
        self.assert_well_formed();
        let error = self.body["error"].as_str();
        match expected {
            Expected::Issued(issued) => self.assert_issued(issued),
            Expected::Error(status, code) => assert_eq!((self.status, error), (*status, Some(*code)), "{self:?}"),
            Expected::IssuedOrInvalidGrant(issued) if self.status == 200 => self.assert_issued(issued),
            Expected::IssuedOrInvalidGrant(_) => {
                assert_eq!((self.status, error), (400, Some("invalid_grant")), "{self:?}");
            }
        }
        self.assert_logged();
    }

    /// Asserts what holds for every response except public documents: no server error, no caching, and a known code.
    pub fn assert_well_formed(&self) {
        self.assert_headers();
        if matches!(self.status, 200 | 204) {
            return;
        }
        let codes: &[&str] = match self.status {
            400 => &[
                "invalid_request",
                "unauthorized_client",
                "unsupported_grant_type",
                "unsupported_response_type",
                "invalid_scope",
                "invalid_target",
                "invalid_grant",
            ],
            401 => &["invalid_client"],
            404 => &["not_found"],
            405 => &["method_not_allowed"],
            413 => &["invalid_request"],
            _ => panic!("{self:?}"),
        };
        let body = self.body.as_object().expect("an error response is an object");
        assert!(codes.contains(&body["error"].as_str().expect("an error code")), "{self:?}");
        if matches!(self.status, 404 | 405) {
            assert_eq!(body.len(), 1, "{self:?}");
            return;
        }
        assert_eq!(body.len(), 2, "{self:?}");
        let description = body["error_description"].as_str().expect("a description");
        let allowed = |byte: u8| (0x20..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\';
        assert!(!description.is_empty() && description.bytes().all(allowed), "{self:?}");
    }

    /// Asserts what holds for the headers of every response except public documents.
    pub fn assert_headers(&self) {
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("pragma"), Some("no-cache"), "{self:?}");
        let content_type = (self.status != 204).then_some("application/json");
        assert_eq!(self.header("content-type"), content_type, "{self:?}");
        assert_eq!(self.header("retry-after"), None, "{self:?}");
        let challenges = ["Basic realm=\"oauth\", charset=\"UTF-8\"", "Bearer realm=\"oauth\""];
        let is_challenge = self.header("www-authenticate").map(|challenge| challenges.contains(&challenge));
        assert_eq!(is_challenge, (self.status == 401).then_some(true), "{self:?}");
    }

    fn assert_issued(&self, issued: &Issued) {
        assert_eq!(self.status, 200, "{self:?} instead of {issued:?}");
        let user = issued.user;
        let members = 3 + usize::from(user) + usize::from(issued.version == 2);
        assert_eq!(self.body.as_object().map(serde_json::Map::len), Some(members), "{self:?}");
        assert_eq!(self.body["token_type"], "Bearer");
        let expires_in = self.body["expires_in"].as_u64().expect("a number");
        let scope = issued.scope.join(" ");
        if issued.version == 2 {
            assert_eq!(self.body["scope"], *scope);
        }
        if user {
            let refresh_token = self.body["refresh_token"].as_str().expect("a refresh token");
            assert!(refresh_token.starts_with("cs_rt_"));
            assert!(!issued.refreshed || refresh_token == cloud::SUCCESSOR_TOKEN);
        }

        let (header, claims) = cloud::verify(self.body["access_token"].as_str().expect("an access token"));
        let client = issued.client.id;
        assert_eq!(header["typ"], if issued.version == 1 { "JWT" } else { "at+jwt" });
        assert_eq!(header["alg"], "EdDSA");
        assert_eq!(claims["iss"], ISSUER);
        assert_eq!(claims["aud"], if issued.version == 1 { client } else { ISSUER });
        assert_eq!(claims["sub"], if user { cloud::USER_ID } else { client });
        assert_eq!((&claims["iat"], &claims["nbf"]), (&NOW.into(), &NOW.into()));
        assert_eq!(claims["exp"], NOW + expires_in);
        if issued.version == 1 {
            assert_eq!(claims["scopes"], Value::from(issued.scope.clone()));
            assert_eq!(claims["dealer"].is_object(), user);
            assert!(claims["system"].is_object());
            assert_eq!(claims.get("scope"), None);
        } else {
            assert_eq!(claims["scope"], *scope);
            assert_eq!(claims["client_id"], client);
            let auth_time = if issued.refreshed { NOW - 5_000 } else { NOW };
            assert_eq!(claims.get("auth_time"), user.then_some(&auth_time.into()));
            assert!(claims.get("dealer").is_none() && claims.get("system").is_none());
        }
    }

    /// Asserts that the log is one line with the status, without any secret.
    fn assert_logged(&self) {
        let log = take_log();
        let line: Value = serde_json::from_str(&log).unwrap_or_else(|_| panic!("not one line: {log}"));
        assert_eq!(line["status"], self.status, "{log}");
        let tokens = [cloud::USED_TOKEN, cloud::ACTIVE_TOKEN, cloud::SUCCESSOR_TOKEN];
        let mut secrets = cloud::CLIENTS.iter().map(|client| client.secret).chain([cloud::PASSWORD]).chain(tokens);
        assert!(!secrets.any(|secret| log.contains(secret)), "{log}");
    }
}
