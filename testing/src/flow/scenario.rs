//! Runs of flows.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::password_hash::hash_client_secret;
use countersign::throttle::Subject;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Flow, GUESSED_CLIENT, GUESSED_SECRET, GUESSED_USERNAME};
use crate::deployment::{PASSWORD, TestApp, active_generation, with_pages};
use crate::fault_proxy::FaultProxy;
use crate::response::Response;

/// A flow with a deployment that is ready for it: one execution environment, behind a proxy.
pub struct Scenario {
    pub flow: Flow,
    pub test: TestApp,
    pub proxy: FaultProxy,
    /// The token or the code that the caller presents, if there is one.
    pub token: Option<String>,
}

impl Scenario {
    /// Prepares a deployment without faults, with the timeouts of the function.
    pub async fn prepare(flow: Flow) -> Self {
        Self::begin(flow, async |start, proxy| start.behind(proxy).await).await
    }

    /// Prepares a deployment for runs in which no call is lost or slow. Its timeouts are long, because on a busy machine a
    /// call can exceed those of the function.
    pub async fn prepare_with_long_timeouts(flow: Flow) -> Self {
        Self::begin(flow, async |start, proxy| start.behind_with_long_timeouts(proxy).await).await
    }

    /// Prepares a deployment. Its hashes are cheap, because the runs are about calls.
    async fn begin(flow: Flow, behind: impl AsyncFnOnce(&TestApp, &FaultProxy) -> TestApp) -> Self {
        let start = TestApp::start_with_cheap_hashes_and(with_pages).await;
        put_guessed_records(&start, flow);
        let proxy = FaultProxy::before(&start).await;
        let test = behind(&start, &proxy).await;
        if flow != Flow::ColdStart {
            test.app.warm_up().await;
        }
        let token = flow.prepare(&test).await;
        Self { flow, test, proxy, token }
    }

    /// Starts the execution environment if it is not running yet, and sends the request.
    pub async fn start_and_send(&self) -> Response {
        self.start().await;
        self.send().await
    }

    /// Starts the execution environment if it is not running yet.
    pub async fn start(&self) {
        if self.flow == Flow::ColdStart {
            self.test.app.warm_up().await;
        }
    }

    /// Sends the request.
    pub async fn send(&self) -> Response {
        self.flow.send(&self.test, self.token.as_deref()).await
    }

    /// Returns an error of the state after these responses, if there is one. The proxy must have no faults.
    pub async fn check_state(&self, responses: &[&Response]) -> Option<String> {
        self.check_guesses(responses).or(match self.flow {
            Flow::Password | Flow::NewNetwork | Flow::ImportedHash | Flow::ResumeImportedHash | Flow::CookieLogin => {
                self.check_logins(responses).await
            }
            Flow::AssertionRefresh | Flow::Refresh | Flow::Retry | Flow::CookieRefresh | Flow::CodeRefresh => {
                self.check_successor(responses).await
            }
            Flow::RefreshForLostScope => {
                let active = self.active_generation(self.token.as_deref()?).await;
                (active != Some(0)).then(|| format!("a rejected request used the token: {active:?} is active"))
            }
            Flow::Replay | Flow::RolledBack | Flow::RevokedFamily | Flow::DisabledUser | Flow::CookieReplay => {
                self.test.change_user(&json!({}));
                let active = self.active_generation(self.token.as_deref()?).await;
                active.map(|generation| format!("the family is not revoked: {generation} is active"))
            }
            Flow::Exchange => self.check_exchange(responses).await,
            Flow::ReplayedCode => {
                let revoked = self.revoked_families();
                (revoked != [true]).then(|| format!("the family is not revoked: {revoked:?}"))
            }
            Flow::Revoke | Flow::RevokeAll | Flow::RevokeServiceToken => self.check_revocation(responses).await,
            Flow::CookieLogOut => {
                let active = self.active_generation(self.token.as_deref()?).await;
                let is_done = responses.iter().any(|response| response.status == 200);
                (is_done && active.is_some()).then(|| "the login of the cookie continues".to_owned())
            }
            _ => None,
        })
    }

    /// Returns an error if a guess with a result was not counted. A guess without a result may have been counted.
    fn check_guesses(&self, responses: &[&Response]) -> Option<String> {
        let (subject, least) = match self.flow {
            Flow::BlockedGuess => (Subject::account(GUESSED_USERNAME), Some(12)),
            // A result without a count is allowed during an outage. The last response came after it.
            flow if flow.guesses_client_secret() => (Subject::client(GUESSED_CLIENT), Some(1)),
            flow => {
                let results = responses.iter().filter(|response| response.status < 500).count();
                (Subject::account(flow.guessed_account()?), (results > 0).then(|| u64::try_from(results).unwrap()))
            }
        };
        let item = self.test.cloud.item("GrantsTable", &json!({"id": subject.item_id()})).unwrap();
        let failures = item.map(|item| item["failures"]["N"].as_str().unwrap().parse::<u64>().unwrap());
        let is_counted = match self.flow.error_response() {
            None => failures == least.map(|_| 0),
            Some((429, _)) => failures == least,
            Some(_) => failures >= least,
        };
        (!is_counted).then(|| format!("{failures:?} failures were counted"))
    }

    /// A second exchange is a replay, and ends the login.
    async fn check_exchange(&self, responses: &[&Response]) -> Option<String> {
        let issued: Vec<_> = responses.iter().filter(|response| response.status == 200).collect();
        let is_replayed = responses.last().is_some_and(|last| last.status == 400);
        let is_active = match issued[..] {
            [] => self.revoked_families() == [false],
            [only] => self.flow.refresh(&self.test, &only.refresh_token()).await.status == 200,
            _ => return Some("one code was exchanged twice".to_owned()),
        };
        (is_active == is_replayed).then(|| format!("active: {is_active}, replayed: {is_replayed}"))
    }

    /// Returns the attribute `revoked` of each family.
    fn revoked_families(&self) -> Vec<bool> {
        self.test.items("GrantsTable").iter().filter_map(|item| item["revoked"]["BOOL"].as_bool()).collect()
    }

    async fn check_revocation(&self, responses: &[&Response]) -> Option<String> {
        let is_revoked = responses.iter().any(|response| response.status == 200);
        let response = self.test.introspect(self.flow.owner(), self.token.as_deref()?).await;
        let is_active = response.body["active"] != false;
        (is_revoked && is_active).then(|| format!("a revoked token: {:?}", response.bytes))
    }

    async fn check_logins(&self, responses: &[&Response]) -> Option<String> {
        for response in responses.iter().filter(|response| response.status == 200) {
            let refreshed = self.flow.refresh(&self.test, &response.refresh_token()).await;
            if refreshed.status != 200 {
                return Some(format!("the refresh token of a login is not valid: {:?}", refreshed.bytes));
            }
        }
        None
    }

    async fn check_successor(&self, responses: &[&Response]) -> Option<String> {
        let issued: Vec<_> = responses.iter().filter(|response| response.status == 200).collect();
        let successor = issued.first()?.refresh_token();
        if issued.iter().any(|response| response.refresh_token() != successor) {
            return Some("one token has two successors".to_owned());
        }
        let next = self.flow.refresh(&self.test, &successor).await;
        if next.status != 200 {
            return Some(format!("the successor is not valid: {:?}", next.bytes));
        }
        let active = self.active_generation(&successor).await;
        // The exchange of a code makes generation 1.
        let expected = if self.flow == Flow::CodeRefresh { 3 } else { 2 };
        (active != Some(expected)).then(|| format!("generation {active:?} is active instead of {expected}"))
    }

    async fn active_generation(&self, token: &str) -> Option<u32> {
        self.proxy.settle().await;
        self.test.active_generation(token)
    }
}

/// Stores the user and the client for guesses.
fn put_guessed_records(test: &TestApp, flow: Flow) {
    let hash = |secret: &str| test.app.hasher.hash(secret).unwrap().as_str().to_owned();
    let user = json!({"username": GUESSED_USERNAME, "user_id": "guessed", "enabled": true,
        "password_hash": hash(PASSWORD)});
    test.cloud.put("UsersTable", &user).unwrap();
    let secret = if flow.guesses_client_secret() { hash(GUESSED_SECRET) } else { hash_client_secret(GUESSED_SECRET) };
    let client = json!({"client_id": GUESSED_CLIENT, "enabled": true, "grant_types": ["client_credentials"],
        "scopes": ["legacy:*"], "default_scopes": ["legacy:read"], "secrets": [{"hash": secret}]});
    test.cloud.put("ClientsTable", &client).unwrap();
}

/// Returns the calls of a flow without faults, each with its position among the calls of its name.
pub async fn calls_of(flow: Flow) -> Vec<(String, usize)> {
    let scenario = Scenario::prepare_with_long_timeouts(flow).await;
    let proxy = &scenario.proxy;
    proxy.arm(None);
    let response = scenario.start_and_send().await;
    assert!(flow.is_expected(&response), "{flow:?}: {:?}", response.bytes);
    sleep(Duration::from_millis(100)).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let number = |call: String| {
        let count = counts.entry(call.clone()).or_default();
        *count += 1;
        (call, *count)
    };
    proxy.calls().into_iter().map(number).collect()
}

/// Returns true if the store has the family that the tokens of a response name, not revoked and with the generation of
/// the refresh token. Returns `None` if the response has no tokens of a login.
pub fn login_is_recorded(test: &TestApp, response: &Response) -> Option<bool> {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let payload = response.body["access_token"].as_str()?.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&decode(payload)).unwrap();
    let jti = decode(claims["jti"].as_str().unwrap());
    let family = jti.get(..16).filter(|_| jti.len() == 32)?;
    let issued = match response.issued_refresh_token() {
        Some(token) => decode(token.strip_prefix("cs_rt_").unwrap()),
        None => [&[1], family, &[0; 4]].concat(),
    };
    let generation = u32::from_be_bytes(issued[17..21].try_into().unwrap());
    let stored = test.find_family_by_id(family);
    Some(issued[1..17] == *family && stored.is_some_and(|stored| active_generation(&stored) == Some(generation)))
}
