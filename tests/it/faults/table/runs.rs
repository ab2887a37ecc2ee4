//! The runs of the fault table: each is a flow in a separate deployment, behind a fault proxy and with the timeouts of the
//! function.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, timeout};

use super::LONGEST;
use testing::{FLOWS, Fault, FaultKind, Flow, LogLines, Response, Scenario, calls_of, login_is_recorded};

pub const FAULT_KINDS: [FaultKind; 21] = [
    FaultKind::CloseListener,
    FaultKind::ResetBefore,
    FaultKind::ResetAfter,
    FaultKind::CutResponse,
    FaultKind::Hang,
    FaultKind::HangAfter,
    FaultKind::Late,
    FaultKind::Stale,
    FaultKind::Error(400, "ProvisionedThroughputExceededException"),
    FaultKind::Error(400, "ThrottlingException"),
    FaultKind::Error(400, "RequestLimitExceeded"),
    FaultKind::Error(400, "TransactionConflictException"),
    FaultKind::Error(400, "TransactionInProgressException"),
    FaultKind::Error(400, "ReplicatedWriteConflictException"),
    FaultKind::Error(500, "InternalServerError"),
    FaultKind::Error(503, "ServiceUnavailable"),
    FaultKind::Error(200, "SomethingElse"),
    FaultKind::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n<html>Oh</html>"),
    FaultKind::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    FaultKind::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
    FaultKind::Bytes("\u{1}\u{2}\u{3}\r\n\r\n"),
];

/// The first of two faults, which delays a request by a second.
const SLOW: [FaultKind; 3] = [FaultKind::Slow(900), FaultKind::Hang, FaultKind::HangAfter];
/// The second of two faults, which fails every attempt.
const FATAL: [FaultKind; 3] = [FaultKind::Error(500, "InternalServerError"), FaultKind::Hang, FaultKind::HangAfter];

/// The number of repetitions of a run that is inconclusive. If each of them is, the result is a defect.
pub const REPETITIONS: usize = 5;
/// The number of concurrent runs. Most of them wait.
const WORKERS: usize = 20;

/// The observations of one run.
pub struct Run {
    pub flow: Flow,
    pub faults: Vec<Fault>,
    /// The response under the faults.
    pub response: Response,
    /// The response to the same request after the faults.
    pub next: Response,
    /// The duration of the request under the faults.
    pub took: Duration,
    /// The calls that began between the response and the next request.
    pub called_later: Vec<String>,
    /// The lines that were logged until the response.
    pub log: Vec<Value>,
    /// For each response with tokens of a login, true if the store had the family in that generation.
    pub recorded: Vec<bool>,
    /// True if the flow's write to the table of grants was executed before the response.
    pub written: bool,
    /// True if the guess was counted before the response.
    pub counted: bool,
    /// An error of the final state.
    pub wrong: Option<String>,
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.flow)?;
        for Fault { call, nth, kind, lasting } in &self.faults {
            let from = if *lasting { "lasting" } else { "once" };
            write!(formatter, ": {call} no. {nth}, {from}: {kind:?}")?;
        }
        write!(formatter, ": {:?} after {:?}", self.response.bytes, self.took)
    }
}

impl Run {
    /// Returns true if the only fault is one lost response to a write. The repeated write shows that it was executed.
    pub fn can_recover(&self) -> bool {
        let lost = [FaultKind::ResetAfter, FaultKind::CutResponse, FaultKind::HangAfter];
        matches!(&self.faults[..], [fault] if !fault.lasting && fault.is_write() && lost.contains(&fault.kind))
    }

    pub fn recovered(&self) -> bool {
        self.flow.is_expected(&self.response)
    }

    /// Returns true if only hash upgrades fail. A login does not depend on them.
    pub fn spares_login(&self) -> bool {
        self.flow.event() == "token" && self.faults.last().is_some_and(Fault::is_hash_upgrade)
    }

    /// Returns the maximum duration of the request.
    pub fn longest(&self) -> Duration {
        // An upgrade takes at most 300 ms, and the first of two faults delays a call by a second.
        match &self.faults[..] {
            [first, _] if self.spares_login() && !first.is_hash_upgrade() => Duration::from_secs(2),
            _ if self.spares_login() => Duration::from_millis(800),
            _ => LONGEST,
        }
    }

    /// Returns true if a busy machine can be the cause of the result.
    fn is_inconclusive(&self) -> bool {
        self.took >= self.longest()
            || (self.can_recover() || self.spares_login()) && !self.recovered()
            || self.next.status == 503
            || self.called_other_than_keys_later()
    }

    /// Returns true if a call other than a reload of the keys began after the response.
    pub fn called_other_than_keys_later(&self) -> bool {
        self.called_later.iter().any(|call| call != "GetSecretValue")
    }
}

async fn run(flow: Flow, faults: Vec<Fault>) -> Run {
    let scenario = Scenario::prepare(flow).await;
    let (test, proxy) = (&scenario.test, &scenario.proxy);
    proxy.arm(faults.clone());
    let log = LogLines::collect();
    timeout(Duration::from_secs(30), scenario.start()).await.expect("a start");
    let began = Instant::now();
    let response = timeout(Duration::from_secs(30), scenario.send()).await.expect("a response");
    let took = began.elapsed();
    let completed = proxy.completed();
    let is_write = |call: &String| !call.starts_with("Get") && call.ends_with("GrantsTable");
    // The use of an assertion comes before the write of the refresh.
    let is_use = |call: &String| flow == Flow::AssertionRefresh && call.starts_with("PutItem");
    let written = completed.iter().any(|call| is_write(call) && !is_use(call));
    let counted = completed.iter().any(|call| call == "UpdateItem GrantsTable");
    let log = log.lines();
    // Calls that were sent before the response can still be on their way.
    sleep(Duration::from_millis(30)).await;
    let called = proxy.calls().len();
    sleep(Duration::from_millis(30)).await;
    let called_later = proxy.calls().split_off(called);
    let mut tokens: Vec<_> = login_is_recorded(test, &response).into_iter().collect();
    proxy.stop_failing().await;
    // A code would expire.
    if flow.presents_unused_token() && flow != Flow::Exchange && !written {
        // Longer than the grace, so that a used token is a replay.
        test.advance_clock(60);
    }
    let next = scenario.send().await;
    tokens.extend(login_is_recorded(test, &next));
    let wrong = scenario.check_state(&[&response, &next]).await;
    Run { flow, faults, response, next, took, called_later, log, recorded: tokens, written, counted, wrong }
}

/// Returns a runtime for the thread of one run.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Returns every kind of fault at every call of a flow, once and lasting.
fn single_faults(calls: &[(String, usize)]) -> Vec<Vec<Fault>> {
    let mut faults = Vec::new();
    for (call, nth) in calls {
        for kind in FAULT_KINDS {
            for lasting in [false, true] {
                faults.push(vec![Fault { call: call.clone(), nth: *nth, kind, lasting }]);
            }
        }
    }
    faults
}

/// Returns two faults for every ordered pair of calls of a flow: the first takes a second, the second fails every attempt.
/// A call is also paired with its repetition.
fn double_faults(calls: &[(String, usize)]) -> Vec<Vec<Fault>> {
    let mut faults = Vec::new();
    for (first_call, first_nth) in calls {
        for (second_call, second_nth) in calls {
            for slow in SLOW {
                for fatal in FATAL {
                    let same = (first_call, first_nth) == (second_call, second_nth);
                    let nth = if same { second_nth + 1 } else { *second_nth };
                    let first = Fault { call: first_call.clone(), nth: *first_nth, kind: slow, lasting: false };
                    let second = Fault { call: second_call.clone(), nth, kind: fatal, lasting: true };
                    // A slow call is not repeated. For a read, `HangAfter` is the same as `Hang`.
                    let is_new = |fault: &Fault| fault.kind != FaultKind::HangAfter || fault.is_write();
                    if !(same && slow == FaultKind::Slow(900)) && is_new(&first) && is_new(&second) {
                        faults.push(vec![first, second]);
                    }
                }
            }
        }
    }
    faults
}

/// All runs. Each run has its own thread, because the log is collected by thread.
pub static RUNS: LazyLock<Vec<Run>> = LazyLock::new(|| {
    let mut open = Vec::new();
    for &flow in FLOWS {
        let calls = runtime().block_on(calls_of(flow));
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
    runs.into_iter().map(repeated).collect()
});

/// Repeats a run that is inconclusive, without concurrent runs. On a busy machine a request can be late.
fn repeated(mut run: Run) -> Run {
    for _ in 0..REPETITIONS {
        if !run.is_inconclusive() {
            break;
        }
        run = run_in_a_thread(run.flow, run.faults);
    }
    run
}

/// Makes one run in its own thread.
pub fn run_in_a_thread(flow: Flow, faults: Vec<Fault>) -> Run {
    let name = format!("{flow:?} {faults:?}");
    let run = thread::spawn(move || runtime().block_on(run(flow, faults))).join();
    run.unwrap_or_else(|_| panic!("the run panicked: {name}"))
}
