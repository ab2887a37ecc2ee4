//! How often a grant waits for AWS, and for what: counted at the door, where calls are held until all have come that
//! come side by side.

use testing::{SERVICE, TestApp};

#[tokio::test]
async fn client_credentials_waits_once_for_one_read() {
    let test = TestApp::start().await;
    test.interceptor.hold();
    let (response, reads) =
        tokio::join!(test.form(SERVICE, &[("grant_type", "client_credentials")]), test.interceptor.let_through(1));
    response.assert_issued(2);
    assert_eq!(reads, ["GetItem ClientsTable"]);
    assert_eq!(test.interceptor.calls().len(), 1);
}

#[tokio::test]
async fn password_waits_twice_for_two_reads_and_one_write() {
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

/// The user is read before the write: what is rejected for the user's record consumes nothing.
#[tokio::test]
async fn refresh_token_needs_three_round_trips_for_three_reads_and_one_write() {
    let test = TestApp::start().await;
    for scope in ["", "legacy:autonomy.read"] {
        let token = test.log_in().await;
        test.interceptor.forget();
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
    test.interceptor.forget();
    test.interceptor.hold();
    let (response, calls) = tokio::join!(test.refresh(&token), async {
        [test.interceptor.let_through(2).await, test.interceptor.let_through(1).await]
    });
    response.assert_issued(2);
    assert_eq!(calls, [vec!["GetItem ClientsTable", "GetItem GrantsTable"], vec!["GetItem UsersTable"]]);
    assert_eq!(test.interceptor.calls().len(), 3);
}

#[tokio::test]
async fn no_request_waits_for_a_reading_of_the_secret() {
    let test = TestApp::start().await;
    test.pass(300);
    test.interceptor.hold();
    let request = test.form(SERVICE, &[("grant_type", "client_credentials")]);
    let gatekeeper = async {
        test.interceptor.wait_for(2).await;
        test.interceptor.let_one_through("GetItem ClientsTable");
    };
    let (response, ()) = tokio::join!(request, gatekeeper);
    response.assert_issued(2);
    assert_eq!(test.interceptor.let_through(1).await, ["GetSecretValue"]);
}
