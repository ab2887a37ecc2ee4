//! Steps: each kind of request of a browser, with a deployment and a browser in the state that the request needs. Tests run
//! every step with injected errors and with steps of the clock, and compare the lines of the log.

use testing::Response;

use super::{JOHN, SECRET_PASSWORD, page, query};

mod scenario;

pub use scenario::{Scenario, calls_of};

pub const ANNA: &str = "anna@itccompliance.co.uk";
/// The user for guesses, which no other step changes.
const GUESSED: &str = "guessed@itccompliance.co.uk";
/// A user with an imported hash, and the password.
const IMPORTED: (&str, &str) = ("imported@itccompliance.co.uk", "correct horse 9");

/// The parameters by which a client recognises its request.
pub const STATE: &str = "CANARYstate";
pub const NONCE: &str = "CANARYnonce";
pub const HINT: &str = "CANARYhint";

/// A request of a browser, and the state before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An authorization request of a browser that is not signed in.
    LoginPage,
    /// An authorization request that the client sends as a form.
    PostedRequest,
    UnknownClient,
    ForeignRedirectUri,
    UnknownScope,
    /// An authorization request that needs a consent.
    ConsentPage,
    /// An authorization request that gets a code without a page.
    Authorize,
    /// The same with `prompt=none`.
    Silent,
    /// `prompt=none` without a session.
    SilentWithoutSession,
    Login,
    /// A login by the user of the session.
    Renewal,
    /// A login by another user than that of the session.
    OtherUser,
    /// A login that replaces an imported password hash.
    ImportedHash,
    WrongPassword,
    UnknownUser,
    /// A login while the account is blocked.
    Blocked,
    /// A login by another user than that of the `id_token_hint`.
    UnexpectedUser,
    Cancel,
    Consent,
    Deny,
    Account,
    AccountWithoutSession,
    Remove,
    Limit,
    SignOut,
    SignOutEverywhere,
    /// A form that another site sends.
    ForeignForm,
    /// A sign-out that the user has to confirm.
    LogoutPage,
    /// A sign-out by a client with an ID token of the session.
    Logout,
    LogoutWithoutSession,
}

/// All steps, each with the outcome of its response and the event of its line.
pub const STEPS: &[(Step, &str, &str)] = &[
    (Step::LoginPage, "login", "authorize"),
    (Step::PostedRequest, "/oauth/authorize", "authorize"),
    (Step::UnknownClient, "error client", "authorize"),
    (Step::ForeignRedirectUri, "error redirect_uri", "authorize"),
    (Step::UnknownScope, "invalid_scope", "authorize"),
    (Step::ConsentPage, "consent", "authorize"),
    (Step::Authorize, "code", "authorize"),
    (Step::Silent, "code", "authorize"),
    (Step::SilentWithoutSession, "login_required", "authorize"),
    (Step::Login, "/oauth/authorize", "login"),
    (Step::Renewal, "/oauth/authorize", "login"),
    (Step::OtherUser, "/oauth/authorize", "login"),
    (Step::ImportedHash, "/oauth/authorize", "login"),
    (Step::WrongPassword, "login credentials", "login"),
    (Step::UnknownUser, "login credentials", "login"),
    (Step::Blocked, "login throttled", "login"),
    (Step::UnexpectedUser, "login other_account", "login"),
    (Step::Cancel, "access_denied", "login"),
    (Step::Consent, "code", "consent"),
    (Step::Deny, "access_denied", "consent"),
    (Step::Account, "account", "account"),
    (Step::AccountWithoutSession, "login", "account"),
    (Step::Remove, "/account", "account"),
    (Step::Limit, "/account", "account"),
    (Step::SignOut, "/oauth/logout", "account"),
    (Step::SignOutEverywhere, "/oauth/logout", "account"),
    (Step::ForeignForm, "error cross_site", "account"),
    (Step::LogoutPage, "sign-out", "logout"),
    (Step::Logout, "https://crm.example/bye", "logout"),
    (Step::LogoutWithoutSession, "signed-out", "logout"),
];

/// Returns the steps that change the state of the deployment for the user or the client.
pub fn steps_with_effect() -> impl Iterator<Item = Step> {
    STEPS.iter().map(|(step, _, _)| *step).filter(|step| step.issues_code() || step.signs_in() || step.ends().is_some())
}

/// The things that a step ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The session of the cookie.
    Session,
    /// The secret of the cookie. Its session continues with another one.
    Secret,
    /// The consent for the client `crm`.
    Consent,
    /// The consent has an end now.
    UnlimitedConsent,
}

impl Step {
    /// Returns the outcome of the response, if no call fails.
    pub fn outcome(self) -> &'static str {
        STEPS.iter().find(|(step, _, _)| *step == self).unwrap().1
    }

    pub fn issues_code(self) -> bool {
        self.outcome() == "code"
    }

    pub fn signs_in(self) -> bool {
        matches!(self, Self::Login | Self::Renewal | Self::OtherUser | Self::ImportedHash)
    }

    pub fn ends(self) -> Option<Ended> {
        match self {
            Self::OtherUser | Self::SignOut | Self::SignOutEverywhere | Self::Logout => Some(Ended::Session),
            Self::Renewal => Some(Ended::Secret),
            Self::Remove => Some(Ended::Consent),
            Self::Limit => Some(Ended::UnlimitedConsent),
            _ => None,
        }
    }

    /// Returns true if the browser is not signed in before the step.
    fn begins_signed_out(self) -> bool {
        matches!(
            self,
            Self::LoginPage
                | Self::SilentWithoutSession
                | Self::Login
                | Self::ImportedHash
                | Self::AccountWithoutSession
                | Self::LogoutWithoutSession
        )
    }

    /// Returns the username and the password of the form, if the step is a login.
    fn typed(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Login | Self::Renewal | Self::Cancel => Some((JOHN, SECRET_PASSWORD)),
            Self::OtherUser | Self::UnexpectedUser => Some((ANNA, SECRET_PASSWORD)),
            Self::ImportedHash => Some(IMPORTED),
            Self::WrongPassword | Self::Blocked => Some((GUESSED, IMPORTED.1)),
            Self::UnknownUser => Some(("unknown@itccompliance.co.uk", IMPORTED.1)),
            _ => None,
        }
    }

    /// Returns the username of the form, if the step is a login.
    pub fn username(self) -> Option<&'static str> {
        self.typed().map(|(username, _)| username)
    }

    /// Returns the path of the request without its query.
    fn path(self) -> &'static str {
        match self {
            _ if self.typed().is_some() => "/oauth/login",
            Self::Consent | Self::Deny => "/oauth/consent",
            Self::Account | Self::AccountWithoutSession => "/account",
            Self::Remove | Self::ForeignForm => "/account/remove",
            Self::Limit => "/account/limit",
            Self::SignOut => "/account/sign-out",
            Self::SignOutEverywhere => "/account/sign-out-everywhere",
            Self::LogoutPage | Self::Logout | Self::LogoutWithoutSession => "/oauth/logout",
            _ => "/oauth/authorize",
        }
    }

    /// Returns the authorization request of the step.
    fn request(self, id_token: &str) -> String {
        let client_id = if [Self::Authorize, Self::Silent].contains(&self) { "portal" } else { "crm" };
        let scope = if self == Self::UnknownScope { "CANARYscope" } else { "openid" };
        let mut others = vec![("nonce", NONCE), ("login_hint", HINT)];
        match self {
            Self::Silent | Self::SilentWithoutSession => others.push(("prompt", "none")),
            Self::UnexpectedUser => others.push(("id_token_hint", id_token)),
            _ => {}
        }
        let request = query(client_id, scope, &others).replace("state=st-1", &format!("state={STATE}"));
        match self {
            Self::UnknownClient => request.replace("client_id=crm", "client_id=CANARYclient"),
            Self::ForeignRedirectUri => request.replace("crm.example", "CANARYhost.example"),
            _ => request,
        }
    }
}

/// Returns the outcome of a response: the page with its error; `code`, or the error at the client; or the location
/// without its query.
pub fn outcome(response: &Response) -> String {
    let Some(location) = response.header("location") else {
        let (page, error) = page(response);
        return [page, error].into_iter().flatten().collect::<Vec<_>>().join(" ");
    };
    if location.contains("?code=") {
        return "code".to_owned();
    }
    let error = location.split_once("?error=").map(|(_, rest)| rest.split('&').next().unwrap());
    error.unwrap_or_else(|| location.split('?').next().unwrap()).to_owned()
}
