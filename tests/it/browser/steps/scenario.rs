//! Runs of steps.

use std::collections::BTreeMap;

use countersign::throttle::Subject;
use serde_json::{Value, json};
use testing::{FaultProxy, Response, TestApp, form_body};

use super::{ANNA, Ended, GUESSED, IMPORTED, STATE, Step, outcome};
use crate::browser::{Browser, JOHN, VERIFIER, our_form, page, parameter, query};
use crate::cases::pairs;

/// A step with a deployment and a browser that are ready for it.
pub struct Scenario {
    pub step: Step,
    pub browser: Browser,
    pub proxy: FaultProxy,
    /// The cookie before the step.
    pub cookie: Option<String>,
    /// The authorization request.
    pub request: String,
    /// The path of the step with its query.
    pub target: String,
    /// The fields of the form. `None` is a GET.
    pub fields: Option<Vec<(&'static str, String)>>,
    /// An ID token of the session.
    pub id_token: String,
}

impl Scenario {
    /// Prepares a deployment with the timeouts of the function.
    pub async fn prepare(step: Step) -> Self {
        Self::begin(step, async |test, proxy| test.behind(proxy).await).await
    }

    /// Prepares a deployment in which only the deadline ends a request with a call that hangs.
    pub async fn prepare_with_deadline(step: Step) -> Self {
        Self::begin(step, async |test, proxy| test.behind_with_deadline(proxy).await).await
    }

    /// Prepares a deployment with long limits and long timeouts.
    pub async fn prepare_with_long_timeouts(step: Step) -> Self {
        Self::begin(step, async |test, proxy| test.behind_with_long_timeouts(proxy).await).await
    }

    async fn begin(step: Step, behind: impl AsyncFnOnce(&TestApp, &FaultProxy) -> TestApp) -> Self {
        let mut browser = Browser::start().await;
        let proxy = FaultProxy::before(&browser.test).await;
        browser.test = behind(&browser.test, &proxy).await;
        browser.test.app.warm_up().await;
        put_imported_user(&browser.test);
        let mut id_token = String::new();
        if !step.begins_signed_out() {
            browser.sign_in(JOHN).await;
        }
        if matches!(step, Step::Remove | Step::Limit | Step::Account | Step::Logout | Step::UnexpectedUser) {
            let request = query("crm", "openid", &[]);
            let code = browser.code(&request).await;
            let tokens = browser.exchange(&request, &code, VERIFIER).await;
            tokens.body["id_token"].as_str().unwrap().clone_into(&mut id_token);
        }
        let request = step.request(&id_token);
        let confirm = match step.path() {
            "/oauth/consent" => browser.confirm(&request).await,
            path if path.starts_with("/account") => browser.account_confirm().await,
            _ => String::new(),
        };
        // So that the step also writes the use of the session.
        browser.test.advance_clock(301);
        browser.test.app.keyring.load().await.unwrap();
        if step == Step::Blocked {
            block(&browser.test);
        }
        let (cookie, fields) = (browser.cookie.clone(), fields(step, &request, confirm));
        let target = match step.path() {
            _ if step == Step::PostedRequest => "/oauth/authorize".to_owned(),
            "/oauth/logout" if step == Step::Logout => {
                let bye = "https://crm.example/bye";
                let params = [("id_token_hint", &*id_token), ("post_logout_redirect_uri", bye), ("state", STATE)];
                format!("/oauth/logout?{}", form_body(&params))
            }
            path if path.starts_with("/oauth/a") || fields.is_some() && path.starts_with("/oauth") => {
                format!("{path}?{request}")
            }
            path => path.to_owned(),
        };
        Self { step, browser, proxy, cookie, request, target, fields, id_token }
    }

    /// Sends the request.
    pub async fn send(&mut self) -> Response {
        let Some(fields) = &self.fields else { return self.browser.get(&self.target).await };
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if self.step == Step::ForeignForm {
            let mut request = our_form(&self.target);
            request.headers_mut().unwrap().insert("sec-fetch-site", "cross-site".parse().unwrap());
            return self.browser.send(request, &form_body(&fields)).await;
        }
        self.browser.post(&self.target, &fields).await
    }

    /// Returns the user of a cookie, if it is signed in.
    pub async fn user_of(&mut self, cookie: Option<&str>) -> Option<String> {
        let current = std::mem::replace(&mut self.browser.cookie, cookie.map(ToOwned::to_owned));
        let shown = self.browser.get("/account").await;
        self.browser.cookie = current;
        let html = String::from_utf8(shown.bytes.to_vec()).unwrap();
        let users = [JOHN, ANNA, IMPORTED.0].into_iter().find(|user| html.contains(user));
        users.filter(|_| page(&shown).0.as_deref() == Some("account")).map(ToOwned::to_owned)
    }

    /// Removes the injected errors. The next requests run in another execution environment, in which no call is late on a
    /// busy machine.
    pub async fn recover(&mut self) {
        self.proxy.stop_failing().await;
        self.proxy.settle().await;
        self.browser.test = self.browser.test.directly().await;
    }

    /// Asserts that the response of the step has its effect. The proxy must inject no errors.
    pub async fn assert_effect(&mut self, response: &Response, run: &str) {
        assert_eq!(outcome(response), self.step.outcome(), "{run}: {:?}", response.bytes);
        if self.step.issues_code() {
            let code = parameter(response, "code").unwrap();
            self.browser.exchange(&self.request, &code, VERIFIER).await.assert_issued(2);
        }
        if self.step.signs_in() {
            let cookie = self.browser.cookie.clone();
            assert_eq!(self.user_of(cookie.as_deref()).await.as_deref(), self.step.username(), "{run}");
        }
        self.assert_ended(run).await;
    }

    /// Asserts that the state has nothing that the step ended.
    pub async fn assert_ended(&mut self, run: &str) {
        let consent = || {
            let owner = self.browser.test.cloud.item("GrantsTable", &json!({"id": "owner#1042"})).unwrap();
            owner.and_then(|owner| owner.get("c#crm").map(|consent| consent["M"].clone()))
        };
        match self.step.ends() {
            None => {}
            Some(Ended::Session | Ended::Secret) => {
                let cookie = self.cookie.clone();
                assert_eq!(self.user_of(cookie.as_deref()).await, None, "{run}");
            }
            Some(Ended::Consent) => assert_eq!(consent(), None, "{run}"),
            Some(Ended::UnlimitedConsent) => assert!(consent().unwrap()["until"]["N"].is_string(), "{run}"),
        }
    }
}

/// Stores the user with an imported hash.
fn put_imported_user(test: &TestApp) {
    // bcrypt with cost 4.
    let hash = "$2b$04$86k.ml1AKI9sY/7fZlBZ5.0oAzuFCSe8ibnSgAsrQUsHiSrbAqmZO";
    let user = json!({"username": IMPORTED.0, "user_id": "1060", "enabled": true, "password_hash": hash});
    test.cloud.put("UsersTable", &user).unwrap();
}

/// Stores so many failures that the account for guesses is blocked.
fn block(test: &TestApp) {
    let id = Subject::account(GUESSED);
    let attempts: Value = json!({"id": id.item_id(), "failures": 12, "last_at": test.now()});
    test.cloud.put("GrantsTable", &attempts).unwrap();
}

/// Returns the fields of the form of a step.
fn fields(step: Step, request: &str, confirm: String) -> Option<Vec<(&'static str, String)>> {
    let text = |pairs: &[(&'static str, &str)]| {
        let pairs = pairs.iter().map(|(name, value)| (*name, (*value).to_owned()));
        pairs.collect::<Vec<_>>()
    };
    if let Some((username, password)) = step.typed() {
        let mut fields = text(&[("username", username), ("password", password)]);
        fields.extend((step == Step::Cancel).then(|| ("cancel", "1".to_owned())));
        return Some(fields);
    }
    let others = match step {
        Step::PostedRequest => {
            let pairs = pairs(request).into_iter();
            return Some(pairs.map(|(name, value)| (&*name.leak(), value)).collect());
        }
        Step::Consent => text(&[("decision", "grant"), ("for", "none")]),
        Step::Deny => text(&[("decision", "deny"), ("for", "none")]),
        Step::Remove | Step::ForeignForm => text(&[("client_id", "crm")]),
        Step::Limit => text(&[("client_id", "crm"), ("until", "2031-01-31")]),
        Step::SignOut | Step::SignOutEverywhere => vec![],
        _ => return None,
    };
    Some([vec![("confirm", confirm)], others].concat())
}

/// Returns the calls of a step, each with its position among the calls of its name.
pub async fn calls_of(step: Step) -> Vec<(String, usize)> {
    let mut scenario = Scenario::prepare_with_long_timeouts(step).await;
    scenario.proxy.arm(None);
    let response = scenario.send().await;
    scenario.proxy.settle().await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let number = |call: String| {
        let count = counts.entry(call.clone()).or_default();
        *count += 1;
        (call, *count)
    };
    let calls = scenario.proxy.calls().into_iter().map(number).collect();
    scenario.assert_effect(&response, &format!("{step:?}")).await;
    calls
}
