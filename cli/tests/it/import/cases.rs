//! The public cases of imports: each line of `tests/cases/import.jsonl` is one import into tables of its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{APPLICATION, CASES, CommandOutput, TestApp, file, form};

const LINES: &str = include_str!("../../../../tests/cases/import.jsonl");

#[tokio::test]
async fn every_public_import_has_its_one_right_result() {
    let cases = LINES.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (mut count, mut wrong) = (0, Vec::new());
    for case in cases.filter(|case| case.get("id").is_some()) {
        count += 1;
        let differences = differences(&case).await;
        if !differences.is_empty() {
            wrong.push(format!("{}: {}", case["id"], differences.join("; ")));
        }
    }
    assert!(count >= 23, "{count}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Runs a case, and returns the differences between the results and what the case expects.
async fn differences(case: &Value) -> Vec<String> {
    let test = with_given(&case["given"]).await;
    let format = case["format"].as_str().unwrap();
    let path = file(&format!("case.{format}"), case["file"].as_str().unwrap());
    let command = case["command"].as_str().unwrap().split(' ');
    let arguments: Vec<_> = command.chain([path.to_str().unwrap(), "--format", format, "--json"]).collect();
    let is_users = arguments[1] == "users";
    let ran = command_line(&test).run(&arguments).await;
    let expect = &case["expect"];

    let mut found = report(&ran, expect);
    for (key, attributes) in expect["stored"].as_object().into_iter().flatten() {
        found.extend(stored(&test, is_users, key, attributes));
    }
    if let Some(status) = expect["login"].as_u64() {
        found.extend(if is_users { login(&test, case, status).await } else { secrets(&test, case, status).await });
    }
    found
}

/// A deployment with these clients and users, and no others.
async fn with_given(given: &Value) -> TestApp {
    let test = started().await;
    for (list, table, key) in [("clients", "ClientsTable", "client_id"), ("users", "UsersTable", "username")] {
        for fixture in CASES["fixtures"][list].as_array().unwrap() {
            let request = json!({"TableName": table, "Key": {key: {"S": fixture[key]}}});
            test.cloud.database.delete_item(serde_json::from_value(request).unwrap()).unwrap();
        }
        assert!(keys(&test, table, key).is_empty());
        for item in given[list].as_array().into_iter().flatten() {
            test.cloud.put(table, item).unwrap();
        }
    }
    test
}

fn keys(test: &TestApp, table: &str, key: &str) -> Vec<String> {
    let request = serde_json::from_value(json!({"TableName": table})).unwrap();
    let found = serde_json::to_value(test.cloud.database.scan(request).unwrap()).unwrap();
    let items = found["Items"].as_array().unwrap().iter();
    items.map(|item| item[key]["S"].as_str().unwrap().to_owned()).collect()
}

/// Compares the counts, the exit code and the warnings.
fn report(ran: &CommandOutput, expect: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, is: Value, expected: &Value| {
        if !expected.is_null() && is != *expected {
            found.push(format!("{what} is {is}, not {expected}"));
        }
    };
    let remarks = ran.err.lines().filter(|line| !line.contains("changing the tables"));
    compare("warning", json!(remarks.clone().count() > 0), &expect["warning"]);
    if expect["rejected_file"] == true {
        compare("exit code", json!(ran.code), &json!(1));
        compare("report", json!(ran.out), &json!(""));
        compare("number of errors", json!(remarks.count()), &json!(1));
        compare("imported", json!(0), &expect["imported"]);
        return found;
    }
    let report = ran.json();
    let schemes = report["schemes"].as_object().unwrap().values();
    let imported: u64 =
        schemes.flat_map(|counts| [&counts["new"], &counts["replaced"]]).map(|count| count.as_u64().unwrap()).sum();
    let rejected = report["rejected"].as_array().unwrap();
    compare("imported", json!(imported), &expect["imported"]);
    compare("rejected", json!(rejected.len()), &expect["rejected"]);
    compare("exit code", json!(ran.code), &json!(if rejected.is_empty() { 0 } else { 3 }));
    let reasons = rejected.iter().filter(|bad| bad["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    compare("number of reasons", json!(reasons.count()), &json!(rejected.len()));
    found
}

/// Compares attributes of a stored record.
fn stored(test: &TestApp, is_users: bool, key: &str, attributes: &Value) -> Vec<String> {
    let (table, name) = if is_users { ("UsersTable", "username") } else { ("ClientsTable", "client_id") };
    let Some(item) = test.cloud.item(table, &json!({name: key})).unwrap() else {
        return vec![format!("{key} is not stored")];
    };
    let mut found = Vec::new();
    for (name, value) in attributes.as_object().unwrap() {
        let expected = match value {
            Value::Null => Value::Null,
            Value::Bool(flag) => json!({"BOOL": flag}),
            Value::Number(number) => json!({"N": number.to_string()}),
            Value::Array(tokens) => json!({"SS": tokens}),
            other => json!({"S": other}),
        };
        if item[name] != expected {
            found.push(format!("{name} of {key} is {}, not {expected}", item[name]));
        }
    }
    found
}

/// Logs the one user in, after an attempt with a wrong password.
async fn login(test: &TestApp, case: &Value, status: u64) -> Vec<String> {
    let usernames = keys(test, "UsersTable", "username");
    let [username] = &usernames[..] else {
        return vec![format!("the users are {usernames:?}")];
    };
    test.change_client(APPLICATION.0, &json!({}));
    let password = case["password"].as_str().unwrap();
    let mut found = Vec::new();
    for (password, expected) in [(&*format!("{password}x"), 400), (password, status), (password, status)] {
        let response = test.password(username, password).await;
        if u64::from(response.status) != expected {
            found.push(format!("a login is {}, not {expected}: {}", response.status, response.body));
        }
    }
    found
}

/// Fetches a token for the one client with each secret, by Basic as it is and form-encoded.
async fn secrets(test: &TestApp, case: &Value, status: u64) -> Vec<String> {
    let clients = keys(test, "ClientsTable", "client_id");
    let [client_id] = &clients[..] else {
        return vec![format!("the clients are {clients:?}")];
    };
    let grant = [("grant_type", "client_credentials"), ("scope", "a")];
    let mut found = Vec::new();
    for secret in case["secrets"].as_array().unwrap().iter().map(|secret| secret.as_str().unwrap()) {
        let raw = format!("Basic {}", STANDARD.encode(format!("{client_id}:{secret}")));
        for (way, request) in [
            ("raw", form(&grant).header("authorization", &raw)),
            ("form-encoded", form(&grant).basic(client_id, secret)),
        ] {
            let response = test.send(request.post()).await;
            if u64::from(response.status) != status {
                found.push(format!("a {way} secret is {}, not {status}", response.status));
            }
        }
    }
    found
}
