//! The place of the address of a client's user.

use serde::{Deserialize, Serialize};

/// The place of the address of a client's user. The throttle knows networks of users only if it knows their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UserAddress {
    /// The source of the request: the client runs on the user's device.
    Source,
    /// The header `countersign-user-address`: the client is a server, and forwards the address.
    Forwarded,
}

impl UserAddress {
    /// All places.
    pub const ALL: [Self; 2] = [Self::Source, Self::Forwarded];

    /// Returns the value of `user_address`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Forwarded => "forwarded",
        }
    }
}
