//! The scopes of OpenID Connect (Core sections 5.4 and 11).

/// Requests an ID token.
pub const OPENID: &str = "openid";
/// Requests the claims about the person, and the username.
pub const PROFILE: &str = "profile";
/// Requests the email address.
pub const EMAIL: &str = "email";
/// Makes a login by code independent of its browser session.
pub const OFFLINE_ACCESS: &str = "offline_access";
/// All scopes of OpenID Connect.
pub const SCOPES: [&str; 4] = [OPENID, PROFILE, EMAIL, OFFLINE_ACCESS];
