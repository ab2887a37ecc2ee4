//! The sequential round trips of each grant. The interceptor holds calls until all concurrent calls have arrived.

use serde_json::json;

use testing::{
    APPLICATION, CLIENT_CREDENTIALS, IMPORTED_USER, PASSWORD, Response, SCOPE, SERVICE, TestApp, USERNAME, form,
};

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
async fn a_wrong_generated_secret_needs_one_round_trip_with_one_read() {
    let test = TestApp::start().await;
    let wrong = (SERVICE.0, APPLICATION.1);
    let (response, calls) = round_trips(&test, test.form(wrong, &CLIENT_CREDENTIALS), [1]).await;
    response.assert_error(401, "invalid_client");
    assert_eq!(calls, [[CLIENT]]);
}

/// Holds the calls of a request, and returns them by round trip, each with its number of concurrent calls.
pub async fn round_trips<const N: usize>(
    test: &TestApp,
    request: impl Future<Output = Response>,
    counts: [usize; N],
) -> (Response, Vec<Vec<String>>) {
    test.interceptor.clear_calls();
    test.interceptor.hold();
    let calls = async {
        let mut calls = Vec::new();
        for count in counts {
            calls.push(test.interceptor.let_through(count).await);
        }
        calls
    };
    let (response, calls) = tokio::join!(request, calls);
    assert_eq!(test.interceptor.calls().len(), counts.iter().sum::<usize>());
    test.interceptor.release();
    (response, calls)
}

const CLIENT: &str = "GetItem ClientsTable";
const ATTEMPTS: &str = "GetItem GrantsTable";
const USER: &str = "GetItem UsersTable";
const COUNT: &str = "UpdateItem GrantsTable";
const FAMILY: &str = "PutItem GrantsTable";

#[tokio::test]
async fn password_needs_two_round_trips_with_three_reads_and_two_writes() {
    let test = TestApp::start_with_cheap_hashes().await;
    let (response, calls) = round_trips(&test, test.password(USERNAME, PASSWORD), [3, 2]).await;
    response.assert_issued(2);
    assert_eq!(calls, [vec![CLIENT, ATTEMPTS, USER], vec![FAMILY, COUNT]]);
    let (response, calls) = round_trips(&test, test.password(USERNAME, "wrong"), [3, 1]).await;
    response.assert_error(400, "invalid_grant");
    assert_eq!(calls, [vec![CLIENT, ATTEMPTS, USER], vec![COUNT]]);
    let (username, password) = IMPORTED_USER;
    let (response, calls) = round_trips(&test, test.password(username, password), [3, 2, 1]).await;
    response.assert_issued(2);
    assert_eq!(calls[2], ["UpdateItem UsersTable"]);
}

#[tokio::test]
async fn a_client_with_an_imported_secret_needs_two_round_trips_more() {
    let test = TestApp::start_with_cheap_hashes().await;
    let hash = test.app.hasher.hash("imported").unwrap().as_str().to_owned();
    test.change_client(APPLICATION.0, &json!({"secrets": [{"hash": hash}], "default_scopes": ["legacy:read"]}));
    let imported = (APPLICATION.0, "imported");
    let (response, calls) = round_trips(&test, test.form(imported, &CLIENT_CREDENTIALS), [1, 1, 1]).await;
    response.assert_issued(2);
    assert_eq!(calls, [[CLIENT], [ATTEMPTS], [COUNT]]);

    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD)];
    let (response, calls) = round_trips(&test, test.form(imported, &params), [3, 1, 1, 2]).await;
    response.assert_issued(2);
    assert_eq!(calls, [vec![CLIENT, ATTEMPTS, USER], vec![ATTEMPTS], vec![COUNT], vec![FAMILY, COUNT]]);
}

#[tokio::test]
async fn a_blocked_guess_needs_one_round_trip_and_no_write() {
    let test = TestApp::start_with_cheap_hashes().await;
    test.change_client(APPLICATION.0, &json!({"user_address": "forwarded"}));
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let log_in_from_home = async || {
        let request = form(&params).basic(APPLICATION.0, APPLICATION.1).header("countersign-user-address", "192.0.2.1");
        test.send(request.post()).await
    };
    log_in_from_home().await.assert_issued(2);
    for _ in 0..5 {
        test.password(USERNAME, "wrong").await.assert_error(400, "invalid_grant");
    }
    for (count, reads) in [(3, vec![CLIENT, ATTEMPTS, USER]), (1, vec![CLIENT])] {
        let (response, calls) = round_trips(&test, test.password(USERNAME, PASSWORD), [count]).await;
        response.assert_error(429, "temporarily_unavailable");
        assert_eq!(calls, [reads]);
    }
    // This process remembers the account as blocked, but not for this network.
    let (response, calls) = round_trips(&test, log_in_from_home(), [1, 2, 2]).await;
    response.assert_issued(2);
    assert_eq!(calls, [vec![CLIENT], vec![ATTEMPTS, USER], vec![FAMILY, COUNT]]);
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

/// The cookie is read after the client and its origin are proven.
#[tokio::test]
async fn a_refresh_with_a_cookie_needs_one_round_trip_more() {
    let test = TestApp::start_with_cheap_hashes().await;
    test.put_browser_app();
    let token = test.log_in_by_browser().await;
    let (response, calls) = round_trips(&test, test.refresh_by_cookie(&token), [1, 1, 1, 1]).await;
    response.assert_issued(2);
    assert_eq!(calls, [[CLIENT], ["GetItem GrantsTable"], [USER], ["UpdateItem GrantsTable"]]);
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

/// The records of a login by code are read together.
#[tokio::test]
async fn a_code_and_a_refresh_of_its_login_need_three_round_trips() {
    let test = TestApp::start_with_codes().await;
    let code = test.code().await;
    let client_and_family = vec![CLIENT, "GetItem GrantsTable"];
    let records = vec!["GetItem GrantsTable", "GetItem GrantsTable", USER];
    let (response, calls) = round_trips(&test, test.exchange(&code), [2, 3, 1]).await;
    response.assert_issued(2);
    assert_eq!(calls, [client_and_family.clone(), records.clone(), vec![COUNT]]);
    // The first refresh of a day also writes the use of the consent.
    for writes in [vec![COUNT, COUNT], vec![COUNT]] {
        let token = test.exchange(&test.code().await).await.refresh_token();
        let (response, calls) = round_trips(&test, test.refresh_code_login(&token), [2, 3, writes.len()]).await;
        response.assert_issued(2);
        assert_eq!(calls, [client_and_family.clone(), records.clone(), writes]);
    }
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
