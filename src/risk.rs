//! Risk signals of a login, and the place of a second factor.

use crate::user::User;

/// A sign that a right password may not have come from the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// The first success from this network.
    NewNetwork,
    /// There were many failures in the same lane before.
    AfterFailures,
}

impl Risk {
    /// Returns the value of `risk` in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewNetwork => "new_network",
            Self::AfterFailures => "after_failures",
        }
    }
}

/// A further proof that a login requires after the right password. A second factor would be the first variant; then every
/// login has to handle it to compile.
#[derive(Debug, PartialEq, Eq)]
pub enum Demand {}

/// Returns the proof that a login of this user requires after the right password, before a token leaves the function.
/// Today, no login requires one.
pub const fn demands(_user: &User, _risk: Option<Risk>) -> Option<Demand> {
    None
}
