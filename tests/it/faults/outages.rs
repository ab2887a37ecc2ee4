//! Outages and server errors: the response is 503 or 500, never a client error, and does not reveal the cause.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign::config::Limits;
use countersign::error::Error;
use countersign::password_hash::hash_client_secret;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use testing::{
    APPLICATION, CLIENT_CREDENTIALS, Fault, FaultKind, FaultProxy, LogLines, NOW, PASSWORD, SERVICE, TestApp, USERNAME,
};

#[tokio::test]
async fn each_error_of_dynamodb_gets_503_or_500() {
    let test = TestApp::start().await;
    for (status, code, expected) in [
        (500, "InternalServerError", 503),
        (503, "ServiceUnavailable", 503),
        (400, "ThrottlingException", 503),
        (400, "ProvisionedThroughputExceededException", 503),
        (400, "RequestLimitExceeded", 503),
        (400, "TransactionConflictException", 503),
        (400, "AccessDeniedException", 500),
        (400, "ResourceNotFoundException", 500),
        (400, "ValidationException", 500),
        (400, "ExpiredTokenException", 500),
        (400, "SomethingNewException", 503),
    ] {
        for call in ["GetItem", "PutItem", "UpdateItem"] {
            let token = test.log_in().await;
            test.interceptor.fail(call, status, code);
            let responses = [
                test.form(SERVICE, &CLIENT_CREDENTIALS).await,
                test.password(USERNAME, PASSWORD).await,
                test.refresh(&token).await,
            ];
            test.interceptor.stop_failing();
            for (response, calls) in responses.iter().zip([
                &["GetItem"][..],
                &["GetItem", "PutItem", "UpdateItem"],
                &["GetItem", "UpdateItem"],
            ]) {
                if calls.contains(&call) {
                    let error = if expected == 503 { "temporarily_unavailable" } else { "server_error" };
                    response.assert_error(expected, error);
                } else {
                    response.assert_issued(2);
                }
            }
            // The error did not use the refresh token.
            test.refresh(&token).await.assert_issued(2);
        }
    }
}

#[tokio::test]
async fn an_outage_during_the_revocation_after_a_replay_is_a_503() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    test.refresh(&first).await.assert_issued(2);
    test.advance_clock(60);
    test.interceptor.fail("UpdateItem", 500, "InternalServerError");
    test.refresh(&first).await.assert_error(503, "temporarily_unavailable");
    test.interceptor.stop_failing();
    test.refresh(&first).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_client_error_is_returned_before_an_outage() {
    let test = TestApp::start().await;
    test.interceptor.fail("GetItem UsersTable", 500, "InternalServerError");
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", "legacy:a")];
    test.form((APPLICATION.0, "wrong"), &params).await.assert_error(401, "invalid_client");
    test.form(SERVICE, &params).await.assert_error(400, "unauthorized_client");
    let wider = [&params[..3], &[("scope", "admin")]].concat();
    test.form(APPLICATION, &wider).await.assert_error(400, "invalid_scope");
    test.form(APPLICATION, &params).await.assert_error(503, "temporarily_unavailable");

    test.interceptor.stop_failing();
    let token = test.log_in().await;
    test.interceptor.fail("GetItem GrantsTable", 500, "InternalServerError");
    test.refresh_for(&token, "admin").await.assert_error(400, "invalid_scope");
    test.refresh(&token).await.assert_error(503, "temporarily_unavailable");
}

/// Clients of the same outage must not all retry in the same second.
#[tokio::test]
async fn the_retry_after_of_a_503_is_a_random_number_of_2_to_5_seconds() {
    let test = TestApp::start().await;
    test.interceptor.fail("GetItem", 500, "InternalServerError");
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let response = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
        response.assert_error(503, "temporarily_unavailable");
        seen.insert(response.header("retry-after").unwrap().to_owned());
        if seen.len() == 4 {
            break;
        }
    }
    assert_eq!(seen, ["2", "3", "4", "5"].map(ToOwned::to_owned).into());
}

#[tokio::test]
async fn s_411_a_refresh_that_fails_before_its_write_consumes_nothing_in_an_outage_of_any_length() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    let before = test.family(&token);
    for call in ["GetItem UsersTable", "GetItem GrantsTable", "GetItem ClientsTable", "UpdateItem GrantsTable"] {
        test.interceptor.fail(call, 500, "InternalServerError");
        test.refresh(&token).await.assert_error(503, "temporarily_unavailable");
        test.advance_clock(3_500);
        test.interceptor.stop_failing();
        assert_eq!(test.family(&token), before, "{call}");
    }
    let successor = test.refresh(&token).await.refresh_token();
    test.refresh(&successor).await.assert_issued(2);
}

/// The SDK repeats the read of the family after a second. Then the read of the user hangs until the deadline.
#[tokio::test]
async fn s_411_a_slow_read_and_an_outage_of_the_users_table_do_not_end_the_login() {
    let start = TestApp::start().await;
    let proxy = FaultProxy::before(&start).await;
    let test = start.behind(&proxy).await;
    test.app.warm_up().await;
    let token = test.log_in().await;
    let before = test.family(&token);
    let fault = |call: &str, kind, lasting| Fault { call: call.to_owned(), nth: 1, kind, lasting };
    proxy.arm([
        fault("GetItem GrantsTable", FaultKind::Hang, false),
        fault("GetItem UsersTable", FaultKind::Hang, true),
    ]);
    let log = LogLines::collect();
    test.refresh(&token).await.assert_error(503, "temporarily_unavailable");
    let late = "a dependency did not respond in time";
    assert!(log.lines().iter().any(|line| line["reason"] == late), "not the deadline: {}", log.text());
    proxy.stop_failing().await;
    assert_eq!(test.family(&token), before, "nothing is consumed");
    test.advance_clock(60);
    test.refresh(&token).await.assert_issued(2);
}

#[tokio::test]
async fn s_709_a_malformed_record_is_a_server_error_and_is_logged() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    for (changes, attribute) in [
        (json!({"enabled": null}), "enabled"),
        (json!({"enabled": "true"}), "enabled"),
        (json!({"secrets": "canary"}), "secrets"),
        (json!({"secrets": [{"id": "1", "hash": "canary"}]}), "secrets[0].hash"),
        (json!({"secrets": [{"id": "1"}]}), "secrets[0]"),
        // Otherwise valid, but not a map.
        (json!({"secrets": [["1", hash_client_secret("canary"), 1, 9_999_999_999_u64]]}), "secrets[0]"),
        (json!({"grant_types": "password"}), "grant_types"),
        (json!({"scopes": 1}), "scopes"),
        (json!({"scopes": ["legacy:*", "a*b"]}), "scopes"),
        (json!({"scopes": ["legacy:*", "a b"]}), "scopes"),
        (json!({"default_scopes": ["a b"]}), "default_scopes"),
        (json!({"default_scopes": ["legacy:*"]}), "default_scopes"),
        (json!({"access_token_ttl": "canary"}), "access_token_ttl"),
        (json!({"access_token_ttl": -1}), "access_token_ttl"),
        (json!({"system": "canary"}), "system"),
        (json!({"allowed_origins": "https://a.example"}), "allowed_origins"),
        (json!({"allowed_origins": ["https://canary.example/"]}), "allowed_origins"),
        (json!({"token_endpoint_auth_method": "canary"}), "token_endpoint_auth_method"),
        (json!({"token_endpoint_auth_method": "none"}), "secrets"),
        (json!({"refresh_token_cookie": "canary"}), "refresh_token_cookie"),
        (json!({"refresh_token_cookie": true}), "refresh_token_cookie"),
        (json!({"introspects": ["can*ary"]}), "introspects"),
        (json!({"resources": ["http://canary.example"]}), "resources"),
        (json!({"redirect_uris": ["http://canary.example/cb"]}), "redirect_uris"),
        (json!({"post_logout_redirect_uris": "canary"}), "post_logout_redirect_uris"),
        (json!({"first_party": "canary"}), "first_party"),
        (json!({"require_pkce": "canary"}), "require_pkce"),
        (json!({"tos_uri": "http://canary.example"}), "tos_uri"),
    ] {
        test.change_client(SERVICE.0, &changes);
        assert_reported("clients", attribute, async || test.form(SERVICE, &CLIENT_CREDENTIALS).await).await;
    }
    for (changes, attribute) in [
        (json!({"user_id": null}), "user_id"),
        (json!({"enabled": null}), "enabled"),
        (json!({"password_hash": "canary"}), "password_hash"),
        (
            json!({"password_hash": "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"}),
            "password_hash",
        ),
        (json!({"dealer": ["canary"]}), "dealer"),
        (json!({"claims": "canary"}), "claims"),
        (json!({"scopes": ["legacy:*", "a*b"]}), "scopes"),
        (json!({"session_generation": "canary"}), "session_generation"),
        (json!({"session_generation": -1}), "session_generation"),
    ] {
        test.change_user(&changes);
        assert_reported("users", attribute, async || test.password(USERNAME, PASSWORD).await).await;
    }
    let mut family = json!({
        "id": test.family(&token)["id"]["S"], "client_id": APPLICATION.0, "username": USERNAME, "user_id": "1042",
        "session_generation": 0, "scopes": ["legacy:x"], "version": 2, "auth_time": NOW, "generation": 0, "rotated_at": NOW, "rotated_by": "x",
        "revoked": false, "absolute_expires_at": NOW + 60, "expires_at": NOW + 60,
    });
    family.as_object_mut().unwrap().remove("revoked");
    test.cloud.put("GrantsTable", &family).unwrap();
    assert_reported("grants", "revoked", async || test.refresh(&token).await).await;
}

async fn assert_reported(table: &str, attribute: &str, request: impl AsyncFn() -> testing::Response) {
    let log = LogLines::collect();
    let response = request().await;
    assert_eq!(response.status, 500, "{attribute}: {:?}", response.bytes);
    response.assert_error(500, "server_error");
    let line: &Value = &log.lines()[0];
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.contains(table) && reason.contains(attribute), "{reason}");
    assert!(!log.text().contains("canary"), "{reason}");
}

/// Each call of each request hangs. The timeouts of this SDK are longer, so that only the deadline of the request ends it.
#[tokio::test]
async fn s_704_a_response_takes_less_than_four_seconds_whichever_call_hangs() {
    const GRANTS: [(Hanging, &[&[&str]]); 5] = [
        (Hanging::Service, &[&["GetItem ClientsTable"]]),
        (Hanging::ServiceWithOldKeys, &[&["GetItem ClientsTable", "GetSecretValue"]]),
        (
            Hanging::Login,
            &[
                &["GetItem ClientsTable", "GetItem GrantsTable", "GetItem UsersTable"],
                &["PutItem GrantsTable", "UpdateItem GrantsTable"],
            ],
        ),
        (
            Hanging::Refresh,
            &[&["GetItem ClientsTable", "GetItem GrantsTable"], &["GetItem UsersTable"], &["UpdateItem GrantsTable"]],
        ),
        (Hanging::Replay, &[&["GetItem ClientsTable", "GetItem GrantsTable"], &["UpdateItem GrantsTable"]]),
    ];
    let cases = GRANTS
        .into_iter()
        .flat_map(|(grant, round_trips)| (0..round_trips.len()).map(move |hang| (grant, round_trips, hang)));
    let mut open: Vec<_> = cases.collect();
    assert_eq!(open.len(), 9);
    // On a busy machine a response can be late. Late cases are repeated.
    for _ in 0..10 {
        // The cases run simultaneously, because each takes the full time of a request.
        let requests: JoinSet<_> = open
            .into_iter()
            .map(async |(grant, round_trips, hang)| {
                ((grant, round_trips, hang), hang_at(grant, round_trips, hang).await)
            })
            .collect();
        let late = requests.join_all().await.into_iter().filter(|(_, took)| *took >= Duration::from_secs(4));
        open = late.map(|(case, _)| case).collect();
    }
    assert!(open.is_empty(), "late: {open:?}");
}

/// The requests with a hanging call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hanging {
    Service,
    ServiceWithOldKeys,
    Login,
    Refresh,
    Replay,
}

/// Sends a request whose calls hang in one of its round trips. Returns the duration of the request.
async fn hang_at(grant: Hanging, round_trips: &[&[&str]], hang: usize) -> Duration {
    let test = TestApp::start_with_cheap_hashes_and(|config| config.limits = Limits::default()).await;
    let token = test.log_in().await;
    match grant {
        Hanging::ServiceWithOldKeys => test.advance_clock(1_000),
        Hanging::Replay => {
            test.refresh(&token).await.assert_issued(2);
            test.advance_clock(60);
        }
        _ => {}
    }
    test.interceptor.hold();
    let request = async {
        let began = Instant::now();
        let response = match grant {
            Hanging::Service | Hanging::ServiceWithOldKeys => test.form(SERVICE, &CLIENT_CREDENTIALS).await,
            Hanging::Login => test.password(USERNAME, PASSWORD).await,
            Hanging::Refresh | Hanging::Replay => test.refresh(&token).await,
        };
        (response, began.elapsed())
    };
    let passing = async {
        for calls in round_trips.iter().take(hang) {
            assert_eq!(test.interceptor.let_through(calls.len()).await, *calls);
        }
        test.interceptor.wait_for(round_trips[hang].len()).await;
    };
    let both = async { tokio::join!(request, passing) };
    let ((response, took), ()) = timeout(Duration::from_mins(2), both).await.expect("a response");
    response.assert_error(503, "temporarily_unavailable");
    test.interceptor.release();
    // The login continues, unless its revocation was the hanging call.
    match grant {
        Hanging::Replay => test.refresh(&token).await.assert_error(400, "invalid_grant"),
        _ => drop(test.refresh(&token).await.assert_issued(2)),
    }
    took
}

/// DynamoDB deletes expired items up to days later.
#[tokio::test]
async fn s_708_an_expired_family_that_dynamodb_has_not_deleted_is_rejected() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    let successor = test.refresh(&token).await.refresh_token();
    let expires_at: u64 = test.family(&token)["expires_at"]["N"].as_str().unwrap().parse().unwrap();
    test.advance_clock((expires_at - test.now()).cast_signed());
    let expired = test.family(&token);
    for _ in 0..5 {
        for token in [&token, &successor] {
            test.refresh(token).await.assert_error(400, "invalid_grant");
        }
        assert_eq!(test.family(&token), expired, "a rejected request changes nothing");
        test.advance_clock(86_400);
    }
}

#[tokio::test]
async fn an_unreachable_store_is_a_503() {
    let test = TestApp::start().await;
    // No process listens on this port.
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sdk = countersign::aws::load(testing::cloud::sdk(unused)).await;
    let store = countersign::store::Store::new(&sdk, &test.app.config.tables);
    let error = Error::from(store.client(SERVICE.0).await.unwrap_err());
    assert_eq!((error.code().status(), error.code().as_str()), (503, "temporarily_unavailable"));
    assert!(error.reason().starts_with("DynamoDB is not available: GetItem: "), "{}", error.reason());
}
