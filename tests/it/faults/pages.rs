//! Faults at every call of the steps of a browser. Each run is a step in a separate deployment, behind a fault proxy and
//! with the timeouts of the function.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::json;
use testing::{Fault, FaultKind, FaultProxy, Response};
use tokio::task::JoinSet;

use crate::browser::{Browser, CASES, JOHN, SECRET_PASSWORD, VERIFIER, page, parameter, query, set_cookie};

/// A step, which is one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// An authorization request of a browser that is signed in.
    Authorize,
    Login,
    Consent,
    Remove,
    SignOut,
    SignOutEverywhere,
}

const STEPS: [Step; 6] =
    [Step::Authorize, Step::Login, Step::Consent, Step::Remove, Step::SignOut, Step::SignOutEverywhere];

const KINDS: [FaultKind; 3] =
    [FaultKind::ResetAfter, FaultKind::HangAfter, FaultKind::Error(400, "ThrottlingException")];

/// The number of concurrent runs. Most of them wait.
const WORKERS: usize = 12;

/// A step, with a browser that is ready for it.
struct Scenario {
    step: Step,
    browser: Browser,
    proxy: FaultProxy,
    path: String,
    query: String,
    confirm: String,
}

impl Scenario {
    async fn prepare(step: Step) -> Self {
        let mut browser = Browser::start().await;
        let proxy = FaultProxy::before(&browser.test).await;
        browser.test = browser.test.behind(&proxy).await;
        browser.test.app.warm_up().await;
        if step != Step::Login {
            browser.sign_in(JOHN).await;
        }
        let query = query(if step == Step::Authorize { "portal" } else { "crm" }, "openid", &[]);
        if step == Step::Remove {
            browser.code(&query).await;
        }
        let (path, confirm) = match step {
            Step::Authorize => (format!("/oauth/authorize?{query}"), String::new()),
            Step::Login => ("/oauth/login".to_owned(), String::new()),
            Step::Consent => (format!("/oauth/consent?{query}"), browser.confirm(&query).await),
            Step::Remove => ("/account/remove".to_owned(), browser.account_confirm().await),
            Step::SignOut => ("/account/sign-out".to_owned(), browser.account_confirm().await),
            Step::SignOutEverywhere => ("/account/sign-out-everywhere".to_owned(), browser.account_confirm().await),
        };
        // So that the step also writes the use of the session.
        browser.test.advance_clock(301);
        Self { step, browser, proxy, path, query, confirm }
    }

    async fn send(&mut self) -> Response {
        let confirm = ("confirm", self.confirm.as_str());
        let fields = match self.step {
            Step::Authorize => return self.browser.get(&self.path).await,
            Step::Login => vec![("username", JOHN), ("password", SECRET_PASSWORD)],
            Step::Consent => vec![confirm, ("decision", "grant"), ("for", "none")],
            Step::Remove => vec![confirm, ("client_id", "crm")],
            Step::SignOut | Step::SignOutEverywhere => vec![confirm],
        };
        self.browser.post(&self.path, &fields).await
    }

    async fn is_signed_in(&mut self) -> bool {
        page(&self.browser.get("/account").await).0.as_deref() == Some("account")
    }

    /// Asserts that a response has its effect. The proxy must have no faults.
    async fn assert_effect(&mut self, response: &Response, run: &str) {
        assert_eq!(response.status, 303, "{run}: {:?}", response.bytes);
        match self.step {
            Step::Authorize | Step::Consent => {
                let code = parameter(response, "code").unwrap_or_else(|| panic!("{run}: no code"));
                self.browser.exchange(&self.query, &code, VERIFIER).await.assert_issued(2);
            }
            Step::Login => assert!(self.is_signed_in().await, "{run}"),
            Step::Remove => {
                let owner = json!({"id": "owner#1042"});
                let owner = self.browser.test.cloud.item("GrantsTable", &owner).unwrap().unwrap();
                assert!(owner.get("c#crm").is_none(), "{run}: {owner}");
            }
            Step::SignOut | Step::SignOutEverywhere => assert!(!self.is_signed_in().await, "{run}"),
        }
    }
}

async fn calls_of(step: Step) -> Vec<(String, usize)> {
    let mut scenario = Scenario::prepare(step).await;
    scenario.proxy.arm(None);
    let response = scenario.send().await;
    scenario.proxy.settle().await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for call in scenario.proxy.calls() {
        let count = counts.entry(call.clone()).or_default();
        *count += 1;
        calls.push((call, *count));
    }
    scenario.assert_effect(&response, &format!("{step:?}")).await;
    calls
}

/// Makes one run. Returns true if the response was a 503.
async fn run(step: Step, fault: Fault) -> bool {
    let mut scenario = Scenario::prepare(step).await;
    let cookie = scenario.browser.cookie.clone();
    let run = format!("{step:?}: {fault:?}");
    scenario.proxy.arm([fault]);
    let response = scenario.send().await;
    scenario.proxy.stop_failing().await;
    scenario.proxy.settle().await;
    if response.status == 503 {
        assert_eq!(page(&response).1.as_deref(), Some("unavailable"), "{run}");
        assert_eq!((set_cookie(&response), response.header("location")), (None, None), "{run}");
        assert_eq!(scenario.browser.cookie, cookie, "{run}");
        // The next request works. A step that happened in spite of the 503 has ended the session.
        let next = scenario.send().await;
        let ends = [Step::SignOut, Step::SignOutEverywhere].contains(&step);
        if !ends || scenario.is_signed_in().await {
            scenario.assert_effect(&next, &run).await;
        }
        return true;
    }
    scenario.assert_effect(&response, &run).await;
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn s_830_a_fault_at_a_step_of_the_browser_is_a_page_and_no_effect_is_promised_without_its_items() {
    LazyLock::force(&CASES);
    let mut open = Vec::new();
    for step in STEPS {
        for (call, nth) in calls_of(step).await {
            for kind in KINDS {
                open.extend([false, true].map(|lasting| (step, Fault { call: call.clone(), nth, kind, lasting })));
            }
        }
    }
    let (count, mut unavailable, mut runs) = (open.len(), 0, JoinSet::new());
    for (step, fault) in open {
        if runs.len() == WORKERS {
            unavailable += usize::from(runs.join_next().await.unwrap().unwrap());
        }
        runs.spawn(run(step, fault));
    }
    while let Some(result) = runs.join_next().await {
        unavailable += usize::from(result.unwrap());
    }
    assert!(unavailable > 0);
    println!(
        "faults: S-830 steps of a browser: {count} combinations, {unavailable} of them with the page of an outage"
    );
}
