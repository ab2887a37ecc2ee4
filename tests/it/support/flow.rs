//! What callers ask, each of a deployment in the state for it: the flows that are tried under every fault and every
//! step of the clock.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::time::sleep;

use super::{APPLICATION, Answer, FaultProxy, PASSWORD, SERVICE, TestApp, USERNAME};

const OLD_USERNAME: &str = "old.hash@itccompliance.co.uk";
const OLD_PASSWORD: &str = "legacy-pass";

/// What a caller asks, and of a deployment in which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    ClientCredentials,
    /// The first request of an environment, and its start.
    ColdStart,
    /// The signing keys are to be read again, beside the request.
    Reread,
    /// The signing keys are too old to be used unread.
    Thaw,
    WrongClientSecret,
    DisabledClient,
    Password,
    WrongPassword,
    UnknownUser,
    /// A login that replaces the hash of an imported password.
    OldHash,
    Refresh,
    /// For one of the scopes, which waits for the user before the write.
    RefreshForOneScope,
    /// For a scope that the user has lost since the login.
    RefreshForLostScope,
    /// The token once more that was used a moment ago.
    Retry,
    /// The token once more that was used long ago.
    Replay,
    RevokedFamily,
    DisabledUser,
}

pub const FLOWS: [Flow; 17] = [
    Flow::ClientCredentials,
    Flow::ColdStart,
    Flow::Reread,
    Flow::Thaw,
    Flow::WrongClientSecret,
    Flow::DisabledClient,
    Flow::Password,
    Flow::WrongPassword,
    Flow::UnknownUser,
    Flow::OldHash,
    Flow::Refresh,
    Flow::RefreshForOneScope,
    Flow::RefreshForLostScope,
    Flow::Retry,
    Flow::Replay,
    Flow::RevokedFamily,
    Flow::DisabledUser,
];

impl Flow {
    /// What a caller is told when nothing is broken; `None` is a token.
    pub fn refusal(self) -> Option<(u16, &'static str)> {
        match self {
            Self::WrongClientSecret | Self::DisabledClient => Some((401, "invalid_client")),
            Self::WrongPassword | Self::UnknownUser | Self::Replay | Self::RevokedFamily | Self::DisabledUser => {
                Some((400, "invalid_grant"))
            }
            Self::RefreshForLostScope => Some((400, "invalid_scope")),
            _ => None,
        }
    }

    pub fn is_right(self, answer: &Answer) -> bool {
        match self.refusal() {
            None => answer.status == 200,
            Some((status, error)) => answer.status == status && answer.body["error"] == error,
        }
    }

    /// Brings the deployment into its state; yields the refresh token that the caller has, if it has one.
    async fn prepare(self, test: &TestApp) -> Option<String> {
        match self {
            Self::Reread => test.pass(250),
            Self::Thaw => test.pass(1000),
            Self::DisabledClient => {
                // Once in order, for those who remember.
                test.form(SERVICE, &[("grant_type", "client_credentials")]).await.assert_issued(2);
                test.change_client(SERVICE.0, &json!({"enabled": false}));
            }
            Self::Refresh
            | Self::RefreshForOneScope
            | Self::RefreshForLostScope
            | Self::Retry
            | Self::Replay
            | Self::RevokedFamily
            | Self::DisabledUser => {
                let token = test.log_in().await;
                match self {
                    Self::Retry => drop(test.refresh(&token).await.refresh_token()),
                    Self::Replay => {
                        test.refresh(&token).await.refresh_token();
                        test.pass(60);
                    }
                    Self::RevokedFamily => {
                        let successor = test.refresh(&token).await.refresh_token();
                        test.pass(60);
                        test.refresh(&token).await.assert_refused(400, "invalid_grant");
                        return Some(successor);
                    }
                    Self::DisabledUser => test.change_user(&json!({"enabled": false})),
                    Self::RefreshForLostScope => test.change_user(&json!({"scopes": ["legacy:autonomy.write"]})),
                    _ => {}
                }
                return Some(token);
            }
            _ => {}
        }
        None
    }

    async fn request(self, test: &TestApp, token: Option<&str>) -> Answer {
        match self {
            Self::ClientCredentials | Self::ColdStart | Self::Reread | Self::Thaw | Self::DisabledClient => {
                test.form(SERVICE, &[("grant_type", "client_credentials")]).await
            }
            Self::WrongClientSecret => {
                test.form((SERVICE.0, APPLICATION.1), &[("grant_type", "client_credentials")]).await
            }
            Self::Password => test.password(USERNAME, PASSWORD).await,
            Self::WrongPassword => test.password(USERNAME, OLD_PASSWORD).await,
            Self::UnknownUser => test.password("nobody@itccompliance.co.uk", PASSWORD).await,
            Self::OldHash => test.password(OLD_USERNAME, OLD_PASSWORD).await,
            Self::RefreshForOneScope | Self::RefreshForLostScope => {
                test.refresh_for(token.unwrap(), "legacy:autonomy.read").await
            }
            _ => test.refresh(token.unwrap()).await,
        }
    }

    /// What is wrong with what it has all come to, when everything works again.
    pub async fn aftermath(
        self,
        test: &TestApp,
        token: Option<&str>,
        run: &[&Answer],
        proxy: &FaultProxy,
    ) -> Option<String> {
        match self {
            Self::Password | Self::OldHash => {
                for answer in run.iter().filter(|answer| answer.status == 200) {
                    let refreshed = test.refresh(&answer.refresh_token()).await;
                    if refreshed.status != 200 {
                        return Some(format!("a login's refresh token does not work: {:?}", refreshed.bytes));
                    }
                }
                None
            }
            Self::Refresh | Self::RefreshForOneScope | Self::Retry => {
                let successors: Vec<_> = run.iter().filter(|answer| answer.status == 200).collect();
                let successor = successors.first()?.refresh_token();
                if successors.iter().any(|answer| answer.refresh_token() != successor) {
                    return Some("two successors of one token".to_owned());
                }
                let third = test.refresh(&successor).await;
                if third.status != 200 {
                    return Some(format!("the successor does not work: {:?}", third.bytes));
                }
                proxy.settle().await;
                let live = live_generation(test, &successor);
                (live != Some(2)).then(|| format!("generation {live:?} is live, and not 2"))
            }
            Self::RefreshForLostScope => {
                proxy.settle().await;
                let live = live_generation(test, token?);
                (live != Some(0)).then(|| format!("generation {live:?} is live: a refusal consumed"))
            }
            Self::Replay | Self::RevokedFamily | Self::DisabledUser => {
                test.change_user(&json!({}));
                proxy.settle().await;
                let live = live_generation(test, token?);
                live.map(|generation| format!("the family lives on, in generation {generation}"))
            }
            _ => None,
        }
    }
}

fn live_generation(test: &TestApp, token: &str) -> Option<u32> {
    let family = test.find_family(token)?;
    let generation = family["generation"]["N"].as_str().unwrap().parse().unwrap();
    (family["revoked"]["BOOL"] == false).then_some(generation)
}

/// Whether the store has the refresh token of an answer, if there is one, as the live one of its family.
pub fn recorded(test: &TestApp, answer: &Answer) -> Option<bool> {
    let token = answer.body["refresh_token"].as_str()?;
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("cs_rt_").unwrap()).unwrap();
    let generation = u32::from_be_bytes(bytes[17..21].try_into().unwrap());
    Some(live_generation(test, token) == Some(generation))
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
    /// One environment behind a proxy, in the flow's state, with nothing broken yet.
    pub async fn set(flow: Flow) -> Self {
        let start = TestApp::start().await;
        let proxy = FaultProxy::before(&start).await;
        let test = start.behind(&proxy).await;
        if flow != Flow::ColdStart {
            test.app.warm_up().await;
        }
        let token = flow.prepare(&test).await;
        Self { flow, test, proxy, token }
    }

    /// Asks for the first time.
    pub async fn ask(&self) -> Answer {
        if self.flow == Flow::ColdStart {
            self.test.app.warm_up().await;
        }
        self.ask_again().await
    }

    /// Asks the same again.
    pub async fn ask_again(&self) -> Answer {
        self.flow.request(&self.test, self.token.as_deref()).await
    }

    /// What is wrong with what these answers have come to, when everything works again.
    pub async fn aftermath(&self, answers: &[&Answer]) -> Option<String> {
        self.flow.aftermath(&self.test, self.token.as_deref(), answers, &self.proxy).await
    }
}

/// The calls of a flow in which nothing breaks, each with its number among those of its name.
pub async fn calls(flow: Flow) -> Vec<(String, usize)> {
    let stage = Stage::set(flow).await;
    let proxy = &stage.proxy;
    proxy.arm(None);
    let answer = stage.ask().await;
    assert!(flow.is_right(&answer), "{flow:?}: {:?}", answer.bytes);
    sleep(Duration::from_millis(100)).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let number = |call: String| {
        let count = counts.entry(call.clone()).or_default();
        *count += 1;
        (call, *count)
    };
    proxy.calls().into_iter().map(number).collect()
}
