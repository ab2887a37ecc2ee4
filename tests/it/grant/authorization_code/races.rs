//! Concurrent exchanges of one code, and an exchange that is sent twice.

use std::sync::Arc;

use tokio::sync::Barrier;

use testing::{Fault, FaultKind, FaultProxy, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn s_806_of_concurrent_exchanges_of_one_code_exactly_one_succeeds() {
    for tasks in [2, 3, 8, 16] {
        let test = Arc::new(TestApp::start_with_codes().await);
        let other = Arc::new(test.another_execution_environment().await);
        let (code, barrier) = (test.code().await, Arc::new(Barrier::new(tasks)));
        let exchanges: Vec<_> = (0..tasks)
            .map(|task| {
                let test = if task % 2 == 0 { &test } else { &other };
                let (test, barrier, code) = (test.clone(), barrier.clone(), code.clone());
                tokio::spawn(async move {
                    barrier.wait().await;
                    test.exchange(&code).await
                })
            })
            .collect();
        let mut issued = Vec::new();
        for exchange in exchanges {
            let response = exchange.await.unwrap();
            if response.status == 200 {
                response.assert_issued(2);
                issued.push(response.refresh_token());
            } else {
                response.assert_error(400, "invalid_grant");
            }
        }
        assert_eq!(issued.len(), 1, "{tasks} tasks");
        // The others are replays.
        assert_eq!(test.family(&issued[0])["revoked"]["BOOL"], true);
        test.refresh_code_login(&issued[0]).await.assert_error(400, "invalid_grant");
    }
}

/// The SDK sends the update again because its response was lost.
#[tokio::test]
async fn s_806_an_update_that_is_sent_twice_is_not_a_replay() {
    let start = TestApp::start_with_codes().await;
    let proxy = FaultProxy::before(&start).await;
    let test = start.behind(&proxy).await;
    test.app.warm_up().await;
    let code = test.code().await;
    let lost = FaultKind::ResetAfter;
    proxy.arm(vec![Fault { call: "UpdateItem GrantsTable".to_owned(), nth: 1, kind: lost, lasting: false }]);
    let response = test.exchange(&code).await;
    response.assert_issued(2);
    test.refresh_code_login(&response.refresh_token()).await.assert_issued(2);
}

#[tokio::test]
async fn s_830_an_exchange_whose_write_fails_is_a_503_and_leaves_the_code_usable() {
    let start = TestApp::start_with_codes().await;
    let proxy = FaultProxy::before(&start).await;
    let test = start.behind(&proxy).await;
    test.app.warm_up().await;
    let code = test.code().await;
    let failing = FaultKind::Error(500, "InternalServerError");
    for call in ["GetItem UsersTable", "GetItem GrantsTable", "UpdateItem GrantsTable"] {
        proxy.arm(vec![Fault { call: call.to_owned(), nth: 1, kind: failing, lasting: true }]);
        test.exchange(&code).await.assert_error(503, "temporarily_unavailable");
    }
    proxy.arm(None);
    test.exchange(&code).await.assert_issued(2);
}
