//! The authorization request (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1): its checks that need only the
//! request and the client. Pure: no store, no clock.
//!
//! A request is its [`Query`]: nothing is stored before the code is issued. Each step of the flow receives the query again
//! and checks it again.

use crate::client::{Client, GrantType};
use crate::error::Error;
use crate::params::Received;
use crate::pkce::Challenge;
use crate::resource::{Resources, TargetError};
use crate::scope::Scope;

mod params;
mod prompt;
mod query;
mod return_address;

pub use params::DEFINED;
pub use prompt::Prompt;
pub use query::{MAX_QUERY_BYTES, Query};
pub use return_address::ReturnAddress;

/// A request that passed all checks of this module.
#[derive(Debug)]
pub struct AuthorizationRequest {
    /// The proven address of the response.
    pub return_address: ReturnAddress,
    /// The scope: all of it is allowed for the client.
    pub scope: Scope,
    /// The audience of the login's tokens, if the request names a resource (RFC 8707).
    pub resource: Option<String>,
    /// The challenge that the code will be bound to.
    pub code_challenge: Option<Challenge>,
    /// The steps that the client requires.
    pub prompt: Prompt,
    /// The largest age of a login in seconds. 0 is a login in [`prompt`](Self::prompt) instead.
    pub max_age: Option<u32>,
    query: Query,
}

/// The reason why a request is rejected, which decides the place of the error.
#[derive(Debug)]
pub enum Rejection {
    /// The client is not proven: an error page without anything from the request.
    Client,
    /// The redirect URI is not proven: an error page without anything from the request.
    RedirectUri,
    /// The client gets the error at its redirect URI.
    Error(Box<ReturnAddress>, Error),
}

/// Returns the client id of a request, if it has one. The first part of step 2, before the client is read.
pub fn client_id(received: &Received) -> Option<&str> {
    received.once(params::CLIENT_ID).filter(|id| params::CLIENT_ID.check(id).is_ok())
}

impl AuthorizationRequest {
    /// Checks a request. `client` is the client with its [`client_id`]; `issuer` is the URL of this service. The first
    /// error decides:
    ///
    /// 2. The client is known and enabled. (Step 1, the decoding, is done.)
    /// 3. The redirect URI occurs once and is registered. From here on, the client gets the errors.
    /// 4. No parameter is repeated, and `state` has no other character than VSCHAR.
    /// 5. No value and not the whole query is too long.
    /// 6. The request has no secret, which does not belong in a browser.
    /// 7. The request has no parameter of an extension that changes its meaning.
    /// 8. The response type is `code`, and the client may use the grant.
    /// 9. The other parameters have their form, and scope and resource are allowed.
    ///
    /// # Errors
    /// [`Rejection`]
    pub fn check(received: &Received, client: Option<&Client>, issuer: &str) -> Result<Self, Rejection> {
        let client = client.filter(|client| client.enabled).ok_or(Rejection::Client)?;
        let requested = received.once(params::REDIRECT_URI);
        let proven = requested.and_then(|requested| client.redirect_uris.matching(requested));
        let redirect_uri = proven.ok_or(Rejection::RedirectUri)?;
        let state = received.once(params::STATE).filter(|state| params::STATE.check(state).is_ok());
        let return_address = ReturnAddress { redirect_uri, state: state.map(ToOwned::to_owned) };
        match Self::check_parameters(received, (client, issuer), &return_address) {
            Ok(request) => Ok(request),
            Err(error) => Err(Rejection::Error(Box::new(return_address), error)),
        }
    }

    /// Steps 4 to 9.
    fn check_parameters(
        received: &Received,
        (client, issuer): (&Client, &str),
        to: &ReturnAddress,
    ) -> Result<Self, Error> {
        if let Some(repeated) = DEFINED.all().find(|param| !param.may_be_repeated() && received.is_repeated(*param)) {
            return Err(repeated.repeated());
        }
        let query = Query::of(received);
        query.check(params::STATE)?;
        received.check_sizes()?;
        query.check_size()?;
        if let Some(secret) = params::SECRETS.iter().find(|param| received.once(**param).is_some()) {
            return Err(Error::invalid_parameter("The parameter ", secret.name(), " does not belong in a browser."));
        }
        if let Some((_, error)) = params::NOT_SUPPORTED.iter().find(|(param, _)| received.once(*param).is_some()) {
            return Err(error());
        }
        if query.require(params::RESPONSE_TYPE)? != "code" {
            return Err(Error::unsupported_response_type("The response_type is not code."));
        }
        if !client.grant_types.contains(&GrantType::AuthorizationCode) {
            return Err(Error::unauthorized_client());
        }
        if query.get(params::RESPONSE_MODE).is_some_and(|mode| mode != "query") {
            return Err(Error::invalid_request("The response_mode is not query."));
        }
        let scope =
            client.scope(query.get(params::SCOPE)).map_err(|error| Error::invalid_scope(error, "the client"))?;
        let resource = resource(received, client.own_audience(issuer), &client.resources)?;
        let code_challenge = code_challenge(&query, client)?;
        query.check(params::NONCE)?;
        let mut prompt = Prompt::parse(query.get(params::PROMPT))?;
        let max_age = max_age(&query)?;
        prompt.login |= max_age == Some(0);
        let max_age = max_age.filter(|seconds| *seconds > 0);
        Ok(Self { return_address: to.clone(), scope, resource, code_challenge, prompt, max_age, query })
    }

    /// Returns the canonical query, which is all of the request.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Returns `nonce`, which becomes a claim of the ID token.
    pub fn nonce(&self) -> Option<&str> {
        self.query.get(params::NONCE)
    }

    /// Returns `login_hint`: the username that the client expects.
    pub fn login_hint(&self) -> Option<&str> {
        self.query.get(params::LOGIN_HINT)
    }

    /// Returns `id_token_hint`, not verified yet. It is the last check of step 9: an error of its verification is
    /// [`invalid_hint`](Self::invalid_hint).
    pub fn id_token_hint(&self) -> Option<&str> {
        self.query.get(params::ID_TOKEN_HINT)
    }

    /// Returns the error for an `id_token_hint` that is not one of our ID tokens.
    pub fn invalid_hint() -> Error {
        Error::invalid_request("The id_token_hint is not an ID token of this issuer.")
    }
}

/// Returns the audience that the request names (RFC 8707 section 2.1).
fn resource(received: &Received, own: &str, resources: &Resources) -> Result<Option<String>, Error> {
    if received.is_repeated(params::RESOURCE) {
        return Err(Error::invalid_target(TargetError::Several));
    }
    let requested = received.once(params::RESOURCE).map(|resource| resources.audience(own, resource));
    Ok(requested.transpose().map_err(Error::invalid_target)?.map(ToOwned::to_owned))
}

/// Returns the challenge (RFC 7636 section 4.3). An absent method would mean `plain`.
fn code_challenge(query: &Query, client: &Client) -> Result<Option<Challenge>, Error> {
    let method = query.get(params::CODE_CHALLENGE_METHOD);
    let Some(challenge) = query.get(params::CODE_CHALLENGE) else {
        return if client.require_pkce {
            Err(Error::invalid_request("The code_challenge is missing."))
        } else if method.is_some() {
            Err(Error::invalid_request("The code_challenge_method has no code_challenge."))
        } else {
            Ok(None)
        };
    };
    if method != Some("S256") {
        return Err(Error::invalid_request("The code_challenge_method is not S256."));
    }
    let challenge = Challenge::parse(challenge.to_owned());
    challenge.map(Some).ok_or(Error::invalid_request("The code_challenge is not 43 characters of base64url."))
}

fn max_age(query: &Query) -> Result<Option<u32>, Error> {
    let Some(text) = query.get(params::MAX_AGE) else { return Ok(None) };
    let is_valid = text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| is_valid);
    seconds.map(Some).ok_or(Error::invalid_request("The max_age is not 1 to 9 digits."))
}
