//! The public sequences: requests, with changes of the tables between them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::forge::forge;
use super::{check, cookie, request};
use testing::{CHEAP_ARGON2, Response, TestApp, fixtures, join_all};

/// A file of sequences.
struct Sequences {
    file: Value,
    clients: Vec<Value>,
    users: Vec<Value>,
}

impl Sequences {
    fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name);
        let file = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        // Simultaneous requests share one thread here, so the hashes are cheap.
        let (clients, users) = fixtures(&file, CHEAP_ARGON2);
        Self { file, clients, users }
    }
}

/// The responses that must be the same, by the name of their group: status, headers and body.
pub type Groups = Arc<Mutex<HashMap<String, (u16, Vec<String>, Vec<u8>)>>>;

#[tokio::test]
async fn every_public_sequence_gets_its_expected_responses() {
    let mut failed = Vec::new();
    for name in ["sequences.json", "throttle.json", "revocation.json"] {
        let sequences = Arc::new(Sequences::read(name));
        let groups = Groups::default();
        let ids: Vec<_> = sequences.file["cases"].as_array().unwrap().iter().map(|case| &case["id"]).collect();
        for (index, id) in ids.iter().enumerate() {
            if tokio::spawn(run(sequences.clone(), index, groups.clone())).await.is_err() {
                failed.push(id.as_str().unwrap().to_owned());
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

async fn run(sequences: Arc<Sequences>, index: usize, groups: Groups) {
    let (settings, sequence) = (&sequences.file["settings"], &sequences.file["cases"][index]);
    let test = TestApp::start_with(|config| {
        config.argon2 = CHEAP_ARGON2;
        settings["issuer"].as_str().unwrap().clone_into(&mut config.issuer);
        config.lifetimes.refresh_grace = settings["refresh_grace"].as_u64().unwrap().try_into().unwrap();
    })
    .await;
    for (table, items) in [("ClientsTable", &sequences.clients), ("UsersTable", &sequences.users)] {
        for item in items {
            test.cloud.put(table, item).unwrap();
        }
    }
    let mut run = Run { test, saved: HashMap::new(), snapshots: HashMap::new(), groups };
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
    groups: Groups,
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
                "expect" | "expect_counts" | "save" | "times" | "parallel" => {}
                "wait" => self.test.advance_clock(value.as_i64().unwrap()),
                "store" => store(&self.test, value),
                "forge" => {
                    let text = |name: &str| value[name].as_str().unwrap();
                    let forged = forge(&self.test, &self.saved[text("from")], text("how")).await;
                    self.saved.insert(text("save").to_owned(), forged);
                }
                "snapshot" => {
                    self.snapshots.insert(value.as_str().unwrap().to_owned(), self.test.items("GrantsTable"));
                }
                "restore" => self.restore(&self.snapshots[value.as_str().unwrap()]),
                other => panic!("{id}: there is no {other}"),
            }
        }
    }

    async fn send(&mut self, id: &str, step: &Value) {
        if let Some(count) = step["parallel"].as_u64() {
            let responses = join_all((0..count).map(|_| self.test.send(request(&step["request"])))).await;
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for response in responses {
                *counts.entry(response.status.to_string()).or_default() += 1;
            }
            assert_eq!(json!(counts), step["expect_counts"], "{id}");
            return;
        }
        for _ in 0..step["times"].as_u64().unwrap_or(1) {
            let response = self.test.send(request(&step["request"])).await;
            check(id, &step["expect"], &response);
            if let Some(group) = step["expect"]["same_as"].as_str() {
                compare(&self.groups, (id, group), &response);
            }
            for (name, source) in step["save"].as_object().into_iter().flatten() {
                let value = match source.as_str().unwrap().split_once(':').unwrap() {
                    ("json", member) => response.body[member].as_str().unwrap(),
                    ("cookie", cookie_name) => cookie(&response, cookie_name).0,
                    (other, _) => panic!("{id}: there is no {other}"),
                };
                self.saved.insert(name.clone(), value.to_owned());
            }
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

/// Asserts that a response is the same as the others of its group, except for its nonce and the seconds of `Retry-After`.
pub fn compare(groups: &Groups, (id, group): (&str, &str), response: &Response) {
    let headers = response.headers.iter().filter(|(name, _)| !["retry-after", "dpop-nonce"].contains(&name.as_str()));
    let mut headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    headers.sort();
    let same = (response.status, headers, response.bytes.to_vec());
    let mut groups = groups.lock().unwrap();
    assert_eq!(groups.entry(group.to_owned()).or_insert_with(|| same.clone()), &same, "{id} differs from its group");
}

/// Changes a record like an operator: sets, removes and adds to attributes.
pub fn store(test: &TestApp, change: &Value) {
    let (table, key) = match change["table"].as_str().unwrap() {
        "users" => ("UsersTable", "username"),
        "clients" => ("ClientsTable", "client_id"),
        other => panic!("there is no table {other}"),
    };
    for (kind, attributes) in
        change.as_object().unwrap().iter().filter(|(kind, _)| !["key", "table"].contains(&kind.as_str()))
    {
        let names: Vec<_> = match attributes {
            Value::Object(attributes) => attributes.keys().cloned().collect(),
            names => serde_json::from_value(names.clone()).unwrap(),
        };
        for name in names {
            let (expression, value) = match kind.as_str() {
                "set" => ("SET #name = :value", Some(&attributes[&name])),
                "add" => ("ADD #name :value", Some(&attributes[&name])),
                "remove" => ("REMOVE #name", None),
                other => panic!("there is no change {other}"),
            };
            let mut update = json!({
                "TableName": table,
                "Key": {key: {"S": change["key"]}},
                "UpdateExpression": expression,
                "ExpressionAttributeNames": {"#name": name},
            });
            if let Some(value) = value {
                update["ExpressionAttributeValues"] = json!({":value": stored(value)});
            }
            test.cloud.database.update_item(serde_json::from_value(update).unwrap()).unwrap();
        }
    }
}

/// Returns the value of an attribute in the JSON of DynamoDB. A list of texts is a set.
fn stored(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => json!({"BOOL": flag}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(values) if values.iter().all(Value::is_string) => json!({"SS": values}),
        Value::Array(values) => json!({"L": values.iter().map(stored).collect::<Vec<_>>()}),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), stored(value)));
            json!({"M": members.collect::<serde_json::Map<_, _>>()})
        }
        Value::Null => panic!("null is not an attribute"),
    }
}
