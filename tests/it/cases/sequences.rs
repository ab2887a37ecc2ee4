//! The public sequences: requests, with changes of the tables between them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{check, request};
use testing::{TestApp, fixtures};

static SEQUENCES: LazyLock<Value> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/sequences.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
});

static FIXTURES: LazyLock<(Vec<Value>, Vec<Value>)> = LazyLock::new(|| fixtures(&SEQUENCES));

#[tokio::test]
async fn every_public_sequence_gets_its_expected_responses() {
    let mut failed = Vec::new();
    for sequence in SEQUENCES["cases"].as_array().unwrap() {
        if tokio::spawn(run(sequence)).await.is_err() {
            failed.push(sequence["id"].as_str().unwrap());
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

async fn run(sequence: &Value) {
    let settings = &SEQUENCES["settings"];
    let test = TestApp::start_with(|config| {
        settings["issuer"].as_str().unwrap().clone_into(&mut config.issuer);
        config.lifetimes.refresh_grace = settings["refresh_grace"].as_u64().unwrap().try_into().unwrap();
    })
    .await;
    for (table, items) in [("ClientsTable", &FIXTURES.0), ("UsersTable", &FIXTURES.1)] {
        for item in items {
            test.cloud.put(table, item).unwrap();
        }
    }
    let mut run = Run { test, saved: HashMap::new(), snapshots: HashMap::new() };
    for (number, step) in sequence["steps"].as_array().unwrap().iter().enumerate() {
        run.step(&format!("{}, step {}", sequence["id"], number + 1), step).await;
    }
}

/// A running sequence.
struct Run {
    test: TestApp,
    /// The values of responses that later steps use, by name.
    saved: HashMap<String, String>,
    /// Copies of the grants table, by name.
    snapshots: HashMap<String, Vec<Value>>,
}

impl Run {
    async fn step(&mut self, id: &str, step: &Value) {
        let mut text = step.to_string();
        for (name, value) in &self.saved {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        let step: Value = serde_json::from_str(&text).unwrap();
        for (kind, value) in step.as_object().unwrap() {
            match kind.as_str() {
                "request" => self.send(id, &step).await,
                "expect" | "save" => {}
                "store" => self.store(value),
                "snapshot" => {
                    self.snapshots.insert(value.as_str().unwrap().to_owned(), self.test.items("GrantsTable"));
                }
                "restore" => self.restore(&self.snapshots[value.as_str().unwrap()]),
                other => panic!("{id}: there is no {other}"),
            }
        }
    }

    async fn send(&mut self, id: &str, step: &Value) {
        let response = self.test.send(request(&step["request"])).await;
        check(id, &step["expect"], &response);
        for (name, source) in step["save"].as_object().into_iter().flatten() {
            let member = source.as_str().unwrap().strip_prefix("json:").unwrap();
            self.saved.insert(name.clone(), response.body[member].as_str().unwrap().to_owned());
        }
    }

    /// Adds numbers to attributes of a record.
    fn store(&self, change: &Value) {
        let (table, key) = match change["table"].as_str().unwrap() {
            "users" => ("UsersTable", "username"),
            "clients" => ("ClientsTable", "client_id"),
            other => panic!("there is no table {other}"),
        };
        assert_eq!(change.as_object().unwrap().keys().collect::<Vec<_>>(), ["add", "key", "table"]);
        for (name, number) in change["add"].as_object().unwrap() {
            let update = json!({
                "TableName": table,
                "Key": {key: {"S": change["key"]}},
                "UpdateExpression": "ADD #name :number",
                "ExpressionAttributeNames": {"#name": name},
                "ExpressionAttributeValues": {":number": {"N": number.to_string()}},
            });
            self.test.cloud.database.update_item(serde_json::from_value(update).unwrap()).unwrap();
        }
    }

    /// Replaces the items of the grants table.
    fn restore(&self, items: &[Value]) {
        for item in self.test.items("GrantsTable") {
            self.test.delete_item("GrantsTable", &json!({"id": item["id"]}));
        }
        for item in items {
            self.test.restore_item("GrantsTable", item);
        }
        assert_eq!(self.test.items("GrantsTable").len(), items.len());
    }
}
