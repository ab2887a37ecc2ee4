//! The record of a federated client: values that make it malformed (S-709).

use countersign::client::Client;
use countersign::store::Created;
use serde_json::{Value, json};

use super::{Federation, assert_status, put_client};
use testing::with_changes;

/// Returns changes of an entry that make it malformed.
fn malformed(key: &Value) -> Vec<Value> {
    let set = |key: Value| json!({"keys": [key]}).to_string();
    let usable = with_changes(key.clone(), &json!({"kid": "1"}));
    let leaves = |count: usize| (0..count).map(|number| (number.to_string(), json!(number))).collect::<Value>();
    vec![
        json!({"issuer": null}),
        json!({"issuer": ""}),
        json!({"issuer": 1}),
        json!({"issuer": "issuer.example"}),
        json!({"issuer": "http://issuer.example"}),
        json!({"issuer": "http://localhost.example"}),
        json!({"issuer": "HTTPS://issuer.example"}),
        json!({"issuer": "https://user@issuer.example"}),
        json!({"issuer": "https://@issuer.example"}),
        json!({"issuer": "https://issuer.example?a=b"}),
        json!({"issuer": "https://issuer.example?"}),
        json!({"issuer": "https://issuer.example#a"}),
        json!({"issuer": "https://issuer.example/ a"}),
        json!({"issuer": format!("https://issuer.example/{}", "a".repeat(490))}),
        json!({"subject": null}),
        json!({"subject": ""}),
        json!({"subject": "a".repeat(2_049)}),
        json!({"audience": ""}),
        json!({"audience": "a".repeat(2_049)}),
        json!({"claims": ["a"]}),
        json!({"claims": {"a": ["b"]}}),
        json!({"claims": {"a": {}}}),
        json!({"claims": {"a": 1.5}}),
        json!({"claims": leaves(21)}),
        json!({"claims": {"a": leaves(20), "b": true}}),
        json!({"max_age": 59}),
        json!({"max_age": 86_401}),
        json!({"max_age": "3600"}),
        json!({"jwks": ""}),
        json!({"jwks": "[]"}),
        json!({"jwks": r#"{"keys":[]}"#}),
        json!({"jwks": set(json!("a"))}),
        json!({"jwks": set(key.clone())}),
        json!({"jwks": set(with_changes(usable.clone(), &json!({"d": "AAAA"})))}),
        json!({"jwks": json!({"keys": [usable, with_changes(usable.clone(), &json!({"d": "AAAA"}))]}).to_string()}),
        json!({"jwks": set(with_changes(usable.clone(), &json!({"use": "enc"})))}),
        json!({"jwks": set(json!({"kty": "oct", "kid": "1", "k": "AAAA"}))}),
        json!({"jwks": format!("{}{}", set(usable.clone()), " ".repeat(8_192))}),
    ]
}

#[tokio::test]
async fn s_1012_a_malformed_trust_entry_makes_the_record_malformed() {
    let federation = Federation::start().await;
    let token = federation.token(&json!({}));
    let key = federation.key.jwk.clone();
    let usable = with_changes(key.clone(), &json!({"kid": "1"}));
    for changes in malformed(&key) {
        federation.trust(&changes);
        let response = federation.send(&token).await;
        response.assert_error(500, "server_error");
    }
    let entry = federation.entry();
    let set = json!({"keys": [usable]}).to_string();
    // All members in their order, which serde would read, too.
    let values = json!(["aaaa0001", entry["issuer"], entry["subject"], super::OWN_ISSUER, {}, 60, set, 1]);
    for client in [
        json!({"federated": entry}),
        json!({"federated": [values]}),
        json!({"federated": vec![entry.clone(); 11]}),
        json!({"federated": [entry], "token_endpoint_auth_method": "none"}),
    ] {
        put_client(&federation.test, &client);
        federation.send(&token).await.assert_error(500, "server_error");
    }

    let valid = [
        json!({"id": null, "created_at": "yesterday"}),
        json!({"claims": {}}),
        json!({"max_age": 60}),
        json!({"max_age": 86_400, "audience": super::OWN_ISSUER, "unknown": [1]}),
        json!({"jwks": json!({"keys": [usable, with_changes(key, &json!({"use": "enc", "kid": "2"}))]}).to_string()}),
    ];
    for changes in valid {
        federation.trust(&changes);
        assert_status(&federation.send(&token).await, 200);
    }
    put_client(&federation.test, &json!({"federated": vec![federation.entry(); 10]}));
    assert_status(&federation.send(&token).await, 200);
    put_client(
        &federation.test,
        &json!({"federated": [federation.entry()], "token_endpoint_auth_method": "private_key_jwt"}),
    );
    assert_status(&federation.send(&token).await, 200);
}

#[tokio::test]
async fn a_trust_entry_is_stored_as_the_documentation_describes_it() {
    let federation = Federation::start().await;
    let set = json!({"keys": [with_changes(federation.key.jwk.clone(), &json!({"kid": "1"}))]}).to_string();
    let client: Client = serde_json::from_value(json!({
        "client_id": "stored", "enabled": true, "federated": [
            {"id": "aaaa0001", "issuer": "https://a.example", "subject": "b", "audience": "c", "max_age": 60,
             "claims": {"d": {"e": true, "f": 7}}, "jwks": set, "created_at": 1},
            {"issuer": "https://a.example", "subject": "b"},
        ],
    }))
    .unwrap();
    assert!(matches!(federation.test.app.store.create(&client).await.unwrap(), Created::New));
    let stored = federation.test.cloud.item("ClientsTable", &json!({"client_id": "stored"})).unwrap().unwrap();
    assert_eq!(
        stored["federated"],
        json!({"L": [
            {"M": {
                "id": {"S": "aaaa0001"}, "issuer": {"S": "https://a.example"}, "subject": {"S": "b"},
                "audience": {"S": "c"}, "max_age": {"N": "60"}, "jwks": {"S": set}, "created_at": {"N": "1"},
                "claims": {"M": {"d": {"M": {"e": {"BOOL": true}, "f": {"N": "7"}}}}},
            }},
            {"M": {"issuer": {"S": "https://a.example"}, "subject": {"S": "b"}}},
        ]})
    );
}
