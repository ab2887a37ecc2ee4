//! `docs/cli.md`: each command of the page runs, in the order of the page, and prints the output of the page.

use std::path::Path;
use std::process::Stdio;

use super::keys::made;
use crate::{BINARY, command_line};
use countersign::throttle::Subject;
use serde_json::{Value, json};
use testing::{ISSUER, LogLines, TestApp, fresh_path};

const PAGE: &str = include_str!("../../../docs/cli.md");

/// Returns the fenced blocks of a page: the text after the fence, and the lines.
fn blocks(page: &'static str) -> Vec<(String, Vec<&'static str>)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(mark) = line.strip_prefix("```") {
            blocks.push((mark.to_owned(), lines.by_ref().take_while(|line| *line != "```").collect()));
        }
    }
    blocks
}

/// Splits a line into words. Replaces secrets, ids, times and durations, which differ in each run.
fn words(line: &str) -> Vec<&str> {
    let word = |word| {
        let bare = str::trim_matches(word, ['(', ')', ',', ';', '.']);
        let is_id = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        match bare.len() {
            51.. if bare.starts_with("cs_") => "a secret",
            20 if bare.ends_with('Z') && bare.starts_with("20") => "a time",
            43 | 22 if bare.chars().all(is_id) => "an id",
            8 if bare.chars().all(|digit| digit.is_ascii_hexdigit()) => "an id",
            2..4 if bare.ends_with(['d', 'h', 'm', 's']) && bare.starts_with(|first: char| first.is_ascii_digit()) => {
                "a span"
            }
            _ => word,
        }
    };
    line.split_whitespace().map(word).collect()
}

#[test]
fn only_secrets_ids_times_and_durations_may_differ() {
    let secret = "cs_AEySRE2C5eRzfN5Lq8o0NmkXMJ69Txb3xN-E3NgnBUE1PAUaP";
    let line = |time: &str| format!("{secret} expires in 59m 58s, at {time}, not f476fbc4");
    assert_eq!(words(&line("2026-11-22T01:05:07Z")), words(&line("2027-01-01T00:00:00Z").replace("59m", "3s")));
    for other in ["cs_short", "tomorrow", "59 minutes", "f476fbcx"] {
        assert_ne!(words(other), words("2026-11-22T01:05:07Z"));
    }
}

/// Runs a command of the page. Returns its output, stdout and stderr in one stream as on a terminal.
async fn run(test: &TestApp, folder: &Path, url: &str, command: &str) -> Vec<String> {
    let binaries = Path::new(BINARY).parent().unwrap().display();
    let mut shell = command_line(test).program("bash", &["-c", &format!("exec 2>&1; {command}")]);
    shell
        .env("PATH", format!("{binaries}:/usr/bin:/bin"))
        .env("COUNTERSIGN_STACK", "countersign")
        .env("COUNTERSIGN_URL", url)
        .current_dir(folder)
        .stdin(Stdio::null());
    let output = shell.output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim_end().to_owned()).collect()
}

#[tokio::test]
async fn each_command_prints_the_output_on_the_page() {
    let test = made(5 * 86_400).await;
    let log = LogLines::collect();
    let url = test.serve().await;
    test.interceptor.describe_as_deployed();
    for table in ["ClientsTable", "UsersTable"] {
        empty(&test, table).await;
    }
    put_attempts(&test);
    let folder = fresh_path("page");
    std::fs::create_dir_all(&folder).unwrap();
    let mut commands = 0;
    for (mark, lines) in blocks(PAGE) {
        // A file for the commands after it. Its name follows its language.
        if let Some((_, name)) = mark.split_once(' ') {
            std::fs::write(folder.join(name), lines.join("\n") + "\n").unwrap();
        }
        if mark != "console" {
            continue;
        }
        let mut written = lines.into_iter().peekable();
        while let Some(line) = written.next() {
            let mut command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("no command: {line}")).to_owned();
            while command.ends_with('\\') {
                command = format!("{}\n{}", command, written.next().unwrap());
            }
            let mut expected = Vec::new();
            while let Some(line) = written.next_if(|line| !line.starts_with("$ ")) {
                expected.push(line.trim_end());
            }
            test.interceptor.set_audit_log(log.lines().into_iter().map(with_source).collect());
            let printed = run(&test, &folder, &url, &command).await;
            let printed: Vec<_> = printed.iter().map(|line| line.replace(&url, ISSUER)).collect();
            let same = printed.len() == expected.len()
                && expected.iter().zip(&printed).all(|(written, printed)| words(written) == words(printed));
            assert!(same, "{command}\n-- the page\n{}\n-- printed\n{}", expected.join("\n"), printed.join("\n"));
            commands += 1;
        }
    }
    assert!(commands > 20, "{commands}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// `URL`, `ENTRY` and other words in capitals are placeholders, so a command may fail, but not because of its options.
#[tokio::test]
async fn each_command_of_the_page_about_machine_identity_parses() {
    let test = made(5 * 86_400).await;
    let folder = fresh_path("machine-identity");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("token.jwt"), "x").unwrap();
    let blocks = blocks(include_str!("../../../docs/machine-identity.md"));
    let text: Vec<_> = blocks
        .iter()
        .filter(|(mark, _)| mark == "sh")
        .map(|(_, lines)| lines.join("\n").replace("\\\n", " "))
        .collect();
    let commands: Vec<_> =
        text.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("countersign ")).collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        let printed = run(&test, &folder, ISSUER, command).await.join("\n");
        assert!(!printed.contains("For more information, try '--help'"), "{command}\n{printed}");
        assert!(!printed.is_empty(), "{command}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Adds the address of the caller to a line, because no gateway is in front of the API.
fn with_source(mut line: Value) -> Value {
    line["source"] = json!("203.0.113.7");
    line
}

/// Stores a login from a known network four days ago, and an attack that blocks the account now.
fn put_attempts(test: &TestApp) {
    let (subject, now) = (Subject::account("john.smith@example.com"), test.now());
    let network = json!({"failures": 0, "last_at": now - 4 * 86_400});
    let item = json!({"id": subject.item_id(), "failures": 12, "last_at": now, "n:0123456789abcdef": network});
    test.cloud.put("GrantsTable", &item).unwrap();
}

/// Deletes all records of a table.
async fn empty(test: &TestApp, table: &str) {
    let (kind, key) = if table == "ClientsTable" { ("client", "client_id") } else { ("user", "username") };
    let listed = command_line(test).run(&[kind, "list", "--json"]).await;
    let records: Vec<Value> = if kind == "client" {
        serde_json::from_str(&listed.out).unwrap()
    } else {
        listed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    for record in records {
        let id = record[key].as_str().unwrap();
        command_line(test).run(&[kind, "delete", id, "--yes"]).await.assert(0, "deleted");
    }
}
