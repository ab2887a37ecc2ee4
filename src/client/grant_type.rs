//! The grant types that a client may use.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A grant type: the value of `grant_type` in a token request, and of the list of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantType {
    /// RFC 6749 section 4.1: an application acts for a user who signed in at our page.
    AuthorizationCode,
    /// RFC 6749 section 4.4: a service acts for itself.
    ClientCredentials,
    /// RFC 6749 section 4.3: a first-party application acts for a user.
    Password,
    /// RFC 6749 section 6: an application continues to act for a user.
    RefreshToken,
}

impl GrantType {
    /// All grant types, sorted by name.
    pub const ALL: [Self; 4] = [Self::AuthorizationCode, Self::ClientCredentials, Self::Password, Self::RefreshToken];

    /// Returns the grant type with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant_type| grant_type.as_str() == name)
    }

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
        }
    }
}

impl Serialize for GrantType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Reads a stored set. Ignores unknown names: a later version may have written them.
pub(super) fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<GrantType>, D::Error> {
    let names = BTreeSet::<String>::deserialize(deserializer)?;
    Ok(names.iter().filter_map(|name| GrantType::parse(name)).collect())
}
