//! The codes of error responses (RFC 6749 section 5.2), each with its HTTP status.

/// The kind of an error, with its word and its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Malformed, missing, repeated or over a limit.
    InvalidRequest,
    /// The body is over its limit.
    BodyTooLarge,
    /// Client authentication failed.
    InvalidClient,
    /// There is no access token. The challenge names no error (RFC 6750 section 3.1).
    NoToken,
    /// The access token is not valid (RFC 6750 section 3.1).
    InvalidToken,
    /// The scope of the access token is not sufficient.
    InsufficientScope,
    /// This client may not use this grant.
    UnauthorizedClient,
    /// The grant type is unknown.
    UnsupportedGrantType,
    /// An authorization request (RFC 6749 section 4.1.2.1), which needs login pages.
    UnsupportedResponseType,
    /// The scope is malformed, unknown or not allowed.
    InvalidScope,
    /// The resource is malformed, unknown or not allowed (RFC 8707 section 2).
    InvalidTarget,
    /// The username, password, authorization code or refresh token is wrong.
    InvalidGrant,
    /// The DPoP proof is missing or not valid (RFC 9449 section 5).
    InvalidDpopProof,
    /// The DPoP proof needs the nonce of the response (RFC 9449 section 8).
    UseDpopNonce,
    /// The budget of guesses is used up.
    TooManyAttempts {
        /// The seconds until the next attempt is allowed.
        retry_after: u32,
    },
    /// A dependency is down. Never `invalid_grant`, because clients then discard their refresh token.
    TemporarilyUnavailable,
    /// The user denied access, or may not have the scope (RFC 6749 section 4.1.2.1).
    AccessDenied,
    /// The user has to sign in, and the request allows no page (OpenID Connect Core section 3.1.2.6).
    LoginRequired,
    /// The user has to allow access, and the request allows no page.
    ConsentRequired,
    /// The user has to see a page, and the request allows none.
    InteractionRequired,
    /// The request has a request object (OpenID Connect Core section 6).
    RequestNotSupported,
    /// The request has the URI of a request object.
    RequestUriNotSupported,
    /// The request has the metadata of a client.
    RegistrationNotSupported,
    /// A bug, or a deployment or record that is not valid.
    ServerError,
    /// The path does not exist.
    NotFound,
    /// The path has other methods.
    MethodNotAllowed {
        /// The methods of the path, separated by commas.
        allow: &'static str,
    },
}

impl Code {
    /// Returns the value of `error` in the response, and the HTTP status.
    const fn row(self) -> (&'static str, u16) {
        match self {
            Self::InvalidRequest => ("invalid_request", 400),
            Self::BodyTooLarge => ("invalid_request", 413),
            Self::InvalidClient => ("invalid_client", 401),
            Self::NoToken | Self::InvalidToken => ("invalid_token", 401),
            Self::InsufficientScope => ("insufficient_scope", 403),
            Self::UnauthorizedClient => ("unauthorized_client", 400),
            Self::UnsupportedGrantType => ("unsupported_grant_type", 400),
            Self::UnsupportedResponseType => ("unsupported_response_type", 400),
            Self::InvalidScope => ("invalid_scope", 400),
            Self::InvalidTarget => ("invalid_target", 400),
            Self::InvalidGrant => ("invalid_grant", 400),
            Self::InvalidDpopProof => ("invalid_dpop_proof", 400),
            Self::UseDpopNonce => ("use_dpop_nonce", 400),
            Self::TooManyAttempts { .. } => ("temporarily_unavailable", 429),
            Self::TemporarilyUnavailable => ("temporarily_unavailable", 503),
            // The client gets these by a redirect.
            Self::AccessDenied => ("access_denied", 303),
            Self::LoginRequired => ("login_required", 303),
            Self::ConsentRequired => ("consent_required", 303),
            Self::InteractionRequired => ("interaction_required", 303),
            Self::RequestNotSupported => ("request_not_supported", 303),
            Self::RequestUriNotSupported => ("request_uri_not_supported", 303),
            Self::RegistrationNotSupported => ("registration_not_supported", 303),
            Self::ServerError => ("server_error", 500),
            Self::NotFound => ("not_found", 404),
            Self::MethodNotAllowed { .. } => ("method_not_allowed", 405),
        }
    }

    /// Returns the value of `error` in the response.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Returns the HTTP status of the response.
    pub const fn status(self) -> u16 {
        self.row().1
    }
}
