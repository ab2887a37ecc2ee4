//! The texts of scopes, by each command that writes them. They are an item of the table of clients.

use countersign::scope::ScopeTexts;
use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{CommandOutput, SERVICE, TestApp, file};

fn stored(test: &TestApp) -> Value {
    test.cloud.item("ClientsTable", &json!({"client_id": ScopeTexts::KEY})).unwrap().unwrap_or_default()
}

async fn run(test: &TestApp, arguments: &[&str]) -> CommandOutput {
    command_line(test).run(arguments).await
}

#[tokio::test]
async fn texts_are_set_listed_and_removed() {
    let test = started().await;
    run(&test, &["scope", "list"]).await.assert(0, "No texts.");
    let describe = ["scope", "describe", "orders:read", "--text", "en=See your orders", "--text", "de=Sehen = gut"];
    run(&test, &describe).await.assert(0, "changing the tables");
    let texts = json!({"M": {"orders:read": {"M": {"en": {"S": "See your orders"}, "de": {"S": "Sehen = gut"}}}}});
    assert_eq!(stored(&test)["texts"], texts);

    run(&test, &["scope", "describe", "orders:*", "--text", "en=Use your orders"]).await.assert(0, "orders:*");
    let shown = command_line(&test).json(&["scope", "describe", "orders:read", "--text", "en=Read"]).await;
    assert_eq!(shown, json!({"orders:read": {"en": "Read", "de": "Sehen = gut"}}));
    let listed = command_line(&test).json(&["scope", "list"]).await;
    assert_eq!(listed["orders:*"], json!({"en": "Use your orders"}));
    run(&test, &["scope", "list"]).await.assert(0, "LANGUAGE");

    run(&test, &["scope", "remove", "orders:read"]).await.assert(0, "removed");
    run(&test, &["scope", "remove", "orders:read"]).await.assert(1, "\"orders:read\" has no text");
    assert_eq!(test.app.store.scope_texts().await.unwrap().entries().len(), 1);
}

#[tokio::test]
async fn texts_that_are_not_valid_are_rejected_before_the_first_write() {
    let test = started().await;
    for (code, arguments, said) in [
        (2, &["a"][..], "--text"),
        (2, &["a", "--text", "See"], "LANGUAGE=TEXT"),
        (1, &["a b", "--text", "en=See"], "\"a b\" is neither a scope"),
        (1, &["a", "--text", "english=See"], "is not a language"),
        (1, &["a", "--text", "en="], "is empty"),
    ] {
        run(&test, &[&["scope", "describe"], arguments].concat()).await.assert(code, said);
    }
    assert_eq!(stored(&test), Value::Null);
}

/// The item with the texts is in the table of clients.
#[tokio::test]
async fn no_command_takes_the_texts_for_a_client() {
    let test = started().await;
    let clients = command_line(&test).json(&["client", "list"]).await;
    run(&test, &["scope", "describe", "orders:*", "--text", "en=Use"]).await.assert(0, "");
    let before = stored(&test);
    assert_eq!(command_line(&test).json(&["client", "list"]).await, clients);
    for arguments in [["client", "show", ScopeTexts::KEY], ["client", "disable", ScopeTexts::KEY]] {
        run(&test, &arguments).await.assert(1, "not found");
    }
    run(&test, &["client", "delete", ScopeTexts::KEY, "--yes"]).await.assert(1, "not found");
    run(&test, &["client", "create", ScopeTexts::KEY]).await.assert(2, "A-Z");
    let path = file("texts.jsonl", &json!({"client_id": ScopeTexts::KEY, "enabled": true}).to_string());
    run(&test, &["import", "clients", path.to_str().unwrap()]).await.assert(3, "line 1");
    let path = file("texts.toml", &format!("[clients.{}]\n", SERVICE.0));
    let planned = run(&test, &["plan", path.to_str().unwrap(), "--prune"]).await;
    assert!(!format!("{planned:?}").contains(ScopeTexts::KEY), "{planned:?}");
    run(&test, &["apply", path.to_str().unwrap(), "--prune", "--yes"]).await.assert(0, "applied");
    let url = test.serve().await;
    let checked = run(&test, &["--url", &url, "doctor"]).await;
    assert!(!format!("{checked:?}").contains(ScopeTexts::KEY), "{checked:?}");
    assert_eq!(stored(&test), before);
}

#[tokio::test]
async fn apply_makes_the_texts_equal_to_the_file() {
    let test = started().await;
    run(&test, &["scope", "describe", "old", "--text", "en=Old"]).await.assert(0, "");
    let service = format!("[clients.{}]\n", SERVICE.0);
    let plan = async |text: &str, more: &[&str]| {
        let path = file("scopes.toml", &format!("{service}{text}"));
        let planned = run(&test, &[&["plan", path.to_str().unwrap()], more].concat()).await;
        run(&test, &[&["apply", path.to_str().unwrap(), "--yes"], more].concat()).await.assert(0, "");
        planned
    };
    let entries = async || json!(test.app.store.scope_texts().await.unwrap().entries());

    let text = "[scopes.new]\nen = \"New\"\nde = \"Neu\"\n";
    plan(text, &[]).await.assert(3, "    new: none -> {\"de\":\"Neu\",\"en\":\"New\"}");
    assert_eq!(entries().await, json!({"new": {"en": "New", "de": "Neu"}, "old": {"en": "Old"}}));
    plan(text, &[]).await.assert(0, "No changes.");
    let planned = plan("[scopes.new]\nen = \"New\"\n", &["--json"]).await.json();
    let difference = json!({"attribute": "new", "from": {"en": "New", "de": "Neu"}, "to": {"en": "New"}});
    assert_eq!(planned, json!([{"step": "describe", "differences": [difference]}]));
    // A file without texts of scopes does not change them.
    plan("", &["--prune"]).await.assert(3, "- autonomy-web");
    assert_eq!(entries().await.as_object().unwrap().len(), 2);
    plan("[scopes]\nnew.en = \"New\"\n", &["--prune"]).await.assert(3, "old: {\"en\":\"Old\"} -> none");
    assert_eq!(entries().await, json!({"new": {"en": "New"}}));

    let path = file("bad-scopes.toml", "[clients]\n[scopes.a]\nEN = \"x\"\n");
    run(&test, &["plan", path.to_str().unwrap()]).await.assert(1, "\"EN\" is not a language");
    test.interceptor.fail("UpdateItem ClientsTable", 400, "AccessDeniedException");
    let path = file("scopes.toml", &format!("{service}[scopes.new]\nen = \"Newer\"\n"));
    run(&test, &["apply", path.to_str().unwrap(), "--yes"]).await.assert(1, "texts of scopes: permission denied");
}

#[tokio::test]
async fn malformed_texts_are_reported() {
    let test = started().await;
    test.cloud.put("ClientsTable", &json!({"client_id": ScopeTexts::KEY, "texts": {"a b": {"en": "x"}}})).unwrap();
    run(&test, &["scope", "list"]).await.assert(1, "malformed: texts");
    let url = test.serve().await;
    run(&test, &["--url", &url, "doctor"]).await.assert(1, "malformed (texts)");
}
