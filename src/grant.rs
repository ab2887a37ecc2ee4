//! Grants (RFC 6749 section 4): the one dispatch of token requests.

use std::net::IpAddr;

use crate::app::App;
use crate::client::{Client, GrantType, UserAddress};
use crate::confirmation::Confirmation;
use crate::error::Error;
use crate::params::{Grammar, Param, Params};
use crate::throttle::Network;
use crate::token::TokenVersion;

pub mod authorization_code;
pub mod client_credentials;
pub mod issue;
pub mod password;
pub mod records;
pub mod refresh_token;
mod resource;

use issue::Issued;

/// `grant_type` (RFC 6749 section 4)
pub const GRANT_TYPE: Param = Param::unlimited("grant_type");
/// `scope` (RFC 6749 section 3.3), which all grants have.
const SCOPE: Param = Param::new("scope", 4096, Grammar::ScopeTokens);

/// Returns the grant types of this deployment. Without login pages there are no codes.
pub fn supported(app: &App) -> impl Iterator<Item = GrantType> {
    let has_codes = app.config.pages.is_some();
    GrantType::ALL.into_iter().filter(move |grant_type| has_codes || *grant_type != GrantType::AuthorizationCode)
}

/// Takes the grant type from the parameters of a request.
///
/// # Errors
/// `invalid_request` if it is missing, `unsupported_grant_type` if it is unknown.
pub fn take_grant_type(app: &App, params: &mut Params) -> Result<GrantType, Error> {
    let name = params.require(GRANT_TYPE)?;
    supported(app).find(|grant_type| grant_type.as_str() == name).ok_or(Error::unsupported_grant_type())
}

/// The addresses of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses {
    /// The address of the caller, if the gateway states one.
    pub source: Option<IpAddr>,
    /// The address of the user, if the caller states one.
    pub forwarded: Option<Result<IpAddr, NotAnAddress>>,
}

/// The caller states several addresses, or a text that is not an address.
#[derive(Clone, Copy, Debug)]
pub struct NotAnAddress;

/// The authenticated client, and what its request says about the caller.
pub struct Caller {
    /// The client.
    pub client: Client,
    /// The addresses of the request.
    pub addresses: Addresses,
    /// The refresh token in the client's cookie, if the client has a cookie and the request needs it.
    pub cookie: Option<String>,
    /// The version of the access token.
    pub version: TokenVersion,
    /// The key that the access token is bound to.
    pub cnf: Option<Confirmation>,
}

impl Caller {
    /// Returns the key that the refresh tokens of a login are bound to. A client with a credential proves itself at every
    /// refresh, so its refresh tokens are not bound (RFC 9449 section 5).
    fn key_of_refresh_tokens(&self) -> Option<Confirmation> {
        self.cnf.clone().filter(|_| self.client.is_public())
    }

    /// Returns the network of the user, and records an address that the client states. `None` if the client's record does
    /// not say where the address is, or if the address is missing. The page of a client with a cookie runs on the user's
    /// device.
    ///
    /// # Errors
    /// `invalid_request` if the client forwards something that is not an address.
    fn user_network(&self) -> Result<Option<Network>, Error> {
        let place = if self.client.refresh_token_cookie { Some(UserAddress::Source) } else { self.client.user_address };
        let address = match place {
            None => None,
            Some(UserAddress::Source) => self.addresses.source,
            Some(UserAddress::Forwarded) => {
                let stated = self.addresses.forwarded.transpose().map_err(|NotAnAddress| {
                    Error::invalid_request("The header countersign-user-address is not one IP address.")
                })?;
                if let Some(address) = stated {
                    tracing::Span::current().record("user_source", address.to_canonical().to_string());
                }
                stated
            }
        };
        Ok(address.map(Network::from))
    }
}

/// A request, before it is known that the client may make it.
pub enum Request {
    /// The exchange of a code.
    AuthorizationCode(authorization_code::Request),
    /// A token of a service.
    ClientCredentials(client_credentials::Request),
    /// A login.
    Password(password::Request),
    /// The continuation of a login.
    RefreshToken(refresh_token::Request),
}

impl Request {
    /// Takes the parameters of the grant and reads the records that they name. Decides nothing, because it runs while the
    /// client is authenticated.
    ///
    /// # Errors
    /// `invalid_request` if a parameter is missing or malformed.
    pub async fn read(app: &App, grant_type: GrantType, params: &mut Params) -> Result<Self, Error> {
        Ok(match grant_type {
            GrantType::AuthorizationCode => {
                Self::AuthorizationCode(authorization_code::Request::read(app, params).await?)
            }
            GrantType::ClientCredentials => Self::ClientCredentials(client_credentials::Request::parse(params)),
            GrantType::Password => Self::Password(password::Request::read(app, params).await?),
            GrantType::RefreshToken => Self::RefreshToken(refresh_token::Request::read(app, params).await),
        })
    }

    /// Issues tokens to a client that may use the grant.
    ///
    /// # Errors
    /// The errors of the grant.
    pub async fn issue(self, app: &App, caller: &Caller) -> Result<Issued, Error> {
        match self {
            Self::AuthorizationCode(request) => authorization_code::issue(app, request, caller).await,
            Self::ClientCredentials(request) => client_credentials::issue(app, request, caller).await,
            Self::Password(request) => password::issue(app, request, caller).await,
            Self::RefreshToken(request) => refresh_token::issue(app, request, caller).await,
        }
    }
}
