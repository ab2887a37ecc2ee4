//! The method by which a client authenticates.

use serde::{Deserialize, Serialize};

/// The method by which a client authenticates, if it is not a secret: the value of `token_endpoint_auth_method` (RFC 7591
/// section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum AuthMethod {
    /// The client is public: it sends its id only, and has no secrets.
    #[serde(rename = "none")]
    Public,
}
