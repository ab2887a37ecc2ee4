//! One use of each assertion (S-1007, S-1008).

use super::*;

#[tokio::test]
async fn s_1007_of_n_simultaneous_uses_of_one_assertion_one_succeeds() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    let processes = [test.another_execution_environment().await, test.another_execution_environment().await];
    for round in 0..5 {
        let assertion = key.assertion(SERVICE.0, &round.to_string(), &json!({}));
        let uses = (0..10).map(|number| send(&processes[number % 2], &assertion));
        let responses = join_all(uses).await;
        let (issued, rejected): (Vec<_>, Vec<_>) = responses.into_iter().partition(|response| response.status == 200);
        assert_eq!(issued.len(), 1);
        assert_same(&rejected);
    }
}

#[tokio::test]
async fn s_1007_a_use_is_remembered_until_the_assertion_is_not_accepted_any_more() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    let log = LogLines::collect();
    let assertion = key.assertion(SERVICE.0, "1", &json!({"exp": NOW + 300}));
    send(&test, &assertion).await.assert_issued(2);
    let item = test.items("GrantsTable").pop().unwrap();
    assert_eq!(item["expires_at"]["N"], (NOW + 360).to_string());
    assert_eq!(item.as_object().unwrap().len(), 3, "{item}");
    test.advance_clock(359);
    send(&test, &assertion).await.assert_error(401, "invalid_client");
    assert_eq!(last(&log)["reason"], "an assertion that was used before");
    test.advance_clock(1);
    send(&test, &assertion).await.assert_error(401, "invalid_client");
    assert_eq!(last(&log)["reason"], "an expired assertion");
    // DynamoDB deletes expired items late. The same `jti` may be used again by then.
    let again = key.assertion(SERVICE.0, "1", &json!({"exp": NOW + 660}));
    send(&test, &again).await.assert_issued(2);
    send(&test, &again).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_1007_each_client_has_its_own_assertions() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    let default_scopes = json!(["legacy:autonomy.read"]);
    let second = json!({
        "jwks": [key.entry("first")], "grant_types": ["client_credentials"], "default_scopes": default_scopes,
    });
    test.change_client(APPLICATION.0, &second);
    let third = json!({
        "client_id": "a", "enabled": true, "jwks": [key.entry("first")], "grant_types": ["client_credentials"],
        "scopes": default_scopes, "default_scopes": default_scopes,
    });
    let mut fourth = third.clone();
    fourth["client_id"] = json!("a1");
    for client in [third, fourth] {
        test.cloud.put("ClientsTable", &client).unwrap();
    }
    // The last two have the same text of id and `jti` together.
    for (id, jti) in [(SERVICE.0, "1"), (APPLICATION.0, "1"), ("a", "11"), ("a1", "1")] {
        send(&test, &key.assertion(id, jti, &json!({}))).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_706_a_use_that_the_sdk_sends_again_counts_once() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    test.interceptor.lose_response("PutItem");
    send(&test, &key.assertion(SERVICE.0, "1", &json!({}))).await.assert_issued(2);
    assert_eq!(used(&test), 1);
}

#[tokio::test]
async fn a_use_that_cannot_be_written_is_a_503() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    test.interceptor.fail("PutItem", 500, "InternalServerError");
    send(&test, &key.assertion(SERVICE.0, "1", &json!({}))).await.assert_error(503, "temporarily_unavailable");
}
