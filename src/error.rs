//! Error responses of the wire contract (RFC 6749 section 5.2).

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::keys::KeyError;
use crate::resource::TargetError;
use crate::scope::ScopeError;
use crate::store::StoreError;

mod code;

pub use code::Code;

/// The error response of a request. The code and the description are sent; both consist of static text, so they cannot
/// reveal internal details or quote a request. The reason is only logged.
#[derive(Debug)]
pub struct Error {
    code: Code,
    description: Option<Description>,
    reason: Option<Cow<'static, str>>,
}

/// The `error_description` of a response: one sentence of printable ASCII without `"` and `\`, which may name a
/// parameter that the endpoint defines.
#[derive(Clone, Copy, Debug)]
pub struct Description([&'static str; 3]);

impl fmt::Display for Description {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| formatter.write_str(part))
    }
}

impl Serialize for Description {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Error {
    const fn new(code: Code, description: &'static str) -> Self {
        Self { code, description: Some(Description([description, "", ""])), reason: None }
    }

    fn with_reason(self, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// Returns `invalid_request`, 400: malformed, missing, repeated or over a limit.
    pub const fn invalid_request(description: &'static str) -> Self {
        Self::new(Code::InvalidRequest, description)
    }

    /// Returns `invalid_request`, 400, because of a parameter. The description is the parts of the sentence, in order.
    pub const fn invalid_parameter(before: &'static str, name: &'static str, after: &'static str) -> Self {
        let description = Some(Description([before, name, after]));
        Self { code: Code::InvalidRequest, description, reason: None }
    }

    /// Returns `invalid_request`, 413: the body is over its limit.
    pub const fn body_too_large() -> Self {
        Self::new(Code::BodyTooLarge, "The body is larger than 16 KiB.")
    }

    /// Returns `invalid_client`, 401: client authentication failed. All causes get the same response.
    pub fn invalid_client(reason: &'static str) -> Self {
        Self::new(Code::InvalidClient, "Client authentication failed.").with_reason(reason)
    }

    /// Returns `invalid_token`, 401: the request has no access token.
    pub const fn no_token() -> Self {
        Self::new(Code::NoToken, "There is no access token.")
    }

    /// Returns `invalid_token`, 401: the access token is not valid. All causes get the same response.
    pub fn invalid_token(reason: &'static str) -> Self {
        Self::new(Code::InvalidToken, "The access token is not valid.").with_reason(reason)
    }

    /// Returns `insufficient_scope`, 403: the scope of the access token does not contain `openid`.
    pub const fn insufficient_scope() -> Self {
        Self::new(Code::InsufficientScope, "The access token does not have the scope openid.")
    }

    /// Returns `unauthorized_client`, 400: this client may not use this grant.
    pub const fn unauthorized_client() -> Self {
        Self::new(Code::UnauthorizedClient, "This client may not use this grant type.")
    }

    /// Returns `unsupported_grant_type`, 400.
    pub const fn unsupported_grant_type() -> Self {
        Self::new(Code::UnsupportedGrantType, "This grant type is not supported.")
    }

    /// Returns `unsupported_response_type`, 400.
    pub const fn unsupported_response_type(description: &'static str) -> Self {
        Self::new(Code::UnsupportedResponseType, description)
    }

    /// Returns `access_denied`: the user denied access, or may not have the scope.
    pub const fn access_denied() -> Self {
        Self::new(Code::AccessDenied, "Access is denied.")
    }

    /// Returns `login_required`: `prompt=none`, but the user has to sign in.
    pub const fn login_required() -> Self {
        Self::new(Code::LoginRequired, "The user has to sign in.")
    }

    /// Returns `consent_required`: `prompt=none`, but the user has to allow access.
    pub const fn consent_required() -> Self {
        Self::new(Code::ConsentRequired, "The user has to allow access.")
    }

    /// Returns `interaction_required`: `prompt=none`, but the user has to see a page.
    pub const fn interaction_required() -> Self {
        Self::new(Code::InteractionRequired, "The user has to see a page.")
    }

    /// Returns `request_not_supported`.
    pub const fn request_not_supported() -> Self {
        Self::new(Code::RequestNotSupported, "The parameter request is not supported.")
    }

    /// Returns `request_uri_not_supported`.
    pub const fn request_uri_not_supported() -> Self {
        Self::new(Code::RequestUriNotSupported, "The parameter request_uri is not supported.")
    }

    /// Returns `registration_not_supported`.
    pub const fn registration_not_supported() -> Self {
        Self::new(Code::RegistrationNotSupported, "The parameter registration is not supported.")
    }

    /// Returns `invalid_scope`, 400: malformed, unknown or not allowed. The log names the party that may not have the scope
    /// and the place of the scope in the request. It does not quote the scope, which may contain anything (S-601).
    pub fn invalid_scope(error: ScopeError, party: &'static str) -> Self {
        let rejected = Self::new(Code::InvalidScope, error.description());
        match error {
            ScopeError::NotAllowed(place) => rejected.with_reason(format!("{party} may not have scope {place}")),
            ScopeError::NoneAllowed => rejected.with_reason(format!("{party} may have none of the scopes")),
            _ => rejected,
        }
    }

    /// Returns `invalid_target`, 400: the resource of the request is malformed, unknown or not allowed.
    pub const fn invalid_target(error: TargetError) -> Self {
        Self::new(Code::InvalidTarget, error.description())
    }

    /// Returns `invalid_grant`, 400.
    pub fn invalid_grant(description: &'static str, reason: &'static str) -> Self {
        Self::new(Code::InvalidGrant, description).with_reason(reason)
    }

    /// Returns `invalid_request`, 400: the client or the refresh token needs a certificate, and the request has none that counts.
    pub fn no_certificate(reason: &'static str) -> Self {
        Self::new(Code::InvalidRequest, "A client certificate is required.").with_reason(reason)
    }

    /// Returns `invalid_dpop_proof`, 400: the DPoP proof is not valid. All causes get the same response.
    pub fn invalid_dpop_proof(reason: &'static str) -> Self {
        Self::new(Code::InvalidDpopProof, "The DPoP proof is not valid.").with_reason(reason)
    }

    /// Returns `invalid_dpop_proof`, 400: there is no proof, but the client, the refresh token or the access token needs one.
    pub const fn no_dpop_proof() -> Self {
        Self::new(Code::InvalidDpopProof, "A DPoP proof is required.")
    }

    /// Returns `use_dpop_nonce`, 400: the nonce of the DPoP proof is missing or too old.
    pub const fn use_dpop_nonce() -> Self {
        Self::new(Code::UseDpopNonce, "The DPoP proof needs the nonce in the header DPoP-Nonce of this response.")
    }

    /// Returns `temporarily_unavailable`, 429: the next guess is allowed after this number of seconds. Right and wrong
    /// guesses, and all users, get the same response.
    pub const fn too_many_attempts(retry_after: u32) -> Self {
        Self::new(Code::TooManyAttempts { retry_after }, "Too many attempts. Try again later.")
    }

    /// Returns `temporarily_unavailable`, 503: a dependency is down.
    pub fn temporarily_unavailable(reason: impl Into<Cow<'static, str>>) -> Self {
        let description = "The service is not available at the moment. Try again.";
        Self::new(Code::TemporarilyUnavailable, description).with_reason(reason)
    }

    /// Returns `server_error`, 500: a bug, or a deployment or record that is not valid.
    pub fn server_error(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::ServerError, "The server failed to process the request.").with_reason(reason)
    }

    /// Returns `not_found`, 404. Not an OAuth error, so it has no description.
    pub const fn not_found() -> Self {
        Self { code: Code::NotFound, description: None, reason: None }
    }

    /// Returns `method_not_allowed`, 405: the path has only these methods, separated by commas. Not an OAuth error either.
    pub const fn method_not_allowed(allow: &'static str) -> Self {
        Self { code: Code::MethodNotAllowed { allow }, description: None, reason: None }
    }

    /// Returns the code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Returns the value of `error_description` in the response, if the error has one.
    pub const fn description(&self) -> Option<Description> {
        self.description
    }

    /// Returns the cause for the log: the reason, or else the description.
    pub fn reason(&self) -> Cow<'_, str> {
        match (&self.reason, self.description) {
            (Some(reason), _) => reason.as_ref().into(),
            (None, Some(description)) => description.to_string().into(),
            (None, None) => self.code.as_str().into(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let reason = error.to_string();
        match error {
            StoreError::Conflict { .. } | StoreError::Unavailable { .. } | StoreError::Throttled { .. } => {
                Self::temporarily_unavailable(reason)
            }
            StoreError::Rejected { .. } | StoreError::Malformed { .. } => Self::server_error(reason),
        }
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        let reason = error.to_string();
        match error {
            // When an operator has corrected the secret, the next reload succeeds.
            KeyError::Unavailable(_) | KeyError::Unusable(_) => Self::temporarily_unavailable(reason),
            KeyError::Signing => Self::server_error(reason),
        }
    }
}
