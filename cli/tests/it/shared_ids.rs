//! S-212: users and clients share no id, because it is the `sub` of their tokens.

use serde_json::{Value, json};

use crate::command_line;
use testing::{CommandOutput, SERVICE, TestApp, file};

/// The `user_id` of the user of the fixtures.
const USER_ID: &str = "1042";

fn item(test: &TestApp, table: &str, key: &Value) -> Option<Value> {
    test.cloud.item(table, key).unwrap()
}

#[tokio::test]
async fn s_212_no_command_creates_a_user_and_a_client_with_one_id() {
    let test = TestApp::start().await;
    let line = command_line(&test);
    let create = ["user", "create", "new@example.com", "--no-password", "--user-id"];
    let run = async |id| line.run(&[&create[..], &[id]].concat()).await;
    run(SERVICE.0).await.assert(1, "the user_id billing-cron is the id of a client; choose another id");
    // A client that is malformed can be repaired, and is a client then.
    test.cloud.put("ClientsTable", &json!({"client_id": "malformed", "enabled": "yes"})).unwrap();
    run("malformed").await.assert(1, "is the id of a client");
    assert_eq!(item(&test, "UsersTable", &json!({"username": "new@example.com"})), None);

    line.run(&["client", "create", USER_ID]).await.assert(1, "the id 1042 is the user_id of the user john.smith");
    let path = file("shared.toml", "[clients.new]\n[clients.1042]\n");
    let path = path.to_str().unwrap();
    line.run(&["plan", path]).await.assert(1, "the id 1042 is the user_id of the user john.smith");
    line.run(&["apply", path, "--yes"]).await.assert(1, "the id 1042 is the user_id of the user john.smith");
    for id in [USER_ID, "new"] {
        assert_eq!(item(&test, "ClientsTable", &json!({"client_id": id})), None);
    }

    run("free").await.assert(0, "");
    line.run(&["client", "create", "free"]).await.assert(1, "the user_id of the user new@example.com");
}

async fn import(test: &TestApp, kind: &str, ids: &[&str], more: &[&str]) -> CommandOutput {
    let line = |id: &&str| match kind {
        "users" => json!({"username": format!("user-{id}"), "user_id": id}).to_string(),
        _ => json!({"client_id": id}).to_string(),
    };
    let path = file("shared.jsonl", &ids.iter().map(line).collect::<Vec<_>>().join("\n"));
    command_line(test).run(&[&["import", kind, path.to_str().unwrap(), "--json"], more].concat()).await
}

#[tokio::test]
async fn s_212_an_import_creates_shared_ids_only_if_allowed() {
    const WARNING: &str = "of the imported ids belong to a user and to a client";
    let test = TestApp::start().await;
    for (kind, shared) in [("users", SERVICE.0), ("clients", USER_ID)] {
        for more in [&["--dry-run"][..], &[]] {
            let ran = import(&test, kind, &[&format!("only-{kind}"), shared], more).await;
            let report = ran.assert(3, "line 2: the id is used by a user and by a client").json();
            assert_eq!((report["rejected"].as_array().unwrap().len(), &report["shared_ids"]), (1, &json!(0)), "{kind}");
        }
        let ids = [&format!("other-{kind}"), shared];
        let ran = import(&test, kind, &ids, &["--allow-shared-ids"]).await;
        let report = ran.assert(0, &format!("1 {WARNING}")).json();
        assert_eq!((&report["shared_ids"], ran.err.matches(WARNING).count()), (&json!(1), 1), "{kind}");
    }
    assert!(item(&test, "UsersTable", &json!({"username": "user-billing-cron"})).is_some());
    assert!(item(&test, "ClientsTable", &json!({"client_id": USER_ID})).is_some());
    let none = import(&test, "users", &["free-1"], &["--allow-shared-ids"]).await;
    assert!(!none.assert(0, "").err.contains(WARNING));
}

#[tokio::test]
async fn s_212_doctor_reports_each_user_with_the_id_of_a_client() {
    let test = TestApp::start().await;
    let found = async || {
        let ran = command_line(&test).run(&["doctor", "--json"]).await;
        let findings = ran.json()["findings"].as_array().unwrap().clone();
        let text = |finding: &Value| format!("{} {} {}", finding["check"], finding["level"], finding["finding"]);
        findings.iter().map(text).filter(|text| text.contains("the id of a client")).collect::<Vec<_>>()
    };
    assert!(found().await.is_empty());
    for id in ["one", "two"] {
        let user = json!({"username": format!("user-{id}"), "user_id": id, "enabled": true});
        test.cloud.put("UsersTable", &user).unwrap();
        test.cloud.put("ClientsTable", &json!({"client_id": id, "enabled": true})).unwrap();
    }
    let expected = r#""users" "warning" "user-one, user-two: a user_id that is the id of a client""#;
    assert_eq!(found().await, [expected]);
}
