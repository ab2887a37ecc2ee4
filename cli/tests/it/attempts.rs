//! `countersign user show` and `user unlock`: the failed guesses at a user's password.

use countersign::throttle::Subject;
use serde_json::{Value, json};

use crate::command_line;
use testing::{APPLICATION, PASSWORD, SCOPE, TestApp, USERNAME, form};

const DAY: u64 = 86_400;

async fn started() -> TestApp {
    let test = TestApp::start_with_cheap_hashes().await;
    test.use_system_time().await;
    test
}

fn put_attempts(test: &TestApp, attributes: &Value) {
    let mut item = json!({"id": Subject::account(USERNAME).item_id()});
    item.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    test.cloud.put("GrantsTable", &item).unwrap();
}

fn has_attempts(test: &TestApp) -> bool {
    let id = Subject::account(USERNAME);
    test.items("GrantsTable").iter().any(|item| item["id"]["S"] == id.item_id())
}

#[tokio::test]
async fn user_show_has_the_last_login_the_failures_and_the_next_attempt() {
    let test = started().await;
    test.change_client(APPLICATION.0, &json!({"user_address": "forwarded"}));
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let from_home = form(&params).basic(APPLICATION.0, APPLICATION.1).header("countersign-user-address", "192.0.2.1");
    let shown = async || command_line(&test).run(&["user", "show", USERNAME, "--json"]).await.json();
    assert_eq!((&shown().await["last_login"], &shown().await["lanes"]), (&Value::Null, &json!([])));

    let login_at = test.now();
    test.send(from_home.post()).await.assert_issued(2);
    let failed_at = login_at + 7;
    test.advance_clock(7);
    for _ in 0..5 {
        test.password(USERNAME, "wrong").await.assert_error(400, "invalid_grant");
    }
    test.interceptor.clear_calls();
    let user = shown().await;
    assert_eq!(test.interceptor.calls(), ["GetItem UsersTable", "GetItem GrantsTable", "GetItem GrantsTable"]);
    assert_eq!((&user["username"], &user["last_login"]), (&json!(USERNAME), &json!(login_at)));
    let lanes = json!([
        {"lane": "common", "failures": 5, "last_at": failed_at, "next_attempt": failed_at + 30},
        {"lane": "known", "failures": 0, "last_at": login_at, "next_attempt": null},
    ]);
    assert_eq!(user["lanes"], lanes);
    let text = command_line(&test).run(&["user", "show", USERNAME]).await;
    text.assert(0, "LANE    FAILURES  LAST ATTEMPT");
    let [.., common, known] = &text.out.lines().collect::<Vec<_>>()[..] else { panic!("{text:?}") };
    assert!(
        common.starts_with("common  5  ") && known.starts_with("known   0  ") && known.ends_with("now"),
        "{text:?}"
    );
}

/// A failure in a lane hides the login before it. Forgotten failures and unknown networks do not count.
#[tokio::test]
async fn user_show_has_only_what_the_item_proves() {
    let test = started().await;
    let now = test.now();
    let lane = |failures: u64, last_at: u64| json!({"failures": failures, "last_at": last_at});
    let shown = async |item: Value| {
        put_attempts(&test, &item);
        let user = command_line(&test).run(&["user", "show", USERNAME, "--json"]).await.json();
        let lanes = user["lanes"].as_array().unwrap().iter();
        let lanes: Vec<_> = lanes.map(|lane| (lane["lane"].clone(), lane["failures"].clone())).collect();
        (user["last_login"].clone(), lanes)
    };
    let common = |failures: u64| (json!("common"), json!(failures));
    assert_eq!(shown(lane(0, now - 5)).await, (json!(now - 5), vec![common(0)]));
    assert_eq!(shown(lane(1, now - 5)).await, (Value::Null, vec![common(1)]));
    assert_eq!(shown(lane(9, now - DAY)).await, (Value::Null, vec![common(0)]));
    assert_eq!(shown(lane(9, now + 600)).await, (Value::Null, vec![common(0)]), "the clock jumped");
    let mut item = lane(2, now);
    item["n:0"] = lane(0, now - 3 * DAY);
    item["n:1"] = lane(10, now);
    item["n:2"] = lane(0, now - 91 * DAY);
    item["n:3"] = lane(3, now);
    let known = |failures: u64| (json!("known"), json!(failures));
    assert_eq!(shown(item).await, (json!(now - 3 * DAY), vec![common(2), known(0), known(3)]));
}

#[tokio::test]
async fn user_unlock_ends_a_block_within_a_minute() {
    let test = started().await;
    put_attempts(&test, &json!({"failures": 12, "last_at": test.now()}));
    test.password(USERNAME, PASSWORD).await.assert_error(429, "temporarily_unavailable");
    let unlock =
        async || command_line(&test).run(&["user", "unlock", "John.Smith@itccompliance.co.uk", "--json"]).await;
    let unlocked = unlock().await;
    unlocked.assert(0, "for up to 1m");
    assert!(unlocked.err.contains("changing the"), "{unlocked:?}");
    assert_eq!(unlocked.json(), json!({"unlocked": USERNAME, "deleted": true}));
    assert!(!has_attempts(&test));
    // Another process does not remember the block.
    test.another_execution_environment().await.password(USERNAME, PASSWORD).await.assert_issued(2);
    test.password(USERNAME, PASSWORD).await.assert_error(429, "temporarily_unavailable");
    test.advance_clock(60);
    test.password(USERNAME, PASSWORD).await.assert_issued(2);

    assert_eq!(unlock().await.json()["deleted"], true);
    let repeated = unlock().await;
    repeated.assert(0, "");
    assert_eq!(repeated.json(), json!({"unlocked": USERNAME, "deleted": false}));
    let text = command_line(&test).run(&["user", "unlock", USERNAME]).await;
    text.assert(0, &format!("user {USERNAME} has no failures"));
}

#[tokio::test]
async fn s_709_a_malformed_item_is_shown_as_such_and_deleted_by_user_unlock() {
    let test = started().await;
    put_attempts(&test, &json!({"failures": "canary", "last_at": 1}));
    let shown = command_line(&test).run(&["user", "show", USERNAME]).await;
    shown.assert(3, "a record of table grants is malformed: failures; delete it with `countersign user unlock");
    assert!(shown.out.contains("user_id") && !format!("{shown:?}").contains("canary"), "{shown:?}");
    put_attempts(&test, &json!({"n:\u{1b}[2J": "canary"}));
    let shown = command_line(&test).run(&["user", "show", USERNAME, "--json"]).await;
    shown.assert(3, "n:\u{fffd}[2J");
    assert_eq!((shown.json().get("lanes"), shown.json().get("last_login")), (None, None));
    command_line(&test).run(&["user", "unlock", USERNAME]).await.assert(0, "unlocked user");
    assert!(!has_attempts(&test));
    test.password(USERNAME, PASSWORD).await.assert_issued(2);
}

#[tokio::test]
async fn user_show_works_without_access_to_the_grants() {
    let test = started().await;
    test.interceptor.fail("GetItem GrantsTable", 400, "AccessDeniedException");
    let shown = command_line(&test).run(&["user", "show", USERNAME]).await;
    shown.assert(3, "the failed guesses are not shown: permission denied: your role lacks dynamodb:GetItem");
    assert!(shown.out.contains("user_id"), "{shown:?}");
    test.interceptor.fail("DeleteItem GrantsTable", 400, "AccessDeniedException");
    command_line(&test).run(&["user", "unlock", USERNAME]).await.assert(1, "your role lacks dynamodb:DeleteItem");
}
