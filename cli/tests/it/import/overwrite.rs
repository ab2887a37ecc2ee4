//! `import --overwrite`: changes only the members that a line names.

use serde_json::{Value, json};

use super::{IMPORTED, assert_rejected, hashes, import, user};
use crate::started;
use testing::{PASSWORD, SERVICE, TestApp, USERNAME, file};

async fn overwrite(test: &TestApp, kind: &str, line: &Value) {
    let path = file("overwrite.jsonl", &line.to_string());
    import(test, kind, &path, &["--overwrite"]).await.assert(0, "replaced\": 1");
}

#[tokio::test]
async fn records_that_exist_change_only_with_overwrite() {
    let test = started().await;
    let login = test.log_in().await;
    let line = json!({"username": USERNAME, "password_hash": hashes()[1].2, "enabled": true, "dealer": {"id": "new"}});
    let path = file("over.jsonl", &line.to_string());
    let before = user(&test, USERNAME);
    import(&test, "users", &path, &[]).await.assert(0, "existing\": 1");
    assert_eq!(user(&test, USERNAME), before);
    import(&test, "users", &path, &["--overwrite", "--dry-run"]).await.assert(0, "replaced\": 1");
    assert_eq!(user(&test, USERNAME), before);
    import(&test, "users", &path, &["--overwrite"]).await.assert(0, "replaced\": 1");
    assert_eq!(user(&test, USERNAME)["dealer"]["M"]["id"]["S"], "new");
    assert_eq!(test.password(USERNAME, IMPORTED).await.assert_issued(2).0["sub"], "1042");
    assert_eq!(test.refresh(&login).await.body["error"], "invalid_grant", "a login with the old password");
}

#[tokio::test]
async fn a_user_keeps_attributes_that_the_line_does_not_name() {
    let test = started().await;
    test.change_user(&json!({"scopes": ["legacy:*"], "enabled": false}));
    let mut expected = user(&test, USERNAME);
    let mut step = async |line: Value, name: &str, value: Value| {
        let mut line = line;
        line["username"] = json!(USERNAME);
        overwrite(&test, "users", &line).await;
        match value {
            Value::Null => drop(expected.as_object_mut().unwrap().remove(name)),
            value => expected[name] = value,
        }
        assert_eq!(user(&test, USERNAME), expected, "{line}");
    };
    step(json!({}), "", Value::Null).await;
    step(json!({"user_id": 1042, "password_hash": null, "dealer": null, "enabled": null}), "", Value::Null).await;
    step(json!({"password_hash": ""}), "", Value::Null).await;
    step(json!({"dealer": {"id": "new"}}), "dealer", json!({"M": {"id": {"S": "new"}}})).await;
    step(json!({"enabled": "t"}), "enabled", json!({"BOOL": true})).await;
    step(json!({"scopes": ["a"]}), "scopes", json!({"SS": ["a"]})).await;
    step(json!({"scopes": ["*"]}), "scopes", Value::Null).await;
    assert_eq!(test.password(USERNAME, PASSWORD).await.status, 200, "no line named a password");

    overwrite(&test, "users", &json!({"username": USERNAME, "password_hash": "!"})).await;
    assert_eq!(user(&test, USERNAME)["password_hash"], Value::Null);
    assert_eq!(user(&test, USERNAME)["session_generation"]["N"], "1", "the logins with the password end");
    assert_eq!(test.password(USERNAME, PASSWORD).await.status, 400);
}

#[tokio::test]
async fn an_empty_csv_cell_changes_nothing() {
    let test = started().await;
    test.change_user(&json!({"scopes": ["legacy:*"]}));
    let before = user(&test, USERNAME);
    let csv = format!("username,password_hash,dealer,enabled\n{USERNAME},,NULL,\\N\n");
    import(&test, "users", &file("over.csv", &csv), &["--overwrite"]).await.assert(0, "replaced\": 1");
    assert_eq!(user(&test, USERNAME), before);
    let csv = format!("username,scopes\n{USERNAME},\n");
    let ran = import(&test, "users", &file("over.csv", &csv), &["--overwrite"]).await;
    assert_rejected(&ran, &[(2, "the scopes are empty")]);
    assert_eq!(user(&test, USERNAME), before);
}

#[tokio::test]
async fn a_client_keeps_attributes_that_the_line_does_not_name() {
    let test = started().await;
    let client = || {
        let mut client = test.cloud.item("ClientsTable", &json!({"client_id": SERVICE.0})).unwrap().unwrap();
        client.as_object_mut().unwrap().remove("updated_at");
        client
    };
    test.change_client(SERVICE.0, &json!({"audience": "https://api.example", "system": {"id": 7}, "enabled": false}));
    let mut expected = client();
    for (line, name, value) in [
        (json!({}), "audience", json!({"S": "https://api.example"})),
        (json!({"name": "Billing"}), "name", json!({"S": "Billing"})),
        (json!({"access_token_ttl": 60}), "access_token_ttl", json!({"N": "60"})),
        (json!({"system": {"id": 8}, "audience": null}), "system", json!({"M": {"id": {"N": "8"}}})),
        (json!({"enabled": "1"}), "enabled", json!({"BOOL": true})),
    ] {
        let mut line = line;
        line["client_id"] = json!(SERVICE.0);
        overwrite(&test, "clients", &line).await;
        expected[name] = value;
        assert_eq!(client(), expected, "{line}");
    }
    let grant = [("grant_type", "client_credentials")];
    assert_eq!(test.form(SERVICE, &grant).await.status, 200, "no line named a secret");

    overwrite(&test, "clients", &json!({"client_id": SERVICE.0, "secret": "another-secret"})).await;
    assert_eq!(test.form(SERVICE, &grant).await.status, 401);
    assert_eq!(test.form((SERVICE.0, "another-secret"), &grant).await.status, 200);

    // The line is checked together with the stored record.
    let path = file("over.jsonl", &json!({"client_id": SERVICE.0, "default_scopes": ["other:x"]}).to_string());
    for more in [&["--overwrite", "--dry-run"][..], &["--overwrite"]] {
        let ran = import(&test, "clients", &path, more).await;
        assert_rejected(&ran, &[(1, "is not among the scopes")]);
    }
}
