//! Every fault at every call of every flow: what is promised of faults holds whichever call it is that breaks, and
//! however. Each run has a deployment of its own, behind a proxy that breaks calls on the socket, and the function's own
//! patience with it.
//!
//! The runs are made once, and each test looks at them for its promise. They take minutes, most of it waiting, and wait
//! by the clock: `make faults` has them run by themselves.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use countersign::aws;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, timeout};

use crate::cloud;
use crate::support::{
    Answer, FLOWS, Fault, FaultProxy, Flow, LogLines, SERVICE, Stage, TestApp, Verb, calls, recorded,
};

const VERBS: [Verb; 21] = [
    Verb::Refuse,
    Verb::ResetBefore,
    Verb::ResetAfter,
    Verb::CutAnswer,
    Verb::Hang,
    Verb::HangAfter,
    Verb::Late,
    Verb::Stale,
    Verb::Error(400, "ProvisionedThroughputExceededException"),
    Verb::Error(400, "ThrottlingException"),
    Verb::Error(400, "RequestLimitExceeded"),
    Verb::Error(400, "TransactionConflictException"),
    Verb::Error(400, "TransactionInProgressException"),
    Verb::Error(400, "ReplicatedWriteConflictException"),
    Verb::Error(500, "InternalServerError"),
    Verb::Error(503, "ServiceUnavailable"),
    Verb::Error(200, "SomethingElse"),
    Verb::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n<html>Oh</html>"),
    Verb::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    Verb::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
    Verb::Bytes("\u{1}\u{2}\u{3}\r\n\r\n"),
];

/// Runs side by side. Most of them wait; more than these keep each other waiting.
const WORKERS: usize = 12;

/// What was seen in one run.
struct Run {
    flow: Flow,
    fault: Fault,
    /// The answer under the fault, and to the same request when all was well again.
    answer: Answer,
    next: Answer,
    /// How long the answer took.
    took: Duration,
    /// The calls that began after the answer, and before the next request.
    called_later: Vec<String>,
    /// What was logged by the time of the answer.
    log: Vec<Value>,
    /// Of each refresh token that was handed out, whether it was the live one in the store then.
    recorded: Vec<bool>,
    /// What is wrong with the state that all this came to.
    wrong: Option<String>,
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { call, nth, verb, lasting } = &self.fault;
        let from = if *lasting { "from then on" } else { "once" };
        write!(formatter, "{:?}: {call} no. {nth}, {from}: {verb:?}: {:?}", self.flow, self.answer.bytes)
    }
}

impl Run {
    /// Whether the fault is a write's whose answer was lost, once: whoever sends it again hears that it was done.
    fn heals(&self) -> bool {
        let lost = [Verb::ResetAfter, Verb::CutAnswer, Verb::HangAfter];
        !self.fault.lasting && self.fault.is_of_a_write() && lost.contains(&self.fault.verb)
    }

    fn was_healed(&self) -> bool {
        self.flow.is_right(&self.answer)
    }
}

impl Fault {
    fn is_of_a_write(&self) -> bool {
        !self.call.starts_with("Get")
    }

    /// Whether the call is never done, and its failure never healed.
    fn prevents(&self) -> bool {
        let done = [Verb::ResetAfter, Verb::CutAnswer, Verb::HangAfter, Verb::Late, Verb::Stale];
        self.lasting && !done.contains(&self.verb)
    }
}

async fn run(flow: Flow, fault: Fault) -> Run {
    let stage = Stage::set(flow).await;
    let (test, proxy) = (&stage.test, &stage.proxy);
    proxy.arm(Some(fault.clone()));
    let log = LogLines::collect();
    let began = Instant::now();
    // For a start and a request, each of which may wait as long as it may.
    let answer = timeout(Duration::from_secs(30), stage.ask()).await.expect("an answer");
    let took = began.elapsed();
    let log = log.lines();
    // What was sent before the answer may be on its way.
    sleep(Duration::from_millis(30)).await;
    let called = proxy.calls().len();
    sleep(Duration::from_millis(30)).await;
    let called_later = proxy.calls().split_off(called);
    let mut tokens: Vec<_> = recorded(test, &answer).into_iter().collect();
    proxy.mend().await;
    let next = stage.ask_again().await;
    tokens.extend(recorded(test, &next));
    let wrong = stage.aftermath(&[&answer, &next]).await;
    Run { flow, fault, answer, next, took, called_later, log, recorded: tokens, wrong }
}

/// What a thread needs that has a run to itself.
fn alone() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// All runs, made by as many threads as wait well beside each other: each run is one thread's, and so is its log.
static RUNS: LazyLock<Vec<Run>> = LazyLock::new(|| {
    let mut open = Vec::new();
    for flow in FLOWS {
        for (call, nth) in alone().block_on(calls(flow)) {
            for verb in VERBS {
                for lasting in [false, true] {
                    open.push((flow, Fault { call: call.clone(), nth, verb, lasting }));
                }
            }
        }
    }
    let (open, done) = (Arc::new(Mutex::new(open)), Arc::new(Mutex::new(Vec::new())));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (open, done) = (open.clone(), done.clone());
            thread::spawn(move || {
                loop {
                    let next = open.lock().unwrap().pop();
                    let Some((flow, fault)) = next else { break };
                    let name = format!("{flow:?} {fault:?}");
                    let run = thread::spawn(move || alone().block_on(run(flow, fault))).join();
                    let run = run.unwrap_or_else(|_| panic!("in {name}"));
                    done.lock().unwrap().push(run);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let runs = Arc::into_inner(done).unwrap().into_inner().unwrap();
    // Whether a resend came in time, the machine has a say in. Once more, with nobody beside.
    let again = |seen: Run| {
        if seen.was_healed() || !seen.heals() {
            return seen;
        }
        thread::spawn(move || alone().block_on(run(seen.flow, seen.fault))).join().unwrap()
    };
    runs.into_iter().map(again).collect()
});

/// Asserts of all runs that a promise concerns that it holds, and says of how many.
#[track_caller]
fn assert_holds(promise: &str, concerns: impl Fn(&Run) -> bool, broken: impl Fn(&Run) -> Option<String>) {
    let concerned: Vec<_> = RUNS.iter().filter(|run| concerns(run)).collect();
    let broken: Vec<_> =
        concerned.iter().filter_map(|run| broken(run).map(|why| format!("{run}\n    {why}"))).collect();
    let (count, faults) = (concerned.len(), broken.len());
    println!("faults: {promise}: {count} combinations, {faults} broken");
    assert!(count > 0, "nothing was tried");
    assert!(broken.is_empty(), "{faults} of {count}:\n{}", broken[..faults.min(12)].join("\n"));
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_701_nothing_leaves_without_its_record() {
    assert_holds(
        "S-701 nothing leaves without its record",
        |run| !run.recorded.is_empty(),
        |run| run.recorded.contains(&false).then(|| format!("{:?}", run.recorded)),
    );
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_702_a_write_that_was_not_done_yields_no_token() {
    // The upgrade of a hash is the one write that a login does without.
    let concerns =
        |run: &Run| run.fault.is_of_a_write() && run.fault.call.ends_with("GrantsTable") && run.fault.prevents();
    assert_holds("S-702 no token after a failed write", concerns, |run| {
        (run.answer.status != 503).then(|| "it is no 503".to_owned())
    });
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_703_our_own_faults_are_no_refusals() {
    assert_holds(
        "S-703 no refusal because of our faults",
        |_| true,
        |run| {
            if run.flow.is_right(&run.answer) {
                return None;
            }
            if run.answer.status != 503 {
                return Some("it is no 503".to_owned());
            }
            run.answer.assert_refused(503, "temporarily_unavailable");
            // And one line says why.
            let reasons = run.log.iter().filter(|line| line["error"] == "temporarily_unavailable");
            let reasons: Vec<_> = reasons.filter_map(|line| line["reason"].as_str()).collect();
            (reasons.len() != 1 || reasons[0].is_empty()).then(|| format!("logged: {:?}", run.log))
        },
    );
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_705_the_next_request_after_a_fault_works() {
    assert_holds(
        "S-705 the next request works",
        |_| true,
        |run| {
            let wrong = (!run.flow.is_right(&run.next)).then(|| format!("{:?}", run.next.bytes));
            wrong.or_else(|| run.wrong.clone())
        },
    );
    let longest = RUNS.iter().filter(|run| run.flow != Flow::ColdStart).map(|run| run.took).max().unwrap();
    let unnoticed = RUNS.iter().filter(|run| !run.fault.lasting && run.flow.is_right(&run.answer)).count();
    let single = RUNS.iter().filter(|run| !run.fault.lasting).count();
    println!(
        "faults: {} combinations of {} flows and {} verbs; longest wait for an answer {:.2} s; of {single} faults that \
         came once, {unnoticed} were noticed by no caller",
        RUNS.len(),
        FLOWS.len(),
        VERBS.len(),
        longest.as_secs_f64(),
    );
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_706_a_write_whose_answer_was_lost_is_known_for_our_own() {
    assert_holds("S-706 a lost answer is recognised", Run::heals, |run| {
        (!run.was_healed()).then(|| "a resend did not heal it".to_owned())
    });
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_711_after_the_answer_nothing_begins_but_a_reading_of_the_keys() {
    assert_holds(
        "S-711 nothing runs after the answer",
        |_| true,
        |run| {
            let others = run.called_later.iter().any(|call| call != "GetSecretValue");
            (others && !run.called_later.is_empty()).then(|| format!("{:?}", run.called_later))
        },
    );
}

/// Else the runs with stale reads would prove nothing.
#[tokio::test]
async fn a_read_that_is_not_consistent_would_be_answered_with_the_past() {
    let test = TestApp::start().await;
    let cloud_itself = cloud::serve(test.cloud.door().await.unwrap()).await.unwrap();
    let proxy = FaultProxy::at(cloud_itself, &test).await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws::load(cloud::sdk(proxy.address())).await);
    let name = async |consistent| {
        let key = AttributeValue::S(SERVICE.0.to_owned());
        let read = dynamodb.get_item().table_name("ClientsTable").key("client_id", key);
        let item = read.consistent_read(consistent).send().await.unwrap().item.unwrap();
        item["name"].as_s().unwrap().clone()
    };
    proxy.arm(Some(Fault { call: "GetItem ClientsTable".to_owned(), nth: 1, verb: Verb::Stale, lasting: true }));
    test.change_client(SERVICE.0, &json!({"name": "old"}));
    assert_eq!(name(true).await, "old");
    test.change_client(SERVICE.0, &json!({"name": "new"}));
    assert_eq!((name(false).await, name(true).await), ("old".to_owned(), "new".to_owned()));
}
