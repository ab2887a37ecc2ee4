//! Responses, with the checks that every response must pass.

use axum::body::Bytes;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::deployment::{ISSUER, SIGNING_KEY};

/// A response as it was sent.
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    /// The parsed body; null if the body is not JSON.
    pub body: Value,
}

impl Response {
    /// Returns the seconds of `Retry-After`.
    #[track_caller]
    pub fn retry_after(&self) -> u64 {
        self.header("retry-after").unwrap().parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts the headers that every response has.
    #[track_caller]
    fn assert_common(&self) {
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("pragma"), Some("no-cache"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
    }

    /// Asserts the whole error response: status, headers, and a body with exactly two members.
    #[track_caller]
    pub fn assert_error(&self, status: u16, error: &str) {
        assert_eq!((self.status, &self.body["error"]), (status, &Value::from(error)), "{:?}", self.bytes);
        self.assert_common();
        if matches!(status, 404 | 405) {
            assert_eq!(self.bytes, format!("{{\"error\":\"{error}\"}}"));
            return;
        }
        let challenge = (status == 401).then_some("Basic realm=\"oauth\", charset=\"UTF-8\"");
        assert_eq!(self.header("www-authenticate"), challenge);
        self.assert_description();
    }

    /// Asserts the whole error response to a request with an access token (RFC 6750 section 3), which every page may read.
    #[track_caller]
    pub fn assert_bearer_error(&self, status: u16, error: &str) {
        assert_eq!((self.status, &self.body["error"]), (status, &Value::from(error)), "{:?}", self.bytes);
        self.assert_common();
        self.assert_description();
        let description = self.body["error_description"].as_str().unwrap();
        let challenge = format!(r#"Bearer realm="oauth", error="{error}", error_description="{description}""#);
        assert_eq!(self.header("www-authenticate"), Some(&*challenge));
        assert_eq!(self.header("access-control-allow-origin"), Some("*"));
    }

    /// Asserts the whole error response to a request with a bound access token or a proof (RFC 9449 section 7.1), which
    /// every page may read.
    #[track_caller]
    pub fn assert_dpop_error(&self, status: u16, error: &str) {
        assert_eq!((self.status, &self.body["error"]), (status, &Value::from(error)), "{:?}", self.bytes);
        self.assert_common();
        self.assert_description();
        let challenge = format!(r#"DPoP error="{error}", algs="ES256 EdDSA Ed25519""#);
        assert_eq!(self.header("www-authenticate"), Some(&*challenge));
        assert_eq!(self.header("access-control-allow-origin"), Some("*"));
        assert_eq!(self.header("access-control-expose-headers"), Some("DPoP-Nonce, WWW-Authenticate"));
    }

    /// Asserts an error body with exactly two members.
    #[track_caller]
    fn assert_description(&self) {
        assert_eq!(self.body.as_object().unwrap().len(), 2);
        let description = self.body["error_description"].as_str().unwrap();
        let allowed = |byte: u8| (0x20..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\';
        assert!(!description.is_empty() && description.bytes().all(allowed), "{description}");
        let retry_after = self.header("retry-after").map(|seconds| seconds.parse::<u32>().unwrap());
        assert_eq!(retry_after.is_some(), matches!(self.status, 429 | 503));
    }

    /// Asserts the whole response to a revocation: status and headers, and no body.
    #[track_caller]
    pub fn assert_revoked(&self) {
        assert_eq!((self.status, &self.bytes[..]), (200, &b""[..]), "{:?}", self.bytes);
        let headers = ["content-type", "cache-control", "pragma", "x-content-type-options", "vary"];
        let expected = [None, Some("no-store"), Some("no-cache"), Some("nosniff"), Some("Origin")];
        assert_eq!(headers.map(|name| self.header(name)), expected);
    }

    /// Asserts the whole response to the introspection of a token that is not active for the caller.
    #[track_caller]
    pub fn assert_inactive(&self) {
        assert_eq!((self.status, &self.bytes[..]), (200, &br#"{"active":false}"#[..]), "{:?}", self.bytes);
        self.assert_common();
    }

    /// Asserts the whole response to the introspection of an active token: status, headers, and these members in this
    /// order.
    #[track_caller]
    pub fn assert_active(&self, members: &str) {
        assert_eq!((self.status, &self.body["active"]), (200, &Value::Bool(true)), "{:?}", self.bytes);
        self.assert_common();
        let text = std::str::from_utf8(&self.bytes).unwrap();
        let members: Vec<_> = members.split(' ').collect();
        let positions: Vec<_> = members.iter().map(|member| text.find(&format!("\"{member}\":")).unwrap()).collect();
        assert!(positions.is_sorted(), "{text}");
        assert_eq!(self.body.as_object().unwrap().len(), members.len(), "{text}");
        assert!(self.body.as_object().unwrap().values().all(|value| !value.is_null()), "{text}");
    }

    /// Asserts the whole token response: status, headers, the order of the members, and the signature and the claims of the
    /// access token. Returns the claims.
    #[track_caller]
    pub fn assert_issued(&self, version: u8) -> Claims {
        assert_eq!(self.status, 200, "{:?}", self.bytes);
        self.assert_common();
        assert!(self.body["expires_in"].is_u64());
        let mut members = vec!["token_type", "expires_in", "access_token", "refresh_token", "scope", "id_token"];
        members.retain(|member| !self.body[member].is_null());
        assert_eq!(members.contains(&"scope"), version == 2);
        let text = std::str::from_utf8(&self.bytes).unwrap();
        let positions: Vec<_> = members.iter().map(|member| text.find(&format!("\"{member}\":")).unwrap()).collect();
        assert!(positions.is_sorted(), "{text}");
        assert_eq!(self.body.as_object().unwrap().len(), members.len());

        let claims = Claims::verify(self.body["access_token"].as_str().unwrap(), version);
        assert_eq!(self.body["token_type"], if claims.0["cnf"]["jkt"].is_null() { "Bearer" } else { "DPoP" });
        assert_eq!(self.body["expires_in"], claims.number("exp") - claims.number("iat"));
        if version == 2 {
            assert_eq!(self.body["scope"], claims.0["scope"]);
        }
        claims
    }

    /// Returns the access token of a token response.
    #[track_caller]
    pub fn access_token(&self) -> String {
        assert_eq!(self.status, 200, "{:?}", self.bytes);
        self.body["access_token"].as_str().unwrap().to_owned()
    }

    /// Returns the cookie that the response sets: its name, its value and its attributes. Asserts that there is at most one.
    #[track_caller]
    pub fn cookie(&self) -> Option<(&str, &str, Vec<&str>)> {
        let mut cookies = self.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        let mut parts = cookies.next()?.split("; ");
        assert_eq!(cookies.next(), None);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        Some((name, value, parts.collect()))
    }

    /// Returns the refresh token that the response contains, in its body or in a cookie.
    pub fn issued_refresh_token(&self) -> Option<String> {
        let in_cookie = self.cookie().map(|(_, value, _)| value).filter(|value| !value.is_empty());
        self.body["refresh_token"].as_str().or(in_cookie).map(ToOwned::to_owned)
    }

    /// Returns the refresh token of a token response.
    #[track_caller]
    pub fn refresh_token(&self) -> String {
        assert_eq!(self.status, 200, "{:?}", self.bytes);
        self.issued_refresh_token().unwrap()
    }
}

/// The claims of a verified access token.
pub struct Claims(pub Value);

impl Claims {
    /// Verifies a token of a deployment with the usual signing key.
    #[track_caller]
    pub fn verify(token: &str, version: u8) -> Self {
        Self::verify_with(token, version, Algorithm::ES256, &DecodingKey::from_ec_der(&SIGNING_KEY.1))
    }

    /// Verifies the signature, the header and the names of the claims. Does not compare times with the clock.
    #[track_caller]
    pub fn verify_with(token: &str, version: u8, algorithm: Algorithm, key: &DecodingKey) -> Self {
        let mut validation = Validation::new(algorithm);
        // The clock of a deployment is not the system time.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.set_issuer(&[ISSUER]);
        let verified = jsonwebtoken::decode::<Value>(token, key, &validation).unwrap();
        let (header, claims) = (verified.header, Self(verified.claims));
        assert_eq!(header.typ.as_deref(), Some(if version == 1 { "JWT" } else { "at+jwt" }));
        assert!(header.kid.is_some());

        let optional: &[&str] = if version == 1 { &["dealer", "system"] } else { &["auth_time", "cnf"] };
        let mut required = vec!["iss", "aud", "sub", "iat", "nbf", "exp", "jti"];
        required.extend(if version == 1 { &["scopes"][..] } else { &["client_id", "scope"][..] });
        for name in &required {
            assert!(!claims.0[name].is_null(), "{name} is missing");
        }
        for name in claims.0.as_object().unwrap().keys() {
            assert!(required.contains(&name.as_str()) || optional.contains(&name.as_str()), "{name} is not expected");
        }
        assert_eq!(claims.number("nbf"), claims.number("iat"));
        assert!(claims.number("exp") > claims.number("iat"));
        // The `jti` of a user's token contains the id of the family, too.
        let is_service = claims.0["sub"] == claims.0[if version == 1 { "aud" } else { "client_id" }];
        let jti = URL_SAFE_NO_PAD.decode(claims.0["jti"].as_str().unwrap()).unwrap();
        assert_eq!(jti.len(), if is_service { 16 } else { 32 });
        claims
    }

    /// Returns an integer claim.
    #[track_caller]
    pub fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("{name} is not an integer"))
    }
}

/// Changes the header and the claims of a token, but not its signature.
pub fn changed_token(token: &str, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let decode = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (mut header, mut claims) = (decode(parts[0]), decode(parts[1]));
    change(&mut header, &mut claims);
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", encode(header), encode(claims), parts[2])
}
