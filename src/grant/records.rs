//! A login as it is stored: its family, and the records that it depends on besides its client.

use crate::client::Client;
use crate::consent::Consent;
use crate::refresh_token::{Family, FamilyId, Records};
use crate::session::Session;
use crate::store::{Store, StoreError};
use crate::user::User;

/// The family of a login, and its other records. A failed read of them counts only if they decide.
pub struct StoredLogin {
    /// The family.
    pub family: Family,
    /// The other records.
    pub records: Result<LoginRecords, StoreError>,
}

impl StoredLogin {
    /// Reads a login; `None` if there is no family with this id. The caller authenticates the client at the same time,
    /// which saves a round trip.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn read(store: &Store, id: FamilyId, at: u64) -> Result<Option<Self>, StoreError> {
        let Some(family) = store.refresh_family(id).await? else {
            return Ok(None);
        };
        let records = LoginRecords::read(store, Some(&family), at).await;
        Ok(Some(Self { family, records }))
    }

    /// Returns the parts of a login that may not exist.
    pub fn split(login: Option<Self>) -> (Option<Family>, Result<LoginRecords, StoreError>) {
        match login {
            Some(Self { family, records }) => (Some(family), records),
            None => (None, Ok(LoginRecords::default())),
        }
    }
}

/// The records of a login, as they were read.
#[derive(Default)]
pub struct LoginRecords {
    user: Option<User>,
    consent: Option<Consent>,
    session: Option<Session>,
}

impl LoginRecords {
    /// Reads the records of a login, concurrently, if there is one that is not over at `at`. A login by password depends on
    /// its user only.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn read(store: &Store, family: Option<&Family>, at: u64) -> Result<Self, StoreError> {
        let Some(family) = family.filter(|family| family.end(at).is_none()) else {
            return Ok(Self::default());
        };
        let Some(authorization) = &family.authorization else {
            return Ok(Self { user: store.user(&family.username).await?, consent: None, session: None });
        };
        let (user, mut owner, session) = tokio::try_join!(
            store.user(&family.username),
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
