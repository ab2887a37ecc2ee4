//! The sequential round trips of revocations and introspections.

use super::{API, log_in, service_token, started};
use testing::{APPLICATION, Response, SERVICE, TestApp};

const CLIENT: &str = "GetItem ClientsTable";
const GRANT: &str = "GetItem GrantsTable";
const USER: &str = "GetItem UsersTable";

/// Holds the calls of a request, and asserts them by round trip.
pub async fn assert_round_trips(
    test: &TestApp,
    request: impl Future<Output = Response>,
    expected: &[&[&str]],
) -> Response {
    test.interceptor.clear_calls();
    test.interceptor.hold();
    let calls = async {
        for concurrent in expected {
            assert_eq!(test.interceptor.let_through(concurrent.len()).await, *concurrent);
        }
    };
    let (response, ()) = tokio::join!(request, calls);
    assert_eq!(test.interceptor.calls().len(), expected.iter().map(|calls| calls.len()).sum::<usize>());
    test.interceptor.release();
    response
}

#[tokio::test]
async fn revocations_need_at_most_two_round_trips_and_three_with_all_sessions() {
    let test = started().await;
    let revoke = async |token: &str, expected: &[&[&str]]| {
        let response = assert_round_trips(&test, test.revoke(APPLICATION, &[("token", token)]), expected).await;
        response.assert_revoked();
    };
    let login = log_in(&test, 2).await;
    revoke(&login.refresh_token(), &[&[CLIENT, GRANT], &["UpdateItem GrantsTable"]]).await;
    // The login is over.
    revoke(&login.refresh_token(), &[&[CLIENT, GRANT]]).await;
    revoke(&log_in(&test, 2).await.access_token(), &[&[CLIENT, GRANT], &["UpdateItem GrantsTable"]]).await;
    revoke("not a token", &[&[CLIENT]]).await;
    revoke("cs_rt_AAAA", &[&[CLIENT]]).await;

    let token = log_in(&test, 2).await.access_token();
    let params = [("token", token.as_str()), ("all_sessions", "true")];
    let expected = [&[CLIENT, GRANT][..], &[USER], &["UpdateItem UsersTable"]];
    assert_round_trips(&test, test.revoke(APPLICATION, &params), &expected).await.assert_revoked();
    let service = service_token(&test, 2).await;
    let params = [("token", service.as_str())];
    assert_round_trips(&test, test.revoke(SERVICE, &params), &[&[CLIENT], &["PutItem GrantsTable"]])
        .await
        .assert_revoked();
}

#[tokio::test]
async fn introspections_need_one_round_trip_for_services_and_two_for_users() {
    let test = started().await;
    let (login, service) = (log_in(&test, 2).await, service_token(&test, 2).await);
    for (client, token, expected) in [
        (API, service, &[&[CLIENT, CLIENT, GRANT][..]][..]),
        (API, login.access_token(), &[&[CLIENT, CLIENT, GRANT], &[USER]]),
        (APPLICATION, login.refresh_token(), &[&[CLIENT, GRANT], &[USER]]),
        (API, "not a token".to_owned(), &[&[CLIENT]]),
    ] {
        assert_round_trips(&test, test.introspect(client, &token), expected).await;
    }
}
