//! A token of either kind, which a client presents to revoke or to introspect it.

use super::verify::{Holder, VerifiedToken, verify};
use crate::confirmation::Confirmation;
use crate::keys::KeySet;
use crate::refresh_token::{FamilyId, RefreshToken};

/// A token that we made. An access token has not expired.
pub enum PresentedToken {
    /// An access token.
    Access(Box<VerifiedToken>),
    /// A refresh token.
    Refresh(RefreshToken),
}

impl PresentedToken {
    /// Reads a token of this issuer. Returns `None` for any other text. Needs no record.
    pub fn read(text: &str, issuer: &str, keys: &KeySet, now: u64) -> Option<Self> {
        match RefreshToken::read(&keys.refresh_token_keys, text) {
            Some(token) => Some(Self::Refresh(token)),
            None => verify(text, issuer, &keys.public_keys, now).ok().map(|token| Self::Access(Box::new(token))),
        }
    }

    /// Returns the key that an access token is bound to.
    pub fn cnf(&self) -> Option<&Confirmation> {
        match self {
            Self::Access(token) => token.cnf.as_ref(),
            Self::Refresh(_) => None,
        }
    }

    /// Returns the family of the login that the token belongs to.
    pub fn family(&self) -> Option<FamilyId> {
        match self {
            Self::Refresh(token) => Some(token.family),
            Self::Access(token) => match token.holder {
                Holder::User(family) => family,
                Holder::Service => None,
            },
        }
    }
}
