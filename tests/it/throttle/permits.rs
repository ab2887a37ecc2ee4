//! The permits for slow hashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use countersign::password_hash::{Busy, Workers};
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

#[tokio::test]
async fn s_312_fifty_simultaneous_logins_succeed_on_the_blocking_pool() {
    let test = TestApp::start_with(|config| {
        config.argon2 = CHEAP_ARGON2;
        config.max_concurrency = 50;
    })
    .await;
    test.change_user(&json!({"password_hash": test.app.hasher.hash(PASSWORD).unwrap().as_str()}));
    for response in join_all((0..50).map(|_| test.password(USERNAME, PASSWORD))).await {
        response.assert_issued(2);
    }
}
