//! The permits for slow hashes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use countersign::password_hash::{Argon2Params, Busy, Hasher, Workers};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use testing::{CHEAP_ARGON2, PASSWORD, TestApp, USERNAME, join_all};

/// Counts work that runs simultaneously.
#[derive(Default)]
struct Running {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Returns work that lasts as long as `during`.
fn work(running: &Arc<Running>, during: impl FnOnce() + Send + 'static) -> impl FnOnce() + Send + 'static {
    let running = running.clone();
    move || {
        let now = running.now.fetch_add(1, Ordering::SeqCst) + 1;
        running.most.fetch_max(now, Ordering::SeqCst);
        during();
        running.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns the sender that ends a wait, and the wait.
fn until_sent() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
    let (end, ended) = mpsc::channel();
    (end, move || ended.recv().unwrap_or(()))
}

#[tokio::test]
async fn s_312_no_more_hashes_run_simultaneously_than_there_are_permits() {
    let (workers, running) = (Workers::new(3).on_blocking_pool(), Arc::default());
    let work = || work(&running, || thread::sleep(Duration::from_millis(5)));
    let results = join_all((0..50).map(|_| workers.run(work()))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(running.most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn s_312_a_dropped_request_releases_its_permit_when_its_hash_ends() {
    let (workers, running) = (Workers::new(1).on_blocking_pool(), Arc::default());
    let (end, wait) = until_sent();
    let dropped = timeout(Duration::from_millis(20), workers.run(work(&running, wait))).await;
    assert!(dropped.is_err());
    let (next, ()) = tokio::join!(workers.run(work(&running, || ())), async {
        sleep(Duration::from_millis(100)).await;
        end.send(()).unwrap();
    });
    next.unwrap();
    assert_eq!(running.most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn s_312_at_most_64_requests_wait_for_a_permit_for_two_seconds() {
    let (workers, running) = (Workers::new(1).on_blocking_pool(), Arc::default());
    let (end, wait) = until_sent();
    let (first, waited) = tokio::join!(workers.run(work(&running, wait)), async {
        let began = Instant::now();
        let results = join_all((0..69).map(|_| workers.run(|| ()))).await;
        assert!(results.iter().all(|result| *result == Err(Busy)));
        end.send(()).unwrap();
        began.elapsed()
    });
    first.unwrap();
    // The upper limit has room for a busy machine.
    assert!((2..10).contains(&waited.as_secs()), "{waited:?}");
    // Those that waited have left the queue.
    assert!(join_all((0..65).map(|_| workers.run(|| ()))).await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread")]
async fn s_312_a_login_that_does_not_get_a_permit_is_a_503_and_is_not_counted() {
    let start = TestApp::start_with(|config| config.max_concurrency = 200).await;
    let slow = Argon2Params { iterations: 20, ..Argon2Params::default() };
    start.change_user(&json!({"password_hash": Hasher::new(slow).unwrap().hash(PASSWORD).unwrap().as_str()}));
    let test = start.directly().await;
    let more_than_wait = available_parallelism().unwrap().get() + 64 + 10;
    let responses = join_all((0..more_than_wait).map(|_| test.password(USERNAME, PASSWORD))).await;
    let (issued, rejected): (Vec<_>, Vec<_>) = responses.iter().partition(|response| response.status == 200);
    assert!(!issued.is_empty() && rejected.len() >= 10, "{} {}", issued.len(), rejected.len());
    for response in rejected {
        response.assert_error(503, "temporarily_unavailable");
        assert!((2..=5).contains(&response.retry_after()));
    }
    assert_eq!(test.families().len(), issued.len());
}

/// Returns a value of the status of this process, in KiB.
#[cfg(target_os = "linux")]
fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sends 50 simultaneous logins. Returns the largest memory of the process meanwhile, in KiB.
#[cfg(target_os = "linux")]
async fn peak_of_fifty_logins(argon2: Argon2Params) -> usize {
    let start = TestApp::start_with(|config| {
        config.argon2 = argon2;
        config.max_concurrency = 50;
    });
    let start = start.await;
    start.change_user(&json!({"password_hash": Hasher::new(argon2).unwrap().hash(PASSWORD).unwrap().as_str()}));
    let test = start.directly().await;
    // Resets the peak.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let responses = join_all((0..50).map(|_| test.password(USERNAME, PASSWORD))).await;
    let (issued, rejected): (Vec<_>, Vec<_>) = responses.iter().partition(|response| response.status == 200);
    // On a busy machine a login can wait too long for a permit.
    for response in rejected {
        response.assert_error(503, "temporarily_unavailable");
    }
    assert!(issued.len() > available_parallelism().unwrap().get(), "more logins than permits");
    memory("VmHWM")
}

/// Measures this process, so no other test may run beside it.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures the process: make faults"]
async fn fifty_simultaneous_logins_need_the_memory_of_the_permits() {
    let argon2 = Argon2Params { memory_kib: 32_768, iterations: 1, parallelism: 1 };
    let base = peak_of_fifty_logins(CHEAP_ARGON2).await;
    let peak = peak_of_fifty_logins(argon2).await;
    let permits = available_parallelism().unwrap().get();
    let (needed, slack) = (permits * 32_768, 16_384);
    assert!(peak <= base + needed + slack, "{peak} KiB; without hashes {base} KiB, {permits} permits");
    println!(
        "faults: 50 simultaneous logins: {} MiB more than without hashes, {permits} permits of 32 MiB",
        (peak - base) / 1024
    );
}

#[tokio::test]
async fn s_312_fifty_simultaneous_logins_succeed_on_the_blocking_pool() {
    let start = TestApp::start_with(|config| {
        config.argon2 = CHEAP_ARGON2;
        config.max_concurrency = 50;
    })
    .await;
    start.change_user(&json!({"password_hash": start.app.hasher.hash(PASSWORD).unwrap().as_str()}));
    let test = start.directly().await;
    let all_succeed = async || {
        let responses = join_all((0..50).map(|_| test.password(USERNAME, PASSWORD))).await;
        responses.iter().all(|response| response.status == 200)
    };
    // On a busy machine a login can wait too long for a permit. Then all logins are repeated.
    for _ in 0..5 {
        if all_succeed().await {
            return;
        }
    }
    panic!("some of 50 logins failed each time");
}
