//! Guesses at many names through one process, each from another network.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use testing::{APPLICATION, TestApp};
use tokio::task::JoinSet;

use super::{assert_throttled, from, login};

/// More than the networks that a process remembers.
const NAMES: usize = 1_100;
const ATTACKER: &str = "192.0.2.1";

/// Stores an active or a disabled user for two thirds of the names.
fn put_users(test: &TestApp) {
    let hash = test.app.hasher.hash("right").unwrap();
    for number in (0..NAMES).filter(|number| number % 3 != 0) {
        let user = json!({"username": format!("user-{number}"), "user_id": number.to_string(),
            "enabled": number % 3 == 1, "password_hash": hash.as_str(), "scopes": ["legacy:*"]});
        test.cloud.put("UsersTable", &user).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_607_a_process_remembers_at_most_1024_networks_and_all_names_look_alike() {
    let start = TestApp::start_with_cheap_hashes().await;
    start.change_client(APPLICATION.0, &json!({"user_address": "source"}));
    put_users(&start);
    let test = Arc::new(start.directly().await);
    let guess = async |name: &str| test.send(from(ATTACKER, login(name, "wrong").post())).await;
    for number in 0..30 {
        guess(&format!("first-{number}")).await.assert_error(400, "invalid_grant");
    }
    assert_throttled(&guess("another").await, 6);

    let mut responses = Vec::new();
    for numbers in (0..NAMES).collect::<Vec<_>>().chunks(20) {
        let mut guesses = JoinSet::new();
        for number in numbers {
            let request = login(&format!("user-{number}"), "wrong").post();
            let request = from(&format!("10.{}.{}.1", number / 256, number % 256), request);
            let test = test.clone();
            guesses.spawn(async move { test.send(request).await });
        }
        responses.extend(guesses.join_all().await);
    }
    responses[0].assert_error(400, "invalid_grant");
    let bytes: BTreeSet<_> = responses.iter().map(|response| (response.status, response.bytes.to_vec())).collect();
    assert_eq!(bytes.len(), 1);
    let items = test.items("GrantsTable");
    assert_eq!(items.len(), 30 + NAMES);
    for mut item in items {
        let item = item.as_object_mut().unwrap();
        assert!(item.remove("id").is_some() && item.remove("by").is_some());
        assert_eq!(item["failures"], json!({"N": "1"}));
        assert_eq!(item.keys().collect::<Vec<_>>(), ["expires_at", "failures", "last_at"]);
    }
    // The failures of the oldest network are forgotten.
    guess("another").await.assert_error(400, "invalid_grant");
}
