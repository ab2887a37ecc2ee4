//! The authorization request of a query: steps 1 to 9 of its checks, with the client's record.

use axum::response::Response;

use super::failure::Failure;
use super::pages::{ErrorPage, Outside};
use super::responses::redirect;
use super::visit::{Visit, Visitor};
use crate::authorization::{AuthorizationRequest, DEFINED, Rejection, client_id};
use crate::client::Client;
use crate::error::Error;
use crate::http::paths;
use crate::http::request::form;
use crate::scope::Scope;
use crate::token::verify::verify_hint;
use crate::user::User;

/// A request that passed steps 1 to 9, and its client.
pub(super) struct Requested {
    pub request: AuthorizationRequest,
    pub client: Client,
    /// The user that the client expects, if it sent an ID token as a hint.
    expected_user: Option<String>,
}

impl Requested {
    /// Checks the request in a text: the query, or the form of a POST.
    ///
    /// # Errors
    /// An error page until the redirect URI is proven, then a redirect to the client. Server errors, which the client
    /// gets too if no page is shown.
    pub async fn check(visit: &Visit, text: &[u8]) -> Result<Self, Failure> {
        let received = form::receive(text, DEFINED)?;
        let client = match client_id(&received) {
            Some(client_id) => visit.app.store.client(client_id).await?,
            None => None,
        };
        if let Some(client) = &client {
            tracing::Span::current().record("client_id", &client.client_id);
        }
        let error = match (AuthorizationRequest::check(&received, client.as_ref(), &visit.app.config.issuer), client) {
            (Ok(request), Some(client)) => {
                if request.prompt.none {
                    visit.silent.set(&request.return_address, &visit.app.config.issuer);
                }
                return Self { request, client, expected_user: None }.with_hint(visit).await;
            }
            (Ok(_), None) => Rejection::Client,
            (Err(rejection), _) => rejection,
        };
        Err(match error {
            Rejection::Client => {
                let reason = Error::invalid_request("The client is unknown or disabled.");
                Failure::Page(ErrorPage::Client, reason)
            }
            Rejection::RedirectUri => {
                let reason = Error::invalid_request("The redirect_uri is not registered.");
                Failure::Page(ErrorPage::RedirectUri, reason)
            }
            Rejection::Error(address, error) => Failure::redirect(&address, error, &visit.app.config.issuer),
        })
    }

    /// The end of step 9: verifies the hint.
    async fn with_hint(mut self, visit: &Visit) -> Result<Self, Failure> {
        let Some(token) = self.request.id_token_hint() else {
            return Ok(self);
        };
        let keys = visit.app.keyring.current().await?;
        let Some(hint) = verify_hint(token, &visit.app.config.issuer, &keys.public_keys) else {
            return Err(self.reject(visit, AuthorizationRequest::invalid_hint()));
        };
        self.expected_user = Some(hint.subject);
        Ok(self)
    }

    /// Returns the client's name, or its id if it has none.
    pub fn name(&self) -> &str {
        self.client.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.client.client_id)
    }

    /// Returns the name for a page.
    pub fn shown_name(&self) -> Outside<'_> {
        Outside(self.name())
    }

    /// Returns the canonical query.
    pub fn query(&self) -> String {
        self.request.query().to_string()
    }

    /// Returns the redirect to the client with an error.
    pub fn reject(&self, visit: &Visit, error: Error) -> Failure {
        Failure::redirect(&self.request.return_address, error, &visit.app.config.issuer)
    }

    /// Returns the redirect to the beginning of this request, which shows the current state.
    pub fn again(&self, visit: &Visit) -> Response {
        redirect(&format!("{}{}?{}", visit.view.base(), paths::AUTHORIZE, self.request.query()))
    }

    /// Returns true if the consent page may follow, as far as the request and the client show.
    pub fn may_need_consent(&self) -> bool {
        let prompt = self.request.prompt;
        let is_native = self.request.return_address.redirect_uri.is_native();
        !prompt.none && !prompt.login && (prompt.consent || is_native || !self.client.first_party)
    }

    /// Step 10: returns true if the request accepts the login of a user who is signed in.
    pub fn accepts(&self, visitor: &Visitor, now: u64) -> bool {
        let is_too_old = |max_age: u32| visitor.session.is_older_than(max_age.into(), now);
        !self.request.prompt.login && !self.request.max_age.is_some_and(is_too_old) && self.expects(&visitor.user)
    }

    /// Step 11: returns the scope that the user may have.
    ///
    /// # Errors
    /// `access_denied`, a redirect to the client.
    pub fn scope(&self, visit: &Visit, visitor: &Visitor) -> Result<Scope, Failure> {
        let scope = visitor.user.scope_of_code(self.request.scope.clone());
        scope.map_err(|_| self.reject(visit, Error::access_denied()))
    }

    /// Returns true if the request expects this user, or names none in its hint.
    pub fn expects(&self, user: &User) -> bool {
        self.expected_user.as_ref().is_none_or(|expected| *expected == user.user_id)
    }
}
