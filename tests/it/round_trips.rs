//! How often a grant waits for AWS, and for what: counted at the door, where calls are held until all have come that
//! come side by side.

use crate::support::{SERVICE, TestApp};

#[tokio::test]
async fn client_credentials_waits_once_for_one_read() {
    let test = TestApp::start().await;
    test.door.hold();
    let (answer, reads) =
        tokio::join!(test.form(SERVICE, &[("grant_type", "client_credentials")]), test.door.let_through(1));
    answer.assert_issued(2);
    assert_eq!(reads, ["GetItem ClientsTable"]);
    assert_eq!(test.door.calls().len(), 1);
}

#[tokio::test]
async fn password_waits_twice_for_two_reads_and_one_write() {
    let test = TestApp::start().await;
    test.door.hold();
    let (token, (reads, writes)) =
        tokio::join!(test.log_in(), async { (test.door.let_through(2).await, test.door.let_through(1).await) });
    assert!(!token.is_empty());
    assert_eq!(reads, ["GetItem ClientsTable", "GetItem UsersTable"]);
    assert_eq!(writes, ["PutItem GrantsTable"]);
    assert_eq!(test.door.calls().len(), 3);
}

/// The user is read before the write: what is rejected for the user's record consumes nothing.
#[tokio::test]
async fn refresh_token_needs_three_round_trips_for_three_reads_and_one_write() {
    let test = TestApp::start().await;
    for scope in ["", "legacy:autonomy.read"] {
        let token = test.log_in().await;
        test.door.forget();
        test.door.hold();
        let (answer, calls) = tokio::join!(test.refresh_for(&token, scope), async {
            [test.door.let_through(2).await, test.door.let_through(1).await, test.door.let_through(1).await]
        });
        answer.assert_issued(2);
        assert_eq!(calls[0], ["GetItem ClientsTable", "GetItem GrantsTable"]);
        assert_eq!(calls[1..], [["GetItem UsersTable"], ["UpdateItem GrantsTable"]]);
        assert_eq!(test.door.calls().len(), 4);
        test.door.release();
    }
}

#[tokio::test]
async fn a_retry_within_the_grace_needs_two_round_trips_and_no_write() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    test.refresh(&token).await.assert_issued(2);
    test.door.forget();
    test.door.hold();
    let (answer, calls) =
        tokio::join!(test.refresh(&token), async { [test.door.let_through(2).await, test.door.let_through(1).await] });
    answer.assert_issued(2);
    assert_eq!(calls, [vec!["GetItem ClientsTable", "GetItem GrantsTable"], vec!["GetItem UsersTable"]]);
    assert_eq!(test.door.calls().len(), 3);
}

#[tokio::test]
async fn no_request_waits_for_a_reading_of_the_secret() {
    let test = TestApp::start().await;
    test.pass(300);
    test.door.hold();
    let request = test.form(SERVICE, &[("grant_type", "client_credentials")]);
    let doorman = async {
        test.door.wait_for(2).await;
        test.door.let_one_through("GetItem ClientsTable");
    };
    let (answer, ()) = tokio::join!(request, doorman);
    answer.assert_issued(2);
    assert_eq!(test.door.let_through(1).await, ["GetSecretValue"]);
}
