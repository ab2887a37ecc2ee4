//! The paths that more than one module names. The event of each in the log is its name: see `decision.rs`.

/// The authorization endpoint (RFC 6749 section 3.1).
pub(super) const AUTHORIZE: &str = "/oauth/authorize";
/// The token endpoint (RFC 6749 section 3.2).
pub(super) const TOKEN: &str = "/oauth/token";
/// The revocation endpoint (RFC 7009).
pub(super) const REVOKE: &str = "/oauth/revoke";
/// The introspection endpoint (RFC 7662).
pub(super) const INTROSPECT: &str = "/oauth/introspect";
/// The userinfo endpoint (OpenID Connect Core section 5.3).
pub(super) const USERINFO: &str = "/oauth/userinfo";
/// The logout endpoint (OpenID Connect RP-Initiated Logout).
pub(super) const LOGOUT: &str = "/oauth/logout";
/// The page of a user's account.
pub(super) const ACCOUNT: &str = "/account";
/// The public keys (RFC 7517).
pub(super) const JWKS: &str = "/.well-known/jwks.json";
/// The metadata of RFC 8414 section 3. The path of the issuer, if there is one, is appended.
pub(super) const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
/// The metadata of OpenID Connect Discovery, which API Gateway's JWT authorizers use.
pub(super) const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
