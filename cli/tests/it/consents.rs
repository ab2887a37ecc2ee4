//! The consents of a user: `countersign user show` and `user consent remove`.

use countersign::consent::Consent;
use countersign::scope::Scope;
use countersign::store::ConsentKey;
use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{TestApp, USERNAME};

const USER_ID: &str = "1042";

async fn grant(test: &TestApp, client_id: &str, until: Option<u64>) -> Consent {
    let scopes = Scope::parse("legacy:a legacy:b").unwrap();
    let consent =
        Consent { id: "x".to_owned(), name: "CRM".to_owned(), scopes, since: 5, until, used_on: None, unseen: false };
    let key = ConsentKey { user_id: USER_ID, client_id };
    let store = &test.app.store;
    assert!(store.put_consent(key, &store.owner(USER_ID).await.unwrap(), &consent).await.unwrap());
    consent
}

async fn shown(test: &TestApp) -> Value {
    command_line(test).json(&["user", "show", USERNAME]).await["consents"].clone()
}

#[tokio::test]
async fn user_show_lists_the_consents() {
    let test = started().await;
    assert_eq!(shown(&test).await, json!([]));
    let future = test.now() + 60;
    grant(&test, "crm", None).await;
    grant(&test, "old", Some(7)).await;
    grant(&test, "new", Some(future)).await;
    let consents = shown(&test).await;
    let rows: Vec<_> =
        consents.as_array().unwrap().iter().map(|one| (&one["client_id"], &one["until"], &one["ended"])).collect();
    assert_eq!(
        rows,
        [
            (&json!("crm"), &Value::Null, &json!(false)),
            (&json!("new"), &json!(future), &json!(false)),
            (&json!("old"), &json!(7), &json!(true)),
        ]
    );
    assert_eq!((&consents[0]["since"], &consents[0]["scopes"]), (&json!(5), &json!(["legacy:a", "legacy:b"])));

    let text = command_line(&test).run(&["user", "show", USERNAME]).await;
    let rows: Vec<_> = text.out.lines().skip_while(|line| !line.starts_with("CONSENT")).skip(1).collect();
    assert!(rows[0].starts_with("crm      CRM   1970-01-01T00:00:05Z  no end"), "{rows:?}");
    assert!(rows[2].contains("ended 1970-01-01T00:00:07Z") && rows[2].ends_with("legacy:a legacy:b"), "{rows:?}");
}

#[tokio::test]
async fn a_consent_is_removed() {
    let test = started().await;
    grant(&test, "crm", None).await;
    grant(&test, "other", None).await;
    let remove = async |client_id: &str, more: &[&str]| {
        command_line(&test).run(&[&["user", "consent", "remove", USERNAME, client_id], more].concat()).await
    };
    remove("crm", &[]).await.assert(1, "confirm with --yes");
    remove("crm", &["--yes"]).await.assert(0, "removed the consent of user").assert(0, "changing the");
    remove("crm", &["--yes"]).await.assert(1, "has no consent for the client crm; see `countersign user show");
    let left = shown(&test).await;
    assert_eq!((left.as_array().unwrap().len(), &left[0]["client_id"]), (1, &json!("other")));
    let unknown = ["user", "consent", "remove", "unknown@example.com", "crm", "--yes"];
    command_line(&test).run(&unknown).await.assert(1, "not found");
}

#[tokio::test]
async fn s_709_malformed_consents_are_shown_as_such() {
    let test = started().await;
    test.cloud.put("GrantsTable", &json!({"id": format!("owner#{USER_ID}"), "c#crm": "canary"})).unwrap();
    let shown = command_line(&test).run(&["user", "show", USERNAME]).await;
    shown.assert(3, "the consents are not shown: a record of table grants is malformed: c#crm; fix it in the table");
    assert!(shown.out.contains("user_id") && !format!("{shown:?}").contains("canary"), "{shown:?}");
}
