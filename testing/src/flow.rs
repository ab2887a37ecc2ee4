//! Flows: each kind of request, with a deployment in the state that the request needs. Tests run every flow under every
//! fault and every step of the clock.

use countersign::throttle::Subject;
use serde_json::json;

use crate::deployment::{APPLICATION, CLIENT_CREDENTIALS, IMPORTED_USER, PASSWORD, SERVICE, TestApp, USERNAME};
use crate::response::Response;

mod scenario;
mod send;

pub use scenario::{Scenario, calls_of, login_is_recorded};

/// The user and the client for guesses. No other flow uses them, so guesses that are counted do not change a flow.
const GUESSED_USERNAME: &str = "guessed@itccompliance.co.uk";
const GUESSED_CLIENT: &str = "guessed-client";
/// The right secret of that client.
const GUESSED_SECRET: &str = "the right secret";
/// A username without a user.
const UNKNOWN_USERNAME: &str = "unknown@itccompliance.co.uk";

/// A request of a caller, and the state of the deployment before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    ClientCredentials,
    /// A service with an assertion.
    Assertion,
    /// An application refreshes a login with an assertion.
    AssertionRefresh,
    /// A service with a token of an issuer, whose keys are in the record.
    Federated,
    /// The start of an execution environment, and its first request.
    ColdStart,
    /// The request starts a concurrent reload of the signing keys.
    Reload,
    /// The signing keys are so old that the request waits for a reload.
    Resume,
    WrongClientSecret,
    /// A wrong secret for a client with an imported secret, which needs a slow hash.
    WrongImportedSecret,
    /// The right secret of such a client.
    ImportedSecret,
    DisabledClient,
    Password,
    /// A login through a client without the grant `refresh_token`.
    PasswordOnly,
    WrongPassword,
    UnknownUser,
    /// A guess at a password while the account is blocked.
    BlockedGuess,
    /// The first login from a network.
    NewNetwork,
    /// A login that replaces an imported password hash.
    ImportedHash,
    /// `ImportedHash` and `Resume` together.
    ResumeImportedHash,
    Refresh,
    /// A refresh for a scope that the user has lost since the login.
    RefreshForLostScope,
    /// A used refresh token, within the grace.
    Retry,
    /// A used refresh token, after the grace.
    Replay,
    /// A refresh token that is newer than its family, because the table was rolled back.
    RolledBack,
    RevokedFamily,
    DisabledUser,
    /// A login through a client whose refresh token travels in a cookie.
    CookieLogin,
    /// A refresh with that cookie.
    CookieRefresh,
    /// A refresh with a cookie that was used longer ago than the grace.
    CookieReplay,
    /// The exchange of a code.
    Exchange,
    /// A code that was exchanged before.
    ReplayedCode,
    /// A refresh of a login by code.
    CodeRefresh,
    /// A revocation with that cookie.
    CookieLogOut,
    /// The revocation of a refresh token.
    Revoke,
    /// The revocation of a refresh token, and of all other logins of the user.
    RevokeAll,
    /// The revocation of a service's token.
    RevokeServiceToken,
    /// The introspection of a user's access token.
    Introspect,
    IntrospectRefreshToken,
    IntrospectServiceToken,
    /// The claims about the user of a login by code.
    UserInfo,
}

/// All flows.
pub const FLOWS: &[Flow] = &[
    Flow::ClientCredentials,
    Flow::Assertion,
    Flow::AssertionRefresh,
    Flow::Federated,
    Flow::ColdStart,
    Flow::Reload,
    Flow::Resume,
    Flow::WrongClientSecret,
    Flow::WrongImportedSecret,
    Flow::ImportedSecret,
    Flow::DisabledClient,
    Flow::Password,
    Flow::PasswordOnly,
    Flow::WrongPassword,
    Flow::UnknownUser,
    Flow::BlockedGuess,
    Flow::NewNetwork,
    Flow::ImportedHash,
    Flow::ResumeImportedHash,
    Flow::Refresh,
    Flow::RefreshForLostScope,
    Flow::Retry,
    Flow::Replay,
    Flow::RolledBack,
    Flow::RevokedFamily,
    Flow::DisabledUser,
    Flow::CookieLogin,
    Flow::CookieRefresh,
    Flow::CookieReplay,
    Flow::Exchange,
    Flow::ReplayedCode,
    Flow::CodeRefresh,
    Flow::CookieLogOut,
    Flow::Revoke,
    Flow::RevokeAll,
    Flow::RevokeServiceToken,
    Flow::Introspect,
    Flow::IntrospectRefreshToken,
    Flow::IntrospectServiceToken,
    Flow::UserInfo,
];

impl Flow {
    /// Returns the event of the flow's decision in the log.
    pub fn event(self) -> &'static str {
        match self {
            Self::Revoke | Self::RevokeAll | Self::RevokeServiceToken | Self::CookieLogOut => "revoke",
            Self::Introspect | Self::IntrospectRefreshToken | Self::IntrospectServiceToken => "introspect",
            Self::UserInfo => "userinfo",
            _ => "token",
        }
    }

    /// Returns true if the caller presents a JWT, which is valid only by the clock.
    pub fn presents_jwt(self) -> bool {
        matches!(
            self,
            Self::Assertion
                | Self::AssertionRefresh
                | Self::Federated
                | Self::RevokeServiceToken
                | Self::Introspect
                | Self::IntrospectServiceToken
                | Self::UserInfo
        )
    }

    /// Returns the status and the error of the response without a fault, or `None` if the status is 200.
    pub fn error_response(self) -> Option<(u16, &'static str)> {
        match self {
            Self::WrongClientSecret | Self::WrongImportedSecret | Self::DisabledClient => Some((401, "invalid_client")),
            Self::WrongPassword
            | Self::UnknownUser
            | Self::Replay
            | Self::RolledBack
            | Self::RevokedFamily
            | Self::DisabledUser
            | Self::CookieReplay
            | Self::ReplayedCode => Some((400, "invalid_grant")),
            Self::RefreshForLostScope => Some((400, "invalid_scope")),
            Self::BlockedGuess => Some((429, "temporarily_unavailable")),
            _ => None,
        }
    }

    /// Returns true if the response is the one that the flow gets without a fault.
    pub fn is_expected(self, response: &Response) -> bool {
        match self.error_response() {
            None => response.status == 200 && (self.event() != "introspect" || response.body["active"] == true),
            Some((status, error)) => response.status == status && response.body["error"] == error,
        }
    }

    /// Returns true if the flow writes to the table of grants before it responds.
    pub fn writes_family(self) -> bool {
        matches!(
            self,
            Self::Password
                | Self::PasswordOnly
                | Self::NewNetwork
                | Self::ImportedHash
                | Self::ResumeImportedHash
                | Self::Assertion
                | Self::AssertionRefresh
                | Self::Refresh
                | Self::Replay
                | Self::RolledBack
                | Self::DisabledUser
                | Self::CookieLogin
                | Self::CookieRefresh
                | Self::CookieReplay
                | Self::Exchange
                | Self::ReplayedCode
                | Self::CodeRefresh
                | Self::CookieLogOut
                | Self::Revoke
                | Self::RevokeServiceToken
        )
    }

    /// Returns the account whose password the caller guesses. The guess must be counted before its result is known.
    pub fn guessed_account(self) -> Option<&'static str> {
        match self {
            Self::Password | Self::PasswordOnly | Self::NewNetwork | Self::CookieLogin => Some(USERNAME),
            Self::ImportedHash | Self::ResumeImportedHash => Some(IMPORTED_USER.0),
            Self::WrongPassword => Some(GUESSED_USERNAME),
            Self::UnknownUser => Some(UNKNOWN_USERNAME),
            _ => None,
        }
    }

    /// Returns true if the caller guesses a client secret that has a slow hash.
    pub fn guesses_client_secret(self) -> bool {
        matches!(self, Self::ImportedSecret | Self::WrongImportedSecret)
    }

    /// Returns true if the caller presents a refresh token or a code that was not used yet.
    pub fn presents_unused_token(self) -> bool {
        matches!(
            self,
            Self::AssertionRefresh
                | Self::Refresh
                | Self::RefreshForLostScope
                | Self::RolledBack
                | Self::DisabledUser
                | Self::CookieRefresh
                | Self::Exchange
                | Self::CodeRefresh
        )
    }

    /// Returns the client that a presented token was issued to: its id and secret.
    pub fn owner(self) -> (&'static str, &'static str) {
        match self {
            Self::RevokeServiceToken | Self::IntrospectServiceToken => SERVICE,
            _ => APPLICATION,
        }
    }

    /// Returns true if the refresh token travels in a cookie.
    pub fn has_cookie(self) -> bool {
        matches!(self, Self::CookieLogin | Self::CookieRefresh | Self::CookieReplay | Self::CookieLogOut)
    }

    /// Sends a refresh request like the client of the flow.
    async fn refresh(self, test: &TestApp, token: &str) -> Response {
        match self {
            _ if self.has_cookie() => test.refresh_by_cookie(token).await,
            Self::Exchange | Self::ReplayedCode | Self::CodeRefresh => test.refresh_code_login(token).await,
            Self::AssertionRefresh => {
                let refresh = [("grant_type", "refresh_token"), ("refresh_token", token)];
                test.send(send::with_assertion(test, APPLICATION.0, &refresh).post()).await
            }
            _ => test.refresh(token).await,
        }
    }

    /// Prepares the deployment. Returns the token or the code that the caller presents, if there is one.
    async fn prepare(self, test: &TestApp) -> Option<String> {
        match self {
            Self::Assertion => send::put_keys(test, SERVICE.0),
            Self::Federated => send::put_trust(test),
            Self::Reload => test.advance_clock(250),
            Self::Resume | Self::ResumeImportedHash => test.advance_clock(1000),
            Self::DisabledClient => {
                // A request of the active client, in case the service caches the client.
                test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
                test.change_client(SERVICE.0, &json!({"enabled": false}));
            }
            Self::PasswordOnly => test.change_client(APPLICATION.0, &json!({"grant_types": ["password"]})),
            Self::BlockedGuess => {
                let id = Subject::account(GUESSED_USERNAME);
                let attempts = json!({"id": id.item_id(), "failures": 12, "last_at": test.now()});
                test.cloud.put("GrantsTable", &attempts).unwrap();
            }
            Self::NewNetwork => test.change_client(APPLICATION.0, &json!({"user_address": "forwarded"})),
            Self::CookieLogin => test.put_browser_app(),
            Self::Exchange | Self::ReplayedCode | Self::CodeRefresh => return Some(self.prepare_code(test).await),
            Self::CookieRefresh | Self::CookieReplay | Self::CookieLogOut => {
                test.put_browser_app();
                let token = test.log_in_by_browser().await;
                return Some(self.prepare_family(test, token).await);
            }
            Self::RevokeServiceToken | Self::IntrospectServiceToken => {
                return Some(test.form(SERVICE, &CLIENT_CREDENTIALS).await.access_token());
            }
            Self::UserInfo => {
                test.put_code_client(&json!({}));
                return Some(test.exchange(&test.code().await).await.access_token());
            }
            Self::Introspect => return Some(test.password(USERNAME, PASSWORD).await.access_token()),
            Self::AssertionRefresh
            | Self::Refresh
            | Self::RefreshForLostScope
            | Self::Retry
            | Self::Replay
            | Self::RolledBack
            | Self::RevokedFamily
            | Self::DisabledUser
            | Self::Revoke
            | Self::RevokeAll
            | Self::IntrospectRefreshToken => {
                let token = test.log_in().await;
                return Some(self.prepare_family(test, token).await);
            }
            _ => {}
        }
        None
    }

    /// Prepares a login by code. Returns the code or the refresh token that the caller presents.
    async fn prepare_code(self, test: &TestApp) -> String {
        test.put_code_client(&json!({}));
        let code = test.code().await;
        if self == Self::Exchange {
            return code;
        }
        let refresh_token = test.exchange(&code).await.refresh_token();
        if self == Self::ReplayedCode {
            return code;
        }
        // Without this write, the rotation is the only write of the flow.
        test.use_consent().await;
        refresh_token
    }

    /// Prepares the family of a login. Returns the refresh token that the caller presents.
    async fn prepare_family(self, test: &TestApp, token: String) -> String {
        match self {
            Self::AssertionRefresh => send::put_keys(test, APPLICATION.0),
            Self::Retry => drop(test.refresh(&token).await.refresh_token()),
            Self::Replay | Self::CookieReplay => {
                self.refresh(test, &token).await.refresh_token();
                test.advance_clock(60);
            }
            Self::RolledBack => {
                let before = test.family(&token);
                let successor = test.refresh(&token).await.refresh_token();
                test.restore_item("GrantsTable", &before);
                return successor;
            }
            Self::RevokedFamily => {
                let successor = test.refresh(&token).await.refresh_token();
                test.advance_clock(60);
                test.refresh(&token).await.assert_error(400, "invalid_grant");
                return successor;
            }
            Self::DisabledUser => test.change_user(&json!({"enabled": false})),
            Self::RefreshForLostScope => test.change_user(&json!({"scopes": ["legacy:autonomy.write"]})),
            _ => {}
        }
        token
    }
}
