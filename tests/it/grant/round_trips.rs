//! The sequential round trips of each grant. The interceptor holds calls until all concurrent calls have arrived.

use testing::{CLIENT_CREDENTIALS, SERVICE, TestApp};

#[tokio::test]
async fn client_credentials_needs_one_round_trip_with_one_read() {
    let test = TestApp::start().await;
    test.interceptor.hold();
    let (response, reads) = tokio::join!(test.form(SERVICE, &CLIENT_CREDENTIALS), test.interceptor.let_through(1));
    response.assert_issued(2);
    assert_eq!(reads, ["GetItem ClientsTable"]);
    assert_eq!(test.interceptor.calls().len(), 1);
}

#[tokio::test]
async fn password_needs_two_round_trips_with_two_reads_and_one_write() {
    let test = TestApp::start().await;
    test.interceptor.hold();
    let (token, (reads, writes)) = tokio::join!(test.log_in(), async {
        (test.interceptor.let_through(2).await, test.interceptor.let_through(1).await)
    });
    assert!(!token.is_empty());
    assert_eq!(reads, ["GetItem ClientsTable", "GetItem UsersTable"]);
    assert_eq!(writes, ["PutItem GrantsTable"]);
    assert_eq!(test.interceptor.calls().len(), 3);
}

/// The user is read before the write, so that a request that is rejected because of the user consumes nothing.
#[tokio::test]
async fn refresh_token_needs_three_round_trips_with_three_reads_and_one_write() {
    let test = TestApp::start().await;
    for scope in ["", "legacy:autonomy.read"] {
        let token = test.log_in().await;
        test.interceptor.clear_calls();
        test.interceptor.hold();
        let (response, calls) = tokio::join!(test.refresh_for(&token, scope), async {
            [
                test.interceptor.let_through(2).await,
                test.interceptor.let_through(1).await,
                test.interceptor.let_through(1).await,
            ]
        });
        response.assert_issued(2);
        assert_eq!(calls[0], ["GetItem ClientsTable", "GetItem GrantsTable"]);
        assert_eq!(calls[1..], [["GetItem UsersTable"], ["UpdateItem GrantsTable"]]);
        assert_eq!(test.interceptor.calls().len(), 4);
        test.interceptor.release();
    }
}

#[tokio::test]
async fn a_retry_within_the_grace_needs_two_round_trips_and_no_write() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    test.refresh(&token).await.assert_issued(2);
    test.interceptor.clear_calls();
    test.interceptor.hold();
    let (response, calls) = tokio::join!(test.refresh(&token), async {
        [test.interceptor.let_through(2).await, test.interceptor.let_through(1).await]
    });
    response.assert_issued(2);
    assert_eq!(calls, [vec!["GetItem ClientsTable", "GetItem GrantsTable"], vec!["GetItem UsersTable"]]);
    assert_eq!(test.interceptor.calls().len(), 3);
}

#[tokio::test]
async fn no_request_waits_for_a_reload_of_the_secret() {
    let test = TestApp::start().await;
    test.advance_clock(300);
    test.interceptor.hold();
    let request = test.form(SERVICE, &CLIENT_CREDENTIALS);
    let calls = async {
        test.interceptor.wait_for(2).await;
        test.interceptor.let_one_through("GetItem ClientsTable");
    };
    let (response, ()) = tokio::join!(request, calls);
    response.assert_issued(2);
    assert_eq!(test.interceptor.let_through(1).await, ["GetSecretValue"]);
}
