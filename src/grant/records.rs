//! The records that a login depends on, besides its client and its family.

use crate::client::Client;
use crate::consent::Consent;
use crate::refresh_token::{Family, Records};
use crate::session::Session;
use crate::store::{Store, StoreError};
use crate::user::{User, Username};

/// The records of a login, as they were read.
#[derive(Default)]
pub struct LoginRecords {
    user: Option<User>,
    consent: Option<Consent>,
    session: Option<Session>,
}

impl LoginRecords {
    /// Reads the records of a login, concurrently. A login by password depends on its user only.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn read(store: &Store, username: &Username, family: &Family) -> Result<Self, StoreError> {
        let Some(authorization) = &family.authorization else {
            return Ok(Self { user: store.user(username).await?, consent: None, session: None });
        };
        let (user, mut owner, session) = tokio::try_join!(
            store.user(username),
            store.owner(&family.user_id),
            store.session(&authorization.session)
        )?;
        Ok(Self { user, consent: owner.consents.remove(&family.client_id), session })
    }

    /// Returns the records for the rule that decides if the login is valid.
    pub fn with<'a>(&'a self, client: Option<&'a Client>) -> Records<'a> {
        Records { client, user: self.user.as_ref(), consent: self.consent.as_ref(), session: self.session.as_ref() }
    }

    /// Returns the consent of a login by code.
    pub fn consent(&self) -> Option<&Consent> {
        self.consent.as_ref()
    }
}
