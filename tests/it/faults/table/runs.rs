//! The runs of the fault table: each is a flow of a deployment of its own, behind a proxy that breaks calls on the
//! socket, with the function's own timeouts.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, timeout};

use super::LONGEST;
use testing::{FLOWS, Fault, Flow, LogLines, Response, Stage, Verb, calls, recorded};

pub const VERBS: [Verb; 21] = [
    Verb::Refuse,
    Verb::ResetBefore,
    Verb::ResetAfter,
    Verb::CutResponse,
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

/// The first of two faults: it delays a request by a second and does not fail it.
const SLOW: [Verb; 3] = [Verb::Slow(900), Verb::Hang, Verb::HangAfter];
/// The second of two faults, which fails the request for good.
const FATAL: [Verb; 3] = [Verb::Error(500, "InternalServerError"), Verb::Hang, Verb::HangAfter];

/// Runs side by side. Most of them wait.
const WORKERS: usize = 20;

/// The observations of one run.
pub struct Run {
    pub flow: Flow,
    pub faults: Vec<Fault>,
    /// The response under the faults, and the response to the same request when nothing was broken any more.
    pub response: Response,
    pub next: Response,
    /// The duration of the request.
    pub took: Duration,
    /// The calls that began after the response, and before the next request.
    pub called_later: Vec<String>,
    /// The lines that were logged until the response.
    pub log: Vec<Value>,
    /// For each login that tokens were issued for, whether the store had its family then, in that generation.
    pub recorded: Vec<bool>,
    /// True if a write to the table of grants was done until the response.
    pub written: bool,
    /// The errors in the final state.
    pub wrong: Option<String>,
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.flow)?;
        for Fault { call, nth, verb, lasting } in &self.faults {
            let from = if *lasting { "from then on" } else { "once" };
            write!(formatter, ": {call} no. {nth}, {from}: {verb:?}")?;
        }
        write!(formatter, ": {:?} after {:?}", self.response.bytes, self.took)
    }
}

impl Run {
    /// Returns true if the only fault is that the response to a write was lost once: the resend shows that it was done.
    pub fn heals(&self) -> bool {
        let lost = [Verb::ResetAfter, Verb::CutResponse, Verb::HangAfter];
        matches!(&self.faults[..], [fault] if !fault.lasting && fault.is_of_a_write() && lost.contains(&fault.verb))
    }

    pub fn was_healed(&self) -> bool {
        self.flow.is_right(&self.response)
    }

    /// Returns true if only upgrades of hashes fail for good: a login does not depend on them.
    pub fn spares_login(&self) -> bool {
        self.faults.last().is_some_and(Fault::is_of_an_upgrade)
    }

    /// Returns how long the request may take.
    pub fn longest(&self) -> Duration {
        // The upgrade costs at most 300 ms, and a first fault of another call a second.
        match &self.faults[..] {
            [first, _] if self.spares_login() && !first.is_of_an_upgrade() => Duration::from_secs(2),
            _ if self.spares_login() => Duration::from_millis(800),
            _ => LONGEST,
        }
    }

    /// Returns true if the load of the machine may be the reason for what was seen.
    fn may_have_been_kept_waiting(&self) -> bool {
        self.took >= self.longest() || (self.heals() || self.spares_login()) && !self.was_healed()
    }
}

async fn run(flow: Flow, faults: Vec<Fault>) -> Run {
    let stage = Stage::set(flow).await;
    let (test, proxy) = (&stage.test, &stage.proxy);
    proxy.arm(faults.clone());
    let log = LogLines::collect();
    timeout(Duration::from_secs(30), stage.start()).await.expect("a start");
    let began = Instant::now();
    let response = timeout(Duration::from_secs(30), stage.request_again()).await.expect("a response");
    let took = began.elapsed();
    let written = proxy.done().iter().any(|call| !call.starts_with("Get") && call.ends_with("GrantsTable"));
    let log = log.lines();
    // What was sent before the response may be on its way.
    sleep(Duration::from_millis(30)).await;
    let called = proxy.calls().len();
    sleep(Duration::from_millis(30)).await;
    let called_later = proxy.calls().split_off(called);
    let mut tokens: Vec<_> = recorded(test, &response).into_iter().collect();
    proxy.stop_failing().await;
    if flow.presents_unused_token() && !written {
        // Longer than the grace: a token that was consumed would be a replay now.
        test.pass(60);
    }
    let next = stage.request_again().await;
    tokens.extend(recorded(test, &next));
    let wrong = stage.aftermath(&[&response, &next]).await;
    Run { flow, faults, response, next, took, called_later, log, recorded: tokens, written, wrong }
}

/// Builds a runtime for a thread that has a run to itself.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Returns every fault at every call of a flow, once and lasting.
fn single_faults(calls: &[(String, usize)]) -> Vec<Vec<Fault>> {
    let mut faults = Vec::new();
    for (call, nth) in calls {
        for verb in VERBS {
            for lasting in [false, true] {
                faults.push(vec![Fault { call: call.clone(), nth: *nth, verb, lasting }]);
            }
        }
    }
    faults
}

/// Returns two faults for every ordered pair of calls of a flow: the first costs a second, the second fails every
/// attempt. A call is also paired with its own resend.
fn double_faults(calls: &[(String, usize)]) -> Vec<Vec<Fault>> {
    let mut faults = Vec::new();
    for (first_call, first_nth) in calls {
        for (second_call, second_nth) in calls {
            for slow in SLOW {
                for fatal in FATAL {
                    let same = (first_call, first_nth) == (second_call, second_nth);
                    let nth = if same { second_nth + 1 } else { *second_nth };
                    let first = Fault { call: first_call.clone(), nth: *first_nth, verb: slow, lasting: false };
                    let second = Fault { call: second_call.clone(), nth, verb: fatal, lasting: true };
                    // A call that was only slow is not sent again, and for a read it is all one if it was done.
                    let is_new = |fault: &Fault| fault.verb != Verb::HangAfter || fault.is_of_a_write();
                    if !(same && slow == Verb::Slow(900)) && is_new(&first) && is_new(&second) {
                        faults.push(vec![first, second]);
                    }
                }
            }
        }
    }
    faults
}

/// All runs, made by threads side by side: each run has a thread, and with it a log, of its own.
pub static RUNS: LazyLock<Vec<Run>> = LazyLock::new(|| {
    let mut open = Vec::new();
    for flow in FLOWS {
        let calls = runtime().block_on(calls(flow));
        open.extend(single_faults(&calls).into_iter().map(|faults| (flow, faults)));
        open.extend(double_faults(&calls).into_iter().map(|faults| (flow, faults)));
    }
    let (open, done) = (Arc::new(Mutex::new(open)), Arc::new(Mutex::new(Vec::new())));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (open, done) = (open.clone(), done.clone());
            thread::spawn(move || {
                loop {
                    let next = open.lock().unwrap().pop();
                    let Some((flow, faults)) = next else { break };
                    let run = run_in_a_thread(flow, faults);
                    done.lock().unwrap().push(run);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let runs = Arc::into_inner(done).unwrap().into_inner().unwrap();
    // The load of the machine has a say in how long a request takes: such a run is made again with nothing beside.
    let again =
        |seen: Run| if seen.may_have_been_kept_waiting() { run_in_a_thread(seen.flow, seen.faults) } else { seen };
    runs.into_iter().map(again).collect()
});

/// Makes one run.
pub fn run_in_a_thread(flow: Flow, faults: Vec<Fault>) -> Run {
    let name = format!("{flow:?} {faults:?}");
    let run = thread::spawn(move || runtime().block_on(run(flow, faults))).join();
    run.unwrap_or_else(|_| panic!("in {name}"))
}
