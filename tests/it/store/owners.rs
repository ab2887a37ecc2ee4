//! `src/store/owners.rs`: the conditional writes of consents.

use countersign::consent::{Consent, Owner};
use countersign::scope::Scope;
use countersign::store::{ConsentKey, StoreError};
use serde_json::{Value, json};

use testing::TestApp;

const CRM: ConsentKey<'_> = ConsentKey { user_id: "7", client_id: "crm.example" };

fn consent(id: &str, scopes: &str, until: Option<u64>) -> Consent {
    let scopes = Scope::parse(scopes).unwrap();
    Consent { id: id.to_owned(), name: "CRM".to_owned(), scopes, since: 5, until, used_on: None }
}

async fn stored(test: &TestApp) -> Option<Consent> {
    test.app.store.owner("7").await.unwrap().consent(CRM.client_id).cloned()
}

fn item(test: &TestApp) -> Value {
    test.cloud.item("GrantsTable", &json!({"id": "owner#7"})).unwrap().unwrap_or_default()
}

#[tokio::test]
async fn a_consent_is_one_attribute_of_the_item_of_its_user() {
    let test = TestApp::start().await;
    let store = &test.app.store;
    assert_eq!(store.owner("7").await.unwrap(), Owner::default());
    assert!(store.put_consent(CRM, None, &consent("one", "a b", Some(9))).await.unwrap());
    assert!(store.put_consent(ConsentKey { client_id: "spa", ..CRM }, None, &consent("two", "c", None)).await.unwrap());
    let first = json!({"M": {
        "id": {"S": "one"}, "name": {"S": "CRM"}, "scopes": {"SS": ["a", "b"]}, "since": {"N": "5"}, "until": {"N": "9"},
    }});
    let second = json!({"M": {"id": {"S": "two"}, "name": {"S": "CRM"}, "scopes": {"SS": ["c"]}, "since": {"N": "5"}}});
    assert_eq!(item(&test), json!({"id": {"S": "owner#7"}, "c#crm.example": first, "c#spa": second}));
    let clients: Vec<_> = store.owner("7").await.unwrap().consents.into_keys().collect();
    assert_eq!(clients, ["crm.example", "spa"]);
    assert_eq!(store.owner("8").await.unwrap(), Owner::default());
}

#[tokio::test]
async fn a_consent_is_written_only_over_the_one_that_was_read() {
    let test = TestApp::start().await;
    let store = &test.app.store;
    let (first, extended, other) =
        (consent("one", "a", None), consent("one", "a b", Some(9)), consent("two", "c", None));
    assert!(!store.put_consent(CRM, Some(&first), &extended).await.unwrap(), "removed meanwhile");
    assert_eq!(stored(&test).await, None);
    assert!(store.put_consent(CRM, None, &first).await.unwrap());
    assert!(store.put_consent(CRM, None, &first).await.unwrap(), "the same write, sent again");
    assert!(!store.put_consent(CRM, None, &other).await.unwrap(), "given meanwhile");
    assert!(store.put_consent(CRM, Some(&first), &extended).await.unwrap());
    assert_eq!(stored(&test).await.as_ref(), Some(&extended));
    for stale in [first, consent("one", "a", Some(9)), consent("one", "a b", Some(8)), consent("one", "a b", None)] {
        let written = store.put_consent(CRM, Some(&stale), &consent("one", "a b c", None)).await.unwrap();
        assert!(!written, "changed meanwhile: {stale:?}");
    }
    assert_eq!(stored(&test).await.as_ref(), Some(&extended));
    assert!(store.put_consent(CRM, Some(&extended), &other).await.unwrap());
    assert!(store.put_consent(CRM, Some(&extended), &other).await.unwrap(), "the same write, sent again");
    let removed = consent("one", "a", None);
    assert!(!store.put_consent(CRM, Some(&extended), &removed).await.unwrap(), "replaced meanwhile");
    assert_eq!(stored(&test).await, Some(other));
}

#[tokio::test]
async fn a_removal_removes_only_the_consent_that_was_read() {
    let test = TestApp::start().await;
    let (store, first) = (&test.app.store, consent("one", "a", None));
    store.remove_consent(CRM, &first).await.unwrap();
    assert_eq!(item(&test), Value::Null, "no item is stored");
    store.put_consent(CRM, None, &first).await.unwrap();
    store.put_consent(ConsentKey { client_id: "spa", ..CRM }, None, &first).await.unwrap();
    store.remove_consent(CRM, &consent("two", "a", None)).await.unwrap();
    assert_eq!(stored(&test).await.as_ref(), Some(&first));
    store.remove_consent(CRM, &first).await.unwrap();
    assert_eq!(store.owner("7").await.unwrap().consents.into_keys().collect::<Vec<_>>(), ["spa"]);
}

#[tokio::test]
async fn the_day_of_the_last_use_changes_only_the_consent_that_was_read() {
    let test = TestApp::start().await;
    let (store, first) = (&test.app.store, consent("one", "a", Some(9)));
    store.use_consent(CRM, &first, 86_400).await.unwrap();
    assert_eq!(item(&test), Value::Null, "no item is stored");
    store.put_consent(CRM, None, &first).await.unwrap();
    store.use_consent(CRM, &consent("two", "a", None), 86_400).await.unwrap();
    assert_eq!(stored(&test).await.as_ref(), Some(&first));
    store.use_consent(CRM, &first, 86_400).await.unwrap();
    assert_eq!(stored(&test).await, Some(Consent { used_on: Some(86_400), ..first }));
}

#[tokio::test]
async fn s_709_a_malformed_consent_is_an_error_with_its_attribute() {
    let test = TestApp::start().await;
    let whole = json!({"id": "one", "name": "CRM", "scopes": ["a"], "since": 5});
    for (attribute, value) in [("scopes", json!(5)), ("until", json!("x")), ("id", json!(7)), ("since", json!(null))] {
        let mut consent = whole.clone();
        consent[attribute] = value;
        test.cloud.put("GrantsTable", &json!({"id": "owner#7", "c#crm": consent})).unwrap();
        let read = test.app.store.owner("7").await;
        let path = format!("c#crm.{attribute}");
        let is_reported =
            matches!(&read, Err(StoreError::Malformed { table: "grants", attribute }) if *attribute == path);
        assert!(is_reported, "{read:?}");
    }
}
