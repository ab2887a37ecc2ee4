//! The permits for slow hashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{available_parallelism, sleep};
use std::time::Duration;

use countersign::password_hash::{Argon2Params, Busy, Hasher, Workers};
use serde_json::json;
use tokio::time::{Instant, timeout};

use testing::{CHEAP_ARGON2, PASSWORD, TestApp, USERNAME, join_all};

/// Counts work that runs simultaneously.
#[derive(Default)]
struct Running {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Returns work of this duration.
fn work(running: &Arc<Running>, duration: Duration) -> impl FnOnce() + Send + 'static {
    let running = running.clone();
    move || {
        let now = running.now.fetch_add(1, Ordering::SeqCst) + 1;
        running.most.fetch_max(now, Ordering::SeqCst);
        sleep(duration);
        running.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn s_312_no_more_hashes_run_simultaneously_than_there_are_permits() {
    let (workers, running) = (Workers::new(3).on_blocking_pool(), Arc::default());
    let results = join_all((0..50).map(|_| workers.run(work(&running, Duration::from_millis(5))))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(running.most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn s_312_a_dropped_request_releases_its_permit_when_its_hash_ends() {
    let (workers, running) = (Workers::new(1).on_blocking_pool(), Arc::default());
    let began = Instant::now();
    let dropped = timeout(Duration::from_millis(20), workers.run(work(&running, Duration::from_millis(300)))).await;
    assert!(dropped.is_err());
    workers.run(work(&running, Duration::ZERO)).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(running.most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn s_312_at_most_64_requests_wait_for_a_permit_for_two_seconds() {
    let (workers, running) = (Workers::new(1).on_blocking_pool(), Arc::default());
    let began = Instant::now();
    let results = join_all((0..70).map(|number| {
        let duration = if number == 0 { Duration::from_millis(2_500) } else { Duration::ZERO };
        workers.run(work(&running, duration))
    }))
    .await;
    assert_eq!(results.iter().filter(|result| **result == Err(Busy)).count(), 69);
    assert!(began.elapsed() < Duration::from_millis(3_500));
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
    for response in join_all((0..50).map(|_| test.password(USERNAME, PASSWORD))).await {
        response.assert_issued(2);
    }
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
    for response in join_all((0..50).map(|_| test.password(USERNAME, PASSWORD))).await {
        response.assert_issued(2);
    }
}
