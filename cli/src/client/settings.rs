//! The attributes of a client as flags. The name of each field is that of the attribute.

use clap::Args;
use clap::builder::PossibleValuesParser;
use countersign::client::{ATTRIBUTES, ClientMetadata, GrantType, UserAddress};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::input;

#[derive(Args, Serialize)]
pub struct Settings {
    /// A descriptive name
    #[arg(long)]
    name: Option<String>,
    /// The client is public: it has no secret, and sends its id only
    #[arg(long)]
    #[serde(skip)]
    public: bool,
    /// The one method by which the client authenticates; absent means by any of its credentials
    #[arg(long = "auth-method", value_name = "METHOD", value_parser = ["none", "private_key_jwt", "tls_client_auth"], conflicts_with = "public")]
    token_endpoint_auth_method: Option<String>,
    /// The audience of an assertion may also be the token endpoint or the called endpoint
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    legacy_audience: Option<bool>,
    /// The subject of the client's certificate in the form of `client cert set`
    #[arg(long, value_name = "DN")]
    tls_client_auth_subject_dn: Option<String>,
    /// A DNS name of the client's certificate
    #[arg(long, value_name = "NAME")]
    tls_client_auth_san_dns: Option<String>,
    /// A URI of the client's certificate
    #[arg(long, value_name = "URI")]
    tls_client_auth_san_uri: Option<String>,
    /// The issuer of the client's certificate in the form of `client cert set`
    #[arg(long, value_name = "DN")]
    tls_client_auth_issuer_dn: Option<String>,
    /// An allowed grant type (repeatable)
    #[arg(long = "grant-type", value_name = "GRANT", value_parser = GrantType::ALL.map(GrantType::as_str))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    grant_types: Vec<String>,
    /// An allowed scope, exact or ending in * (repeatable)
    #[arg(id = "scope", long = "scope", value_name = "SCOPE", value_delimiter = ' ', value_parser = input::scope("--scope"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    /// A scope that a token gets if the request has no scope (repeatable)
    #[arg(long = "default-scope", value_name = "SCOPE", value_delimiter = ' ', value_parser = input::scope("--default-scope"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    default_scopes: Vec<String>,
    /// The audience of tokens of version 2, if it is not the issuer
    #[arg(long)]
    audience: Option<String>,
    /// An audience that a request may name in `resource`: a URI, exact or ending in /* (repeatable)
    #[arg(id = "resource", long = "resource", value_name = "URI")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<String>,
    /// The lifetime of access tokens (seconds, or 30m, 12h)
    #[arg(long, value_name = "DURATION", value_parser = input::lifetime)]
    access_token_ttl: Option<u32>,
    /// The idle lifetime of refresh tokens (seconds, or 12h, 30d)
    #[arg(long, value_name = "DURATION", value_parser = input::lifetime)]
    refresh_token_ttl: Option<u32>,
    /// A browser origin whose pages may read token responses, as a browser sends it (repeatable)
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_origins: Vec<String>,
    /// The refresh token travels in a cookie: only for a public client with allowed origins
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    refresh_token_cookie: Option<bool>,
    /// The place of a user's address: the source of the request, or the header `countersign-user-address`
    #[arg(long, value_name = "PLACE", value_parser = UserAddress::ALL.map(UserAddress::as_str))]
    user_address: Option<String>,
    /// An audience whose access tokens the client may introspect, exact or ending in * (repeatable)
    #[arg(long, value_name = "AUDIENCE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    introspects: Vec<String>,
    /// An address to which the browser returns from the login pages (repeatable)
    #[arg(long = "redirect-uri", value_name = "URI")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redirect_uris: Vec<String>,
    /// An address to which the browser may return after a log-out (repeatable)
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    post_logout_redirect_uris: Vec<String>,
    /// The client is your own application: its users give no consent
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    first_party: Option<bool>,
    /// The client must use PKCE; false only for a client with secrets that cannot
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    require_pkce: Option<bool>,
    /// The client gets only access tokens that are bound to a key (DPoP)
    #[arg(
        long = "dpop-bound",
        num_args = 0,
        default_missing_value = "true",
        default_value_if("no_dpop_bound", "true", "false")
    )]
    dpop_bound_access_tokens: Option<bool>,
    /// The client may also get access tokens that are not bound to a key
    #[arg(long, conflicts_with = "dpop_bound_access_tokens")]
    #[serde(skip)]
    no_dpop_bound: bool,
    /// The client gets only access tokens that are bound to its certificate (mutual TLS)
    #[arg(
        long = "cert-bound",
        num_args = 0,
        default_missing_value = "true",
        default_value_if("no_cert_bound", "true", "false")
    )]
    tls_client_certificate_bound_access_tokens: Option<bool>,
    /// The client also gets access tokens that are not bound to its certificate
    #[arg(long, conflicts_with = "tls_client_certificate_bound_access_tokens")]
    #[serde(skip)]
    no_cert_bound: bool,
    /// The https page of the client; the consent page links to it
    #[arg(long, value_name = "URL")]
    client_uri: Option<String>,
    /// The https page of the client's privacy policy; the consent page links to it
    #[arg(long, value_name = "URL")]
    policy_uri: Option<String>,
    /// The https page of the client's terms; the consent page links to it
    #[arg(long, value_name = "URL")]
    tos_uri: Option<String>,
    /// The `system` claim of tokens of version 1
    #[arg(long, value_name = "JSON", value_parser = input::object)]
    system: Option<Map<String, Value>>,
}

impl Settings {
    /// Returns the attributes that were given.
    pub fn metadata(&self) -> Result<ClientMetadata, Error> {
        let mut attributes = json!(self);
        if let Some(attributes) = attributes.as_object_mut().filter(|_| self.public) {
            attributes.insert("token_endpoint_auth_method".to_owned(), "none".into());
        }
        serde_json::from_value(attributes).map_err(|error| Error::new(error.to_string()))
    }
}

/// Accepts the names of the attributes that can be absent, with hyphens.
pub fn attribute_names() -> PossibleValuesParser {
    let names = ATTRIBUTES.into_iter().map(|attribute| attribute.name).filter(|name| *name != "enabled");
    PossibleValuesParser::new(names.map(|name| name.replace('_', "-")))
}
