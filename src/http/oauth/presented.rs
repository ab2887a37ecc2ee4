//! The token that a request to the revocation, introspection or userinfo endpoint presents, and the records of its login.

use std::sync::Arc;

use crate::app::App;
use crate::error::Error;
use crate::grant::records::StoredLogin;
use crate::keys::KeySet;
use crate::params::{Grammar, Param};
use crate::refresh_token::Family;
use crate::store::StoreError;
use crate::token::presented::PresentedToken;

/// `token` (RFC 7009 section 2.1, RFC 7662 section 2.1). Any text, because a text that is not a token has no effect.
pub(super) const TOKEN: Param = Param::unlimited("token");
/// `token_type_hint` (the same sections). Ignored, because the form of a token shows its type.
const TOKEN_TYPE_HINT: Param = Param::new("token_type_hint", 64, Grammar::Text);

/// The reason why a text has no effect, for the log.
pub(super) const NOT_OURS: &str = "a text that is not a token of this issuer, or an expired access token";

/// The parameters of a request about a token.
pub(super) const PARAMS: &[Param] = &[TOKEN, TOKEN_TYPE_HINT];

/// A token that we made.
pub(super) struct Presented {
    pub token: PresentedToken,
    keys: Arc<KeySet>,
}

impl Presented {
    /// Verifies a text. Returns `None` if we did not make it, or if it is an expired access token. Reads no
    /// record.
    ///
    /// # Errors
    /// `temporarily_unavailable` if there are no keys.
    pub async fn verify(app: &App, text: &str) -> Result<Option<Self>, Error> {
        let keys = app.keyring.current().await?;
        let token = PresentedToken::read(text, &app.config.issuer, &keys, app.clock.now());
        Ok(token.map(|token| Self { token, keys }))
    }

    /// Reads the family of the login that the token belongs to.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn family(&self, app: &App) -> Result<Option<Family>, StoreError> {
        match self.token.family() {
            Some(family) => app.store.refresh_family(family).await,
            None => Ok(None),
        }
    }

    /// Reads the login that the token belongs to, with the records that it depends on.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn login(&self, app: &App) -> Result<Option<StoredLogin>, StoreError> {
        match self.token.family() {
            Some(family) => StoredLogin::read(&app.store, family, app.clock.now()).await,
            None => Ok(None),
        }
    }

    /// Records the token and its login in the line of the request.
    pub fn record(&self, family: Option<&Family>) {
        let span = tracing::Span::current();
        if let PresentedToken::Access(token) = &self.token {
            span.record("version", token.version.number());
            span.record("kid", &token.kid);
            span.record("jti", &token.token_id);
        }
        if let Some(family) = self.token.family() {
            span.record("session", family.log_id());
        }
        if let Some(family) = family {
            span.record("user", self.keys.log_id(&family.username));
        }
    }
}
