//! S-402: whatever uses a refresh token in parallel, there is never more than one live leaf. Counted in the store.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Barrier;

use testing::{Response, TestApp};

/// Uses a token from many tasks at once, in turn in one and in another environment of the function.
async fn use_at_once(test: &Arc<TestApp>, token: &str, tasks: usize) -> Vec<Response> {
    let barrier = Arc::new(Barrier::new(tasks));
    let other = Arc::new(test.another_environment().await);
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

/// The tokens of the responses: every response is one, or a plain `invalid_grant`.
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

/// The leaves that are live in the whole store: of each family that has not ended, its one live generation.
fn live_leaves(test: &TestApp) -> Vec<u32> {
    let scan = serde_json::from_value(json!({"TableName": "GrantsTable"})).unwrap();
    let families = serde_json::to_value(test.cloud.database.scan(scan).unwrap()).unwrap();
    let live = families["Items"].as_array().unwrap().iter().filter(|family| family["revoked"]["BOOL"] == false);
    live.map(|family| family["generation"]["N"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn s_402_parallel_uses_within_the_grace_get_the_same_successor() {
    for tasks in [2, 3, 8, 64] {
        let test = Arc::new(TestApp::start().await);
        let mut token = test.log_in().await;
        for round in 1..=8 {
            let responses = use_at_once(&test, &token, tasks).await;
            assert!(responses.iter().all(|response| response.status == 200), "a retry is no theft");
            let successors = successors(&responses);
            assert_eq!(successors.len(), 1, "{tasks} tasks, round {round}");
            assert_eq!(live_leaves(&test), [round]);
            token = successors.into_iter().next().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_402_parallel_uses_without_grace_leave_at_most_one_live_leaf() {
    let test = Arc::new(TestApp::start_with(|config| config.lifetimes.refresh_grace = 0).await);
    for tasks in [2, 3, 8, 64] {
        for round in 0..8 {
            let token = test.log_in().await;
            let responses = use_at_once(&test, &token, tasks).await;
            let issued = responses.iter().filter(|response| response.status == 200).count();
            assert_eq!((issued, successors(&responses).len()), (1, 1), "{tasks} tasks, round {round}");
            // Only a request that read the token as a used one proves a replay and ends the family.
            let live = live_leaves(&test);
            assert!(live.is_empty() || live == [1], "{live:?}");
            for successor in successors(&responses) {
                let response = test.refresh(&successor).await;
                assert_eq!(response.status == 200, live == [1], "{:?}", response.bytes);
            }
            test.refresh(&token).await.assert_error(400, "invalid_grant");
            assert!(live_leaves(&test).is_empty(), "a replay after the race ends the family");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_402_predecessor_and_successor_in_parallel_leave_at_most_one_live_leaf() {
    for _ in 0..16 {
        let test = Arc::new(TestApp::start().await);
        let first = test.log_in().await;
        let second = test.refresh(&first).await.refresh_token();
        let (firsts, seconds) = tokio::join!(use_at_once(&test, &first, 4), use_at_once(&test, &second, 4));
        let third = successors(&seconds);
        assert!(third.len() <= 1);
        assert!(successors(&firsts).iter().all(|token| *token == second), "a predecessor yields nothing new");
        // Either no request presented the predecessor after its successor was used, or the family has ended.
        let replayed = firsts.iter().any(|response| response.status == 400);
        assert_eq!(live_leaves(&test), if replayed { vec![] } else { vec![2] });
    }
}
