//! Server metadata for clients and verifiers (RFC 8414, OpenID Connect Discovery), at both well-known paths.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use super::document;
use crate::app::App;
use crate::client::GrantType;
use crate::config::Pages;
use crate::dpop;
use crate::error::Error;
use crate::grant;
use crate::http::browser::pages::languages;
use crate::http::paths;
use crate::jwt::Algorithm;
use crate::keys::SigningAlgorithm;
use crate::scope::openid;
use crate::token::ID_TOKEN_CLAIMS;
use crate::user::CLAIMS;
use crate::userinfo::PREFERRED_USERNAME;

/// The method of a public client.
const PUBLIC: &str = "none";
/// The method of a client with a certificate.
const CERTIFICATE: &str = "tls_client_auth";
/// The methods of client authentication.
const METHODS: [&str; 5] = ["client_secret_basic", "client_secret_post", PUBLIC, "private_key_jwt", CERTIFICATE];
/// The algorithms of client assertions.
const ASSERTION_ALGORITHMS: [Algorithm; 6] = Algorithm::ALL;

/// The members of RFC 8414 section 2 and OpenID Connect Discovery section 3.
///
/// Without login pages, the authorization endpoint rejects every request. Common parsers (pyoidc, Authlib, `AppAuth`, Spring, the MCP SDKs)
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
    id_token_signing_alg_values_supported: &'a [SigningAlgorithm],
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    token_endpoint_auth_signing_alg_values_supported: [Algorithm; 6],
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_signing_alg_values_supported: [Algorithm; 6],
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_signing_alg_values_supported: [Algorithm; 6],
    dpop_signing_alg_values_supported: [Algorithm; 3],
    #[serde(flatten)]
    of_certificates: Option<OfCertificates>,
    #[serde(flatten)]
    of_pages: Option<OfPages<'a>>,
}

/// The members of a deployment with a domain that requires certificates (RFC 8705 sections 3.3 and 5).
#[derive(Serialize)]
struct OfCertificates {
    tls_client_certificate_bound_access_tokens: bool,
    mtls_endpoint_aliases: Aliases,
}

/// The endpoints at that domain.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "each is a member of the document")]
struct Aliases {
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    /// Only with login pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    userinfo_endpoint: Option<String>,
}

impl OfCertificates {
    fn new(domain: &str, has_pages: bool) -> Self {
        let at = |path| format!("https://{domain}{path}");
        let mtls_endpoint_aliases = Aliases {
            token_endpoint: at(paths::TOKEN),
            revocation_endpoint: at(paths::REVOKE),
            introspection_endpoint: at(paths::INTROSPECT),
            userinfo_endpoint: has_pages.then(|| at(paths::USERINFO)),
        };
        Self { tls_client_certificate_bound_access_tokens: true, mtls_endpoint_aliases }
    }
}

/// The members of a deployment with login pages.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of the document")]
struct OfPages<'a> {
    userinfo_endpoint: String,
    end_session_endpoint: String,
    scopes_supported: [&'static str; 4],
    claims_supported: Vec<&'static str>,
    response_modes_supported: [&'static str; 1],
    code_challenge_methods_supported: [&'static str; 1],
    prompt_values_supported: [&'static str; 4],
    ui_locales_supported: Vec<&'static str>,
    authorization_response_iss_parameter_supported: bool,
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    op_policy_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op_tos_uri: Option<&'a str>,
}

impl<'a> OfPages<'a> {
    fn new(issuer: &str, pages: &'a Pages) -> Self {
        let at = |path| format!("{issuer}{path}");
        let user_claims = CLAIMS.map(|claim| claim.name);
        Self {
            userinfo_endpoint: at(paths::USERINFO),
            scopes_supported: openid::SCOPES,
            claims_supported: ID_TOKEN_CLAIMS.into_iter().chain(user_claims).chain([PREFERRED_USERNAME]).collect(),
            end_session_endpoint: at(paths::LOGOUT),
            response_modes_supported: ["query"],
            code_challenge_methods_supported: ["S256"],
            prompt_values_supported: ["none", "login", "consent", "select_account"],
            ui_locales_supported: languages(),
            authorization_response_iss_parameter_supported: true,
            claims_parameter_supported: false,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
            op_policy_uri: pages.privacy_url.as_deref(),
            op_tos_uri: pages.terms_url.as_deref(),
        }
    }
}

/// Returns the metadata, which depends on the configuration and on the signing keys only.
pub(super) async fn get(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Error> {
    let keys = app.keyring.current().await?;
    let (issuer, pages) = (&app.config.issuer, app.config.pages.as_ref());
    let at = |path| format!("{issuer}{path}");
    let mtls_domain = app.config.mtls_domain.as_deref();
    let methods = METHODS.into_iter().filter(|method| *method != CERTIFICATE || mtls_domain.is_some());
    let metadata = Metadata {
        issuer,
        authorization_endpoint: at(paths::AUTHORIZE),
        token_endpoint: at(paths::TOKEN),
        jwks_uri: at(paths::JWKS),
        response_types_supported: [if pages.is_some() { "code" } else { "id_token" }],
        grant_types_supported: grant::supported(&app).map(GrantType::as_str).collect(),
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: &keys.algorithms,
        token_endpoint_auth_methods_supported: methods.clone().collect(),
        token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
        revocation_endpoint: at(paths::REVOKE),
        revocation_endpoint_auth_methods_supported: methods.clone().collect(),
        revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
        introspection_endpoint: at(paths::INTROSPECT),
        introspection_endpoint_auth_methods_supported: methods.filter(|method| *method != PUBLIC).collect(),
        introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
        dpop_signing_alg_values_supported: dpop::ALGORITHMS,
        of_certificates: mtls_domain.map(|domain| OfCertificates::new(domain, pages.is_some())),
        of_pages: pages.map(|pages| OfPages::new(issuer, pages)),
    };
    let json = serde_json::to_string(&metadata).map_err(|error| Error::server_error(error.to_string()))?;
    document(&headers, &json, app.config.keys.max_age)
}

/// Returns the path of an issuer URL, without a trailing slash; empty if there is no path.
pub(super) fn path_of(issuer: &str) -> &str {
    let authority = issuer.find("://").map_or(0, |at| at + 3);
    issuer.get(authority..).and_then(|rest| rest.find('/').and_then(|at| rest.get(at..))).unwrap_or_default()
}
