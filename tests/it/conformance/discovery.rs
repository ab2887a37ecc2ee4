//! The modules that read the metadata only.

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;
use testing::{ISSUER, Response};

use super::Suite;

/// The members that the schema of the suite knows, without those of features that no member below belongs to.
pub(super) const KNOWN: [&str; 31] = [
    "authorization_endpoint",
    "authorization_response_iss_parameter_supported",
    "claims_parameter_supported",
    "claims_supported",
    "code_challenge_methods_supported",
    "dpop_signing_alg_values_supported",
    "end_session_endpoint",
    "grant_types_supported",
    "id_token_signing_alg_values_supported",
    "introspection_endpoint",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "issuer",
    "jwks_uri",
    "op_policy_uri",
    "op_tos_uri",
    "prompt_values_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "response_modes_supported",
    "response_types_supported",
    "revocation_endpoint",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "scopes_supported",
    "subject_types_supported",
    "token_endpoint",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "ui_locales_supported",
    "userinfo_endpoint",
];

impl Suite {
    /// Returns a published document.
    async fn document(&self, path: &str) -> Response {
        let response = self.browser.test.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status, 200);
        response
    }

    /// Returns the metadata.
    pub(super) async fn metadata(&self) -> Value {
        self.document("/.well-known/openid-configuration").await.body
    }
}

/// Returns true if a member of the metadata is a list that contains a value.
pub(super) fn lists(metadata: &Value, member: &str, value: &str) -> bool {
    metadata[member].as_array().unwrap().contains(&value.into())
}

#[tokio::test]
async fn oidcc_discovery_endpoint_verification_finds_every_member_valid() {
    let suite = Suite::start().await;
    let response = suite.document("/.well-known/openid-configuration").await;
    assert_eq!(response.header("content-type"), Some("application/json"));
    let metadata = &response.body;
    assert_eq!(metadata["issuer"], ISSUER);
    for (name, value) in metadata.as_object().unwrap() {
        assert!(KNOWN.contains(&name.as_str()), "the suite warns about {name}");
        let is_url = |value: &Value| value.as_str().is_some_and(|url| url.starts_with("https://"));
        let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        let is_valid = match name.as_str() {
            "claims_parameter_supported" | "request_parameter_supported" | "request_uri_parameter_supported" => {
                *value == Value::Bool(false)
            }
            "authorization_response_iss_parameter_supported" => *value == Value::Bool(true),
            name if name.ends_with("_supported") => is_list(value) && !value.as_array().unwrap().is_empty(),
            _ => is_url(value),
        };
        assert!(is_valid, "{name}: {value}");
    }
    for (member, value) in [
        ("response_types_supported", "code"),
        ("subject_types_supported", "public"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("grant_types_supported", "authorization_code"),
        ("scopes_supported", "openid"),
        ("claims_supported", "sub"),
        ("code_challenge_methods_supported", "S256"),
        ("token_endpoint_auth_methods_supported", "client_secret_basic"),
        ("token_endpoint_auth_methods_supported", "client_secret_post"),
        ("ui_locales_supported", "en"),
    ] {
        assert!(lists(metadata, member, value), "{member} has no {value}");
    }
    for endpoint in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        assert!(metadata[endpoint].is_string(), "{endpoint}");
    }
    let jwks_uri = metadata["jwks_uri"].as_str().unwrap();
    let keys = suite.document(jwks_uri.strip_prefix(ISSUER).unwrap()).await.body["keys"].as_array().unwrap().clone();
    assert!(!keys.is_empty());
    for key in &keys {
        let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(!["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|private| members.contains(private)), "{members:?}");
        assert!(key["kid"].is_string() && keys.iter().filter(|other| other["kid"] == key["kid"]).count() == 1);
    }
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_discovery_endpoint_verification_finds_the_endpoint() {
    let metadata = Suite::start().await.metadata().await;
    assert_eq!(metadata["end_session_endpoint"], format!("{ISSUER}/oauth/logout"));
    let mut endpoints = metadata.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_endpoint"));
    assert!(endpoints.all(|(_, url)| url.as_str().unwrap().starts_with("https://")));
}
