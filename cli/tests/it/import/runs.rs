//! Imports that are interrupted, throttled or not permitted.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt;

use super::{assert_rejected, import, user};
use crate::{command_line, started};
use testing::{CommandOutput, TestApp, file, form, fresh_path};

/// After Ctrl-C, the same command completes the import.
#[tokio::test]
async fn the_same_command_completes_an_import_that_was_stopped() {
    const USERS: usize = 3_000;
    let test = started().await;
    let lines: String = (0..USERS)
        .map(|number| format!("{}\n", json!({"username": format!("user-{number}"), "user_id": format!("id-{number}")})))
        .collect();
    let path = file("many.jsonl", &lines);
    let process = command_line(&test).start(&["import", "users", path.to_str().unwrap(), "--json"]);
    let id = process.id().unwrap().to_string();
    let running = tokio::spawn(CommandOutput::of(process, ""));
    while test.interceptor.calls().iter().filter(|call| *call == "PutItem UsersTable").count() < 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let stopped = running.await.unwrap();
    stopped.assert(130, "run the same command again to continue");
    let first = stopped.json()["schemes"]["no password"]["new"].as_u64().unwrap();
    assert!((200..3_000).contains(&first), "{first}");

    let done = import(&test, "users", &path, &[]).await;
    let counts = done.assert(0, "").json()["schemes"]["no password"].clone();
    assert_eq!(counts, json!({"new": 3_000 - first, "replaced": 0, "existing": first}));
    let status = command_line(&test).json(&["import", "status"]).await;
    assert_eq!(status["users"], USERS + TestApp::user_count());
}

/// The import retries while AWS throttles. If AWS rejects the write, the import stops and says how to continue.
#[tokio::test]
async fn an_import_waits_for_a_table_that_throttles_and_stops_without_permission() {
    let test = started().await;
    let path = file("few.jsonl", &json!({"username": "late"}).to_string());
    test.interceptor.fail("PutItem UsersTable", 400, "ProvisionedThroughputExceededException");
    let process = command_line(&test).start(&["import", "users", path.to_str().unwrap(), "--json"]);
    let running = tokio::spawn(CommandOutput::of(process, ""));
    while test.interceptor.calls().iter().filter(|call| *call == "PutItem UsersTable").count() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    test.interceptor.stop_failing();
    running.await.unwrap().assert(0, "new\": 1");

    test.interceptor.fail("PutItem UsersTable", 400, "AccessDeniedException");
    let path = file("more.jsonl", &json!({"username": "later"}).to_string());
    let denied = import(&test, "users", &path, &[]).await;
    denied.assert(1, "line 1: permission denied: your role lacks dynamodb:PutItem on a-table");
    denied.assert(1, "Run the same command again to continue");
}

/// A record that DynamoDB rejects is a rejected line. A file that cannot be read ends the import.
#[tokio::test]
async fn a_record_that_cannot_be_stored_is_rejected_and_a_read_error_ends_the_import() {
    let test = started().await;
    test.interceptor.fail("PutItem UsersTable", 400, "ValidationException");
    let path = file("odd.jsonl", &json!({"username": "odd"}).to_string());
    import(&test, "users", &path, &[]).await.assert(3, "line 1: DynamoDB rejects the record");
    test.interceptor.stop_failing();
    let folder = fresh_path("folder.jsonl");
    std::fs::create_dir_all(&folder).unwrap();
    import(&test, "users", &folder, &[]).await.assert(1, "line 1 cannot be read");
}

#[tokio::test]
async fn a_line_of_more_than_1_mib_is_rejected_and_the_others_are_imported() {
    let test = started().await;
    let named = |username: &str| json!({"username": username}).to_string();
    let long = |bytes: usize| "x".repeat(bytes);
    let lines = [named("one"), long((1 << 20) - 1), named("two"), long(3 << 20), named("three"), long(1 << 21)];
    let ran = import(&test, "users", &file("long.jsonl", &lines.join("\n")), &[]).await;
    let too_long = "the line is longer than 1 MiB";
    assert_rejected(&ran, &[(2, "the line is not valid JSON"), (4, too_long), (6, too_long)]);
    for username in ["one", "two", "three"] {
        assert_ne!(user(&test, username), Value::Null, "{username}");
    }
}

/// Stdin may never end, so the second Ctrl-C does not wait for it.
#[tokio::test]
async fn a_second_ctrl_c_ends_an_import_immediately() {
    let test = started().await;
    let mut process = command_line(&test).start(&["import", "users", "-", "--format", "jsonl"]);
    let mut input = process.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, b"{\"username\":\"first\"}\n").await.unwrap();
    let id = process.id().unwrap().to_string();
    let interrupt = || assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let mut said = tokio::io::BufReader::new(process.stderr.take().unwrap()).lines();
    // Another task, which handles Ctrl-C, begins before this call.
    while test.interceptor.calls().iter().all(|call| call != "PutItem UsersTable") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    interrupt();
    while !said.next_line().await.unwrap().unwrap().contains("press Ctrl-C again") {}
    interrupt();
    let status = tokio::time::timeout(Duration::from_mins(1), process.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130));
    drop(input);
}

#[tokio::test]
async fn an_imported_secret_authenticates_encoded_and_raw() {
    let test = started().await;
    let line = json!({
        "client_id": "old", "secret": "a+b%c/=Zq8vN2xKw7Lr", "grant_types": ["client_credentials"], "scopes": ["a"],
        "default_scopes": ["a"],
    });
    let path = file("clients.jsonl", &line.to_string());
    let ran = command_line(&test).run(&["import", "clients", path.to_str().unwrap(), "--json"]).await;
    ran.assert(0, "");
    assert!(!ran.err.to_lowercase().contains("warn"), "{ran:?}");
    for (halves, status) in
        [("old:a+b%c/=Zq8vN2xKw7Lr", 200), ("old:a%2Bb%25c%2F%3DZq8vN2xKw7Lr", 200), ("old:a b%c/=Zq8vN2xKw7Lr", 401)]
    {
        let authorization = format!("Basic {}", STANDARD.encode(halves));
        let request = form(&[("grant_type", "client_credentials")]).header("authorization", &authorization);
        assert_eq!(test.send(request.post()).await.status, status, "{halves}");
    }
}
