//! A request of a browser, and the user who is signed in with it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::cookies;
use super::pages::View;
use super::silent::SilentAddress;
use crate::app::App;
use crate::consent::{Consent, Owner};
use crate::error::Error;
use crate::http::request::addresses::addresses;
use crate::http::request::body::BufferedRequest;
use crate::session::{Session, SessionCookie, SessionLifetimes};
use crate::store::{ConsentKey, StoreError};
use crate::throttle::Network;
use crate::user::User;

/// A request of a browser.
pub(super) struct Visit {
    pub app: Arc<App>,
    pub view: View,
    pub lifetimes: SessionLifetimes,
    /// Has the address of the client if the request shows no page.
    pub silent: SilentAddress,
    /// The query, undecoded; may be empty.
    pub query: String,
    /// The network of the browser, if the gateway states its address.
    pub network: Option<Network>,
    /// The time of the request, in seconds since the epoch.
    pub now: u64,
    headers: HeaderMap,
}

impl FromRequestParts<Arc<App>> for Visit {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let missing = || Error::server_error("a layer of the routes is missing");
        let headers = parts.headers.clone();
        Ok(Self {
            view: parts.extensions.get().cloned().ok_or_else(missing)?,
            lifetimes: parts.extensions.get().copied().ok_or_else(missing)?,
            silent: parts.extensions.get().cloned().ok_or_else(missing)?,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            network: addresses(parts.extensions.get(), &headers).source.map(Network::from),
            now: app.clock.now(),
            app: app.clone(),
            headers,
        })
    }
}

/// A session that was not ended, with the cookie that has its secret. Its ends may have passed.
pub(super) struct Presented {
    pub cookie: SessionCookie,
    pub session: Session,
}

/// A user who is signed in.
pub(super) struct Visitor {
    pub cookie: SessionCookie,
    pub session: Session,
    pub user: User,
    /// The consents of the user.
    pub owner: Owner,
}

impl Visit {
    /// Returns the text of a form that a client sent, which also has the languages of the user.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn request_text(&mut self, received: BufferedRequest) -> Result<Bytes, Error> {
        let text = received.form_text()?;
        self.view = self.view.of_form(&text, &self.headers);
        Ok(text)
    }

    /// Reads the session of the request. A request without one valid cookie causes no read.
    ///
    /// # Errors
    /// Server errors.
    pub async fn presented(&self) -> Result<Option<Presented>, Error> {
        let Some(cookie) = cookies::presented(&self.headers) else {
            return Ok(None);
        };
        let session = self.app.store.session(&cookie.id().key()).await?.filter(|session| session.is_of(&cookie));
        Ok(session.map(|session| Presented { cookie, session }))
    }

    /// Returns the user of a session, if the user is signed in. Reads the user and the consents concurrently, and records
    /// the user for the log.
    ///
    /// # Errors
    /// Server errors.
    pub async fn visitor(&self, presented: Option<Presented>) -> Result<Option<Visitor>, Error> {
        let current = presented.filter(|presented| presented.session.is_current(self.now));
        let Some(Presented { cookie, session }) = current else {
            return Ok(None);
        };
        let store = &self.app.store;
        let (user, owner) = tokio::try_join!(store.user(&session.username), store.owner(&session.user_id))?;
        let Some(user) = user.filter(|user| session.is_signed_in(&cookie, user, self.now)) else {
            return Ok(None);
        };
        if let Ok(keys) = self.app.keyring.current().await {
            tracing::Span::current().record("user", keys.log_id(&session.username));
        }
        Ok(Some(Visitor { cookie, session, user, owner }))
    }

    /// Writes the consent that `change` returns for the consents that were read, if it returns one. If another request
    /// changed the consent meanwhile, the consents are read again once. Returns the other result of `change`.
    ///
    /// # Errors
    /// Server errors.
    pub async fn write_consent<R>(
        &self,
        key: ConsentKey<'_>,
        owner: &Owner,
        change: impl Fn(&Owner) -> (R, Option<Consent>),
    ) -> Result<R, Error> {
        let store = &self.app.store;
        let attempt = async |owner: &Owner| match change(owner) {
            (result, Some(consent)) => Ok(store.put_consent(key, owner, &consent).await?.then_some(result)),
            (result, None) => Ok::<_, StoreError>(Some(result)),
        };
        if let Some(result) = attempt(owner).await? {
            return Ok(result);
        }
        let changed = Error::temporarily_unavailable("other requests changed the consent");
        attempt(&store.owner(key.user_id).await?).await?.ok_or(changed)
    }

    /// Returns the user of a session like [`visitor`](Self::visitor), for a page that shows texts of scopes. Reads the texts
    /// concurrently, so that the page needs no further round trip. The page reports an error of that read.
    ///
    /// # Errors
    /// Server errors.
    pub async fn visitor_and_texts(&self, presented: Option<Presented>) -> Result<Option<Visitor>, Error> {
        if presented.is_none() {
            return Ok(None);
        }
        let (visitor, _) = tokio::join!(self.visitor(presented), self.app.scope_texts());
        visitor
    }
}
