//! The method by which a client authenticates.

use serde::{Deserialize, Serialize};

/// The method by which a client has to authenticate: the value of `token_endpoint_auth_method` (RFC 7591 section 2). A
/// client without one may use any credential of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum AuthMethod {
    /// The client is public: it sends its id only, and has no credentials.
    #[serde(rename = "none")]
    Public,
    /// The client signs assertions (OpenID Connect Core section 9). Its secrets do not count.
    #[serde(rename = "private_key_jwt")]
    PrivateKeyJwt,
    /// The client has a certificate (RFC 8705 section 2.1). Its other credentials do not count.
    #[serde(rename = "tls_client_auth")]
    TlsClientAuth,
}
