//! Concurrent uses of a refresh token: never more than one refresh token of a login is active (S-402).

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Barrier;

use testing::{Response, TestApp};

/// Uses a token in several concurrent tasks, which alternate between two execution environments.
async fn use_concurrently(test: &Arc<TestApp>, token: &str, tasks: usize) -> Vec<Response> {
    let barrier = Arc::new(Barrier::new(tasks));
    let other = Arc::new(test.another_execution_environment().await);
    let uses: Vec<_> = (0..tasks)
        .map(|task| {
            let test = if task % 2 == 0 { test } else { &other };
            let (test, barrier, token) = (test.clone(), barrier.clone(), token.to_owned());
            tokio::spawn(async move {
                barrier.wait().await;
                test.refresh(&token).await
            })
        })
        .collect();
    let mut responses = Vec::new();
    for response in uses {
        responses.push(response.await.unwrap());
    }
    responses
}

/// Returns the refresh tokens of the responses. Asserts that the other responses are `invalid_grant`.
fn successors(responses: &[Response]) -> HashSet<String> {
    let mut successors = HashSet::new();
    for response in responses {
        if response.status == 200 {
            response.assert_issued(2);
            successors.insert(response.refresh_token());
        } else {
            response.assert_error(400, "invalid_grant");
        }
    }
    successors
}

#[tokio::test(flavor = "multi_thread")]
async fn s_402_concurrent_uses_within_the_grace_get_the_same_successor() {
    for tasks in [2, 3, 8, 64] {
        let test = Arc::new(TestApp::start().await);
        let mut token = test.log_in().await;
        for round in 1..=8 {
            let responses = use_concurrently(&test, &token, tasks).await;
            assert!(responses.iter().all(|response| response.status == 200), "a retry is not a replay");
            let successors = successors(&responses);
            assert_eq!(successors.len(), 1, "{tasks} tasks, round {round}");
            assert_eq!(test.active_generations(), [round]);
            token = successors.into_iter().next().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_402_concurrent_uses_without_a_grace_leave_at_most_one_active_token() {
    let test = Arc::new(TestApp::start_with(|config| config.lifetimes.refresh_grace = 0).await);
    for tasks in [2, 3, 8, 64] {
        for round in 0..8 {
            let token = test.log_in().await;
            let responses = use_concurrently(&test, &token, tasks).await;
            let issued = responses.iter().filter(|response| response.status == 200).count();
            assert_eq!((issued, successors(&responses).len()), (1, 1), "{tasks} tasks, round {round}");
            // Only a request that read the token as used is a replay and revokes the family.
            let active = test.active_generations();
            assert!(active.is_empty() || active == [1], "{active:?}");
            for successor in successors(&responses) {
                let response = test.refresh(&successor).await;
                assert_eq!(response.status == 200, active == [1], "{:?}", response.bytes);
            }
            test.refresh(&token).await.assert_error(400, "invalid_grant");
            assert!(test.active_generations().is_empty(), "a replay after the race revokes the family");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_402_concurrent_uses_of_predecessor_and_successor_leave_at_most_one_active_token() {
    for _ in 0..16 {
        let test = Arc::new(TestApp::start().await);
        let first = test.log_in().await;
        let second = test.refresh(&first).await.refresh_token();
        let (firsts, seconds) = tokio::join!(use_concurrently(&test, &first, 4), use_concurrently(&test, &second, 4));
        let third = successors(&seconds);
        assert!(third.len() <= 1);
        assert!(successors(&firsts).iter().all(|token| *token == second), "a predecessor gets no new token");
        // The family is revoked exactly if a request presented the predecessor after the use of its successor.
        let replayed = firsts.iter().any(|response| response.status == 400);
        assert_eq!(test.active_generations(), if replayed { vec![] } else { vec![2] });
    }
}
