//! Flows: what a caller requests, each of a deployment in the state for it. They are tried under every fault and every
//! step of the clock.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::contract::CONTRACT;
use crate::deployment::{APPLICATION, OLD, PASSWORD, SERVICE, TestApp, USERNAME};
use crate::fault_proxy::FaultProxy;
use crate::response::Response;

/// The user and the client of wrong guesses: what they cost an account is not to change any other flow.
const GUESSED_USERNAME: &str = "guessed@itccompliance.co.uk";
const GUESSED_CLIENT: &str = "guessed-client";
const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// A request of a caller, and the state of the deployment before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    ClientCredentials,
    /// The first request of an execution environment, and its start.
    ColdStart,
    /// The signing keys are due to be reloaded, beside the request.
    Reload,
    /// The signing keys are too old to be used without a reload.
    Resume,
    WrongClientSecret,
    /// A wrong secret for a client whose secret was imported: it costs a slow hash.
    WrongImportedSecret,
    DisabledClient,
    Password,
    /// A login through a client that may not refresh.
    PasswordOnly,
    WrongPassword,
    UnknownUser,
    /// A login that replaces the hash of an imported password.
    OldHash,
    /// The same, and the signing keys are too old to be used without a reload.
    ResumedOldHash,
    Refresh,
    /// For a scope that the user has lost since the login.
    RefreshForLostScope,
    /// A refresh token that was used within the grace.
    Retry,
    /// A refresh token that was used before the grace.
    Replay,
    /// A refresh token that is ahead of its family, because the table was rolled back.
    RolledBack,
    RevokedFamily,
    DisabledUser,
}

pub const FLOWS: [Flow; 20] = [
    Flow::ClientCredentials,
    Flow::ColdStart,
    Flow::Reload,
    Flow::Resume,
    Flow::WrongClientSecret,
    Flow::WrongImportedSecret,
    Flow::DisabledClient,
    Flow::Password,
    Flow::PasswordOnly,
    Flow::WrongPassword,
    Flow::UnknownUser,
    Flow::OldHash,
    Flow::ResumedOldHash,
    Flow::Refresh,
    Flow::RefreshForLostScope,
    Flow::Retry,
    Flow::Replay,
    Flow::RolledBack,
    Flow::RevokedFamily,
    Flow::DisabledUser,
];

impl Flow {
    /// The error response of the flow when nothing is broken; `None` is a token.
    pub fn error_response(self) -> Option<(u16, &'static str)> {
        match self {
            Self::WrongClientSecret | Self::WrongImportedSecret | Self::DisabledClient => Some((401, "invalid_client")),
            Self::WrongPassword
            | Self::UnknownUser
            | Self::Replay
            | Self::RolledBack
            | Self::RevokedFamily
            | Self::DisabledUser => Some((400, "invalid_grant")),
            Self::RefreshForLostScope => Some((400, "invalid_scope")),
            _ => None,
        }
    }

    pub fn is_right(self, response: &Response) -> bool {
        match self.error_response() {
            None => response.status == 200,
            Some((status, error)) => response.status == status && response.body["error"] == error,
        }
    }

    /// Returns true if the flow writes to the table of grants before it responds.
    pub fn writes_family(self) -> bool {
        matches!(
            self,
            Self::Password
                | Self::PasswordOnly
                | Self::OldHash
                | Self::ResumedOldHash
                | Self::Refresh
                | Self::Replay
                | Self::RolledBack
                | Self::DisabledUser
        )
    }

    /// Returns true if the caller presents a refresh token that was not used before.
    pub fn presents_unused_token(self) -> bool {
        matches!(self, Self::Refresh | Self::RefreshForLostScope | Self::RolledBack | Self::DisabledUser)
    }

    /// Brings the deployment into its state. Returns the refresh token that the caller has, if it has one.
    async fn prepare(self, test: &TestApp) -> Option<String> {
        match self {
            Self::Reload => test.pass(250),
            Self::Resume | Self::ResumedOldHash => test.pass(1000),
            Self::DisabledClient => {
                // An active client first, in case anything about it is remembered.
                test.form(SERVICE, &GRANT).await.assert_issued(2);
                test.change_client(SERVICE.0, &json!({"enabled": false}));
            }
            Self::PasswordOnly => test.change_client(APPLICATION.0, &json!({"grant_types": ["password"]})),
            Self::Refresh
            | Self::RefreshForLostScope
            | Self::Retry
            | Self::Replay
            | Self::RolledBack
            | Self::RevokedFamily
            | Self::DisabledUser => {
                let token = test.log_in().await;
                return Some(self.prepare_family(test, token).await);
            }
            _ => {}
        }
        None
    }

    /// Brings the family of a login into its state. Returns the refresh token that the caller presents.
    async fn prepare_family(self, test: &TestApp, token: String) -> String {
        match self {
            Self::Retry => drop(test.refresh(&token).await.refresh_token()),
            Self::Replay => {
                test.refresh(&token).await.refresh_token();
                test.pass(60);
            }
            Self::RolledBack => {
                let before = test.family(&token);
                let successor = test.refresh(&token).await.refresh_token();
                test.put_back("GrantsTable", &before);
                return successor;
            }
            Self::RevokedFamily => {
                let successor = test.refresh(&token).await.refresh_token();
                test.pass(60);
                test.refresh(&token).await.assert_error(400, "invalid_grant");
                return successor;
            }
            Self::DisabledUser => test.change_user(&json!({"enabled": false})),
            Self::RefreshForLostScope => test.change_user(&json!({"scopes": ["legacy:autonomy.write"]})),
            _ => {}
        }
        token
    }

    async fn request(self, test: &TestApp, token: Option<&str>) -> Response {
        match self {
            Self::ClientCredentials | Self::ColdStart | Self::Reload | Self::Resume | Self::DisabledClient => {
                test.form(SERVICE, &GRANT).await
            }
            Self::WrongClientSecret | Self::WrongImportedSecret => {
                test.form((GUESSED_CLIENT, "a wrong secret"), &GRANT).await
            }
            Self::Password | Self::PasswordOnly => test.password(USERNAME, PASSWORD).await,
            Self::WrongPassword => test.password(GUESSED_USERNAME, OLD.1).await,
            Self::UnknownUser => test.password("nobody@itccompliance.co.uk", PASSWORD).await,
            Self::OldHash | Self::ResumedOldHash => test.password(OLD.0, OLD.1).await,
            Self::RefreshForLostScope => test.refresh_for(token.unwrap(), "legacy:autonomy.read").await,
            _ => test.refresh(token.unwrap()).await,
        }
    }

    /// Returns what is wrong with the state that the responses of a run led to, when everything works again.
    pub async fn aftermath(
        self,
        test: &TestApp,
        token: Option<&str>,
        run: &[&Response],
        proxy: &FaultProxy,
    ) -> Option<String> {
        match self {
            Self::Password | Self::OldHash | Self::ResumedOldHash => {
                for response in run.iter().filter(|response| response.status == 200) {
                    let refreshed = test.refresh(&response.refresh_token()).await;
                    if refreshed.status != 200 {
                        return Some(format!("a login's refresh token does not work: {:?}", refreshed.bytes));
                    }
                }
                None
            }
            Self::Refresh | Self::Retry => {
                let successors: Vec<_> = run.iter().filter(|response| response.status == 200).collect();
                let successor = successors.first()?.refresh_token();
                if successors.iter().any(|response| response.refresh_token() != successor) {
                    return Some("two successors of one token".to_owned());
                }
                let third = test.refresh(&successor).await;
                if third.status != 200 {
                    return Some(format!("the successor does not work: {:?}", third.bytes));
                }
                proxy.settle().await;
                let active = active_generation(&test.family(&successor));
                (active != Some(2)).then(|| format!("generation {active:?} is active, and not 2"))
            }
            Self::RefreshForLostScope => {
                proxy.settle().await;
                let active = active_generation(&test.family(token?));
                (active != Some(0)).then(|| format!("generation {active:?} is active: a rejected request consumed"))
            }
            Self::Replay | Self::RolledBack | Self::RevokedFamily | Self::DisabledUser => {
                test.change_user(&json!({}));
                proxy.settle().await;
                let active = active_generation(&test.family(token?));
                active.map(|generation| format!("the family was not revoked, and has generation {generation}"))
            }
            _ => None,
        }
    }
}

/// Returns the active generation of a stored family, or nothing if the family was revoked.
pub fn active_generation(family: &Value) -> Option<u32> {
    let generation = family["generation"]["N"].as_str().unwrap().parse().unwrap();
    (family["revoked"]["BOOL"] == false).then_some(generation)
}

/// Returns whether the store has the family of a login that a response issues tokens for, not revoked, and with the
/// generation of the refresh token, if there is one. `None` if the response is not about a login.
pub fn recorded(test: &TestApp, response: &Response) -> Option<bool> {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let payload = response.body["access_token"].as_str()?.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&decode(payload)).unwrap();
    let jti = decode(claims["jti"].as_str().unwrap());
    let family = jti.get(..16).filter(|_| jti.len() == 32)?;
    let issued = match response.body["refresh_token"].as_str() {
        Some(token) => decode(token.strip_prefix("cs_rt_").unwrap()),
        None => [&[1], family, &[0; 4]].concat(),
    };
    let generation = u32::from_be_bytes(issued[17..21].try_into().unwrap());
    let stored = test.find_family_by_id(family);
    Some(issued[1..17] == *family && stored.is_some_and(|stored| active_generation(&stored) == Some(generation)))
}

/// A flow that can begin.
pub struct Stage {
    pub flow: Flow,
    pub test: TestApp,
    pub proxy: FaultProxy,
    /// The refresh token that the caller has, if it has one.
    pub token: Option<String>,
}

impl Stage {
    /// Sets up one execution environment behind a proxy, in the flow's state, with nothing broken yet. Its hashes are
    /// cheap: the runs are about calls.
    pub async fn set(flow: Flow) -> Self {
        // Read by now, so that the first request is not measured with it.
        LazyLock::force(&CONTRACT);
        let start = TestApp::start_with_cheap_hashes().await;
        put_guessed_records(&start, flow);
        let proxy = FaultProxy::before(&start).await;
        let test = start.behind(&proxy).await;
        if flow != Flow::ColdStart {
            test.app.warm_up().await;
        }
        let token = flow.prepare(&test).await;
        Self { flow, test, proxy, token }
    }

    /// Starts the execution environment, if it is not running yet, and sends the request for the first time.
    pub async fn ask(&self) -> Response {
        self.start().await;
        self.request_again().await
    }

    /// Starts the execution environment, if it is not running yet.
    pub async fn start(&self) {
        if self.flow == Flow::ColdStart {
            self.test.app.warm_up().await;
        }
    }

    /// Sends the request.
    pub async fn request_again(&self) -> Response {
        self.flow.request(&self.test, self.token.as_deref()).await
    }

    /// Returns what is wrong with the state that these responses led to, when everything works again.
    pub async fn aftermath(&self, responses: &[&Response]) -> Option<String> {
        self.flow.aftermath(&self.test, self.token.as_deref(), responses, &self.proxy).await
    }
}

/// Stores the user and the client of wrong guesses.
fn put_guessed_records(test: &TestApp, flow: Flow) {
    let hash = |secret: &str| test.app.hasher.hash(secret).unwrap().as_str().to_owned();
    let user = json!({"username": GUESSED_USERNAME, "user_id": "guessed", "enabled": true,
        "password_hash": hash(PASSWORD)});
    test.cloud.put("UsersTable", &user).unwrap();
    let secret = "the right secret";
    let secret = if flow == Flow::WrongImportedSecret {
        hash(secret)
    } else {
        countersign::password_hash::hash_client_secret(secret)
    };
    let client = json!({"client_id": GUESSED_CLIENT, "enabled": true, "grant_types": ["client_credentials"],
        "scopes": ["legacy:*"], "secrets": [{"hash": secret}]});
    test.cloud.put("ClientsTable", &client).unwrap();
}

/// The calls of a flow in which nothing breaks, each with its number among those of its name.
pub async fn calls(flow: Flow) -> Vec<(String, usize)> {
    let stage = Stage::set(flow).await;
    let proxy = &stage.proxy;
    proxy.arm(None);
    let response = stage.ask().await;
    assert!(flow.is_right(&response), "{flow:?}: {:?}", response.bytes);
    sleep(Duration::from_millis(100)).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let number = |call: String| {
        let count = counts.entry(call.clone()).or_default();
        *count += 1;
        (call, *count)
    };
    proxy.calls().into_iter().map(number).collect()
}
