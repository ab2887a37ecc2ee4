//! `src/store/owners.rs`: the conditional writes of consents.

use countersign::consent::{Consent, Owner};
use countersign::scope::Scope;
use countersign::store::{ConsentKey, StoreError};
use serde_json::{Value, json};

use testing::TestApp;

const CRM: ConsentKey<'_> = ConsentKey { user_id: "7", client_id: "crm.example" };

fn consent(id: &str, scopes: &str, until: Option<u64>) -> Consent {
    let scopes = Scope::parse(scopes).unwrap();
    Consent { id: id.to_owned(), name: "CRM".to_owned(), scopes, since: 5, until, used_on: None, unseen: false }
}

/// Returns a user with this consent for the client.
fn owner(consent: Option<&Consent>, revision: u64) -> Owner {
    let consents = consent.map(|consent| (CRM.client_id.to_owned(), consent.clone())).into_iter().collect();
    Owner { consents, revision }
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
    let (nothing, spa) = (Owner::default(), ConsentKey { client_id: "spa", ..CRM });
    assert!(store.put_consent(CRM, &nothing, &consent("one", "a b", Some(9))).await.unwrap());
    assert!(store.put_consent(spa, &nothing, &consent("two", "c", None)).await.unwrap());
    let first = json!({"M": {
        "id": {"S": "one"}, "name": {"S": "CRM"}, "scopes": {"SS": ["a", "b"]}, "since": {"N": "5"}, "until": {"N": "9"},
    }});
    let second = json!({"M": {"id": {"S": "two"}, "name": {"S": "CRM"}, "scopes": {"SS": ["c"]}, "since": {"N": "5"}}});
    assert_eq!(item(&test), json!({"id": {"S": "owner#7"}, "c#crm.example": first, "c#spa": second}));
    let clients: Vec<_> = store.owner("7").await.unwrap().consents.into_keys().collect();
    assert_eq!(clients, ["crm.example", "spa"]);
    assert_eq!(store.owner("8").await.unwrap(), Owner::default());
}

/// `tests/model/consents/state.rs` has the same condition.
#[tokio::test]
async fn a_consent_is_written_exactly_over_the_consent_and_revision_that_were_read() {
    let test = TestApp::start().await;
    let consents =
        [None, Some(consent("one", "a", None)), Some(consent("one", "a b", None)), Some(consent("two", "a", None))];
    let owners: Vec<_> =
        consents.iter().flat_map(|consent| (0..3).map(move |revision| owner(consent.as_ref(), revision))).collect();
    let new = consent("three", "c", Some(9));
    let mut applied = 0;
    for (found, read) in owners.iter().flat_map(|found| owners.iter().map(move |read| (found, read))) {
        let mut stored = json!({"id": "owner#7"});
        if found.revision > 0 {
            stored["revision"] = json!(found.revision);
        }
        if let Some(consent) = found.consent(CRM.client_id) {
            stored["c#crm.example"] = json!({"id": consent.id, "name": "CRM", "scopes": consent.scopes, "since": 5});
        }
        test.cloud.put("GrantsTable", &stored).unwrap();
        assert_eq!(test.app.store.owner("7").await.unwrap(), *found);
        let is_written = test.app.store.put_consent(CRM, read, &new).await.unwrap();
        assert_eq!(is_written, found == read, "{read:?} over {found:?}");
        let replaces = found.consent(CRM.client_id).is_some();
        let after = if is_written { owner(Some(&new), found.revision + u64::from(replaces)) } else { found.clone() };
        assert_eq!(test.app.store.owner("7").await.unwrap(), after);
        applied += usize::from(is_written);
    }
    assert_eq!((applied, owners.len()), (12, 12));
}

/// Returns a user whose consent changed from `first` to `second`, and the user as it was before.
async fn changed(test: &TestApp, first: Option<&Consent>, second: &Consent) -> (Owner, Owner) {
    test.cloud.put("GrantsTable", &json!({"id": "owner#7"})).unwrap();
    if let Some(first) = first {
        assert!(test.app.store.put_consent(CRM, &Owner::default(), first).await.unwrap());
    }
    let before = test.app.store.owner("7").await.unwrap();
    assert!(test.app.store.put_consent(CRM, &before, second).await.unwrap());
    assert!(test.app.store.put_consent(CRM, &before, second).await.unwrap(), "the same write, sent again");
    (before, test.app.store.owner("7").await.unwrap())
}

#[tokio::test]
async fn only_a_changed_or_removed_consent_has_a_new_revision() {
    let test = TestApp::start().await;
    let first = consent("one", "a", None);
    for (before, after, revision) in [
        (None, &first, 0),
        (Some(&first), &consent("one", "a b", None), 0),
        (Some(&first), &consent("one", "a b", Some(9)), 1),
        (Some(&first), &consent("one", "a", Some(9)), 1),
        (Some(&first), &first, 1),
        (Some(&first), &consent("two", "b", None), 1),
    ] {
        assert_eq!(changed(&test, before, after).await.1.revision, revision, "{before:?} {after:?}");
    }
    assert!(test.app.store.remove_consent(CRM, &consent("two", "b", None)).await.unwrap());
    assert_eq!(test.app.store.owner("7").await.unwrap(), owner(None, 2));
}

/// The SDK sends a write again if its response is late. The first copy may reach the store much later.
#[tokio::test]
async fn s_822_a_late_copy_of_a_grant_does_not_bring_back_a_removed_consent() {
    let test = TestApp::start().await;
    let (store, first) = (&test.app.store, consent("one", "a", None));
    let (before, _) = changed(&test, None, &first).await;
    assert!(store.remove_consent(CRM, &first).await.unwrap());
    assert!(!store.put_consent(CRM, &before, &first).await.unwrap());
    assert_eq!(stored(&test).await, None);
    let again = consent("two", "a", None);
    assert!(store.put_consent(CRM, &store.owner("7").await.unwrap(), &again).await.unwrap());
    assert_eq!(stored(&test).await, Some(again));
}

#[tokio::test]
async fn s_821_a_late_copy_of_a_write_does_not_undo_an_end_date() {
    let test = TestApp::start().await;
    let (store, unlimited, limited) = (&test.app.store, consent("one", "a", None), consent("one", "a", Some(9)));
    let (before, after) = changed(&test, Some(&limited), &unlimited).await;
    assert!(store.put_consent(CRM, &after, &limited).await.unwrap(), "the user sets the same end date again");
    assert!(!store.put_consent(CRM, &before, &unlimited).await.unwrap());
    assert_eq!(stored(&test).await, Some(limited));
}

#[tokio::test]
async fn a_removal_removes_only_the_consent_that_was_read() {
    let test = TestApp::start().await;
    let (store, first) = (&test.app.store, consent("one", "a", None));
    assert!(!store.remove_consent(CRM, &first).await.unwrap());
    assert_eq!(item(&test), Value::Null, "no item is stored");
    store.put_consent(CRM, &Owner::default(), &first).await.unwrap();
    store.put_consent(ConsentKey { client_id: "spa", ..CRM }, &Owner::default(), &first).await.unwrap();
    assert!(!store.remove_consent(CRM, &consent("two", "a", None)).await.unwrap());
    assert_eq!(stored(&test).await.as_ref(), Some(&first));
    assert!(store.remove_consent(CRM, &first).await.unwrap());
    assert_eq!(store.owner("7").await.unwrap().consents.into_keys().collect::<Vec<_>>(), ["spa"]);
}

#[tokio::test]
async fn the_day_of_the_last_use_changes_only_the_consent_that_was_read() {
    let test = TestApp::start().await;
    let (store, first) = (&test.app.store, consent("one", "a", Some(9)));
    store.use_consent(CRM, &first, 86_400).await.unwrap();
    assert_eq!(item(&test), Value::Null, "no item is stored");
    store.put_consent(CRM, &Owner::default(), &first).await.unwrap();
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
        let is_reported = matches!(&read, Err(StoreError::Malformed { table: "grants", problem }) if *problem == path);
        assert!(is_reported, "{read:?}");
    }
}
