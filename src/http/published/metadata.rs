//! Server metadata for clients and verifiers (RFC 8414, OpenID Connect Discovery), at both well-known paths.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use super::document;
use crate::app::App;
use crate::client::GrantType;
use crate::error::Error;
use crate::grant;

/// The path of RFC 8414 section 3. The path of the issuer, if there is one, is appended.
pub(super) const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
/// The path of OpenID Connect Discovery, which API Gateway's JWT authorizers use.
pub(super) const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";

/// The methods of client authentication: a secret, or none for a public client.
const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];
/// The methods that need a secret.
const SECRET_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// The members of RFC 8414 section 2 and OpenID Connect Discovery section 3.
///
/// The authorization endpoint rejects every request. Common parsers (pyoidc, Authlib, `AppAuth`, Spring, the MCP SDKs)
/// reject a document without one, or with an empty list of response types; Kubernetes and GitHub Actions publish these
/// values too.
#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    response_types_supported: [&'static str; 1],
    grant_types_supported: Vec<&'static str>,
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: &'a [String],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
}

/// Returns the metadata, which depends on the configuration and on the signing keys only.
pub(super) async fn get(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Error> {
    let keys = app.keyring.current().await?;
    let issuer = &app.config.issuer;
    let metadata = Metadata {
        issuer,
        authorization_endpoint: format!("{issuer}/oauth/authorize"),
        token_endpoint: format!("{issuer}/oauth/token"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        response_types_supported: ["id_token"],
        grant_types_supported: grant::supported(&app).map(GrantType::as_str).collect(),
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: &keys.algorithms,
        token_endpoint_auth_methods_supported: METHODS,
        revocation_endpoint: format!("{issuer}/oauth/revoke"),
        revocation_endpoint_auth_methods_supported: METHODS,
        introspection_endpoint: format!("{issuer}/oauth/introspect"),
        introspection_endpoint_auth_methods_supported: SECRET_METHODS,
    };
    let json = serde_json::to_string(&metadata).map_err(|error| Error::server_error(error.to_string()))?;
    document(&headers, &json, app.config.keys.max_age)
}

/// Returns the path of an issuer URL, without a trailing slash; empty if there is no path.
pub(super) fn path_of(issuer: &str) -> &str {
    let authority = issuer.find("://").map_or(0, |at| at + 3);
    issuer.get(authority..).and_then(|rest| rest.find('/').and_then(|at| rest.get(at..))).unwrap_or_default()
}
