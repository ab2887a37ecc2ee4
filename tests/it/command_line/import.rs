//! `countersign import`: what comes over from elsewhere, and what does not.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use countersign::password_hash::Hasher;
use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt;

use super::started;
use crate::support::{Ran, SCOPE, TestApp, USERNAME, file, fresh_path};

const IMPORTED: &str = "imported-password";

async fn import(test: &TestApp, kind: &str, path: &Path, more: &[&str]) -> Ran {
    let path = path.to_str().unwrap();
    test.command_line().run(&[&["import", kind, path, "--json"], more].concat()).await
}

fn user(test: &TestApp, username: &str) -> Value {
    test.cloud.item("UsersTable", &json!({"username": username})).unwrap().unwrap_or_default()
}

fn pbkdf2(salt: &[u8], rounds: u32) -> Vec<u8> {
    let mut hash = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds.try_into().unwrap(), salt, IMPORTED.as_bytes(), &mut hash);
    hash.to_vec()
}

/// One hash of the same password in every form, with the scheme that it is reported as.
fn hashes() -> Vec<(&'static str, &'static str, String)> {
    let bcrypt = |version| bcrypt::hash_with_salt(IMPORTED, 4, [7; 16]).unwrap().format_for_version(version);
    let salt = b"salt-of-16-bytes";
    let hash = pbkdf2(salt, 1000);
    let (phc_salt, phc_hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(&hash));
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("argon2id", "argon2id", Hasher::new(64, 1, 1).unwrap().hash(IMPORTED).unwrap().as_str().to_owned()),
        ("laravel", "bcrypt", bcrypt(bcrypt::Version::TwoY)),
        ("bcrypt-b", "bcrypt", bcrypt(bcrypt::Version::TwoB)),
        ("bcrypt-a", "bcrypt", bcrypt(bcrypt::Version::TwoA)),
        ("phc", "pbkdf2-sha256", format!("$pbkdf2-sha256$i=1000${phc_salt}${phc_hash}")),
        (
            "passlib",
            "pbkdf2-sha256",
            format!("$pbkdf2-sha256$1000${}${}", phc_salt.replace('+', "."), phc_hash.replace('+', ".")),
        ),
        ("django", "pbkdf2-sha256", format!("pbkdf2_sha256$1000$salt-of-16-bytes${}", STANDARD.encode(&hash))),
        (
            "django-argon2",
            "argon2id",
            format!("argon2{}", Hasher::new(64, 1, 1).unwrap().hash(IMPORTED).unwrap().as_str()),
        ),
        ("django-bcrypt", "bcrypt", format!("bcrypt${}", bcrypt(bcrypt::Version::TwoB))),
        ("werkzeug", "pbkdf2-sha256", format!("pbkdf2:sha256:1000$salt-of-16-bytes${hex}")),
    ]
}

#[tokio::test]
async fn users_log_in_with_the_password_that_they_had_whatever_hashed_it() {
    let test = started().await;
    let mut lines = String::new();
    for (name, _, hash) in hashes() {
        writeln!(lines, "{}", json!({"username": name, "user_id": format!("id-{name}"), "password_hash": hash}))
            .unwrap();
    }
    writeln!(lines, "{}", json!({"username": "without"})).unwrap();
    let path = file("schemes.jsonl", &lines);
    let dry = import(&test, "users", &path, &["--dry-run"]).await;
    dry.assert(0, "");
    assert_eq!(user(&test, "laravel"), Value::Null, "a rehearsal writes nothing");
    let done = import(&test, "users", &path, &[]).await;
    done.assert(0, "changing the tables");
    let report = done.json();
    for (scheme, count) in [("argon2id", 2), ("bcrypt", 4), ("pbkdf2-sha256", 4), ("no password", 1)] {
        assert_eq!(report["schemes"][scheme], json!({"new": count, "replaced": 0, "was_there": 0}), "{scheme}");
        assert_eq!(report["schemes"], dry.json()["schemes"]);
    }

    // Of the fixtures two have an old hash, too.
    let status = test.command_line().json(&["import", "status"]).await;
    assert_eq!(status["waiting"], 12);
    assert_eq!(status["waiting_by_scheme"], json!({"argon2id": 2, "bcrypt": 6, "pbkdf2-sha256": 4}));
    for (name, ..) in hashes() {
        let claims = test.password(name, IMPORTED).await.assert_issued(2).0;
        assert_eq!(claims["sub"], format!("id-{name}"));
        assert_eq!(test.password(name, "imported-passwort").await.status, 400);
        let hash = user(&test, name)["password_hash"]["S"].as_str().unwrap().to_owned();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{name}");
    }
    let status = test.command_line().json(&["import", "status"]).await;
    assert_eq!(status["waiting_by_scheme"], json!({"bcrypt": 1}));

    // Again, with the same file: nothing is undone.
    let again = import(&test, "users", &path, &[]).await;
    assert_eq!(again.json()["schemes"]["bcrypt"], json!({"new": 0, "replaced": 0, "was_there": 4}));
    assert_eq!(test.command_line().json(&["import", "status"]).await["waiting"], 1);
}

#[tokio::test]
async fn a_bad_line_is_named_by_number_and_reason_and_the_others_go_in() {
    let test = started().await;
    let canary = "cAnArY-value";
    let bad: [(&str, String, &str); 20] = [
        ("no JSON", "{\"username\":".to_owned(), "it is no JSON object"),
        ("no object", "[1]".to_owned(), "it is no JSON object"),
        ("nothing", "{}".to_owned(), "missing field `username`"),
        ("plain password", json!({"username": "x1", "password": canary}).to_string(), "unknown field `password`"),
        (
            "number",
            json!({"username": "x2", "password_hash": 98_765_432}).to_string(),
            "the password_hash is not what it must be",
        ),
        ("plain", json!({"username": "x3", "password_hash": canary}).to_string(), "not a hash in a known form"),
        (
            "md5",
            json!({"username": "x4", "password_hash": "5f4dcc3b5aa765d61d8327deb882cf99"}).to_string(),
            "not a hash",
        ),
        ("cut", json!({"username": "x5", "password_hash": "$2y$10$abc"}).to_string(), "not a hash"),
        ("scrypt", json!({"username": "x6", "password_hash": "$scrypt$ln=1,r=8,p=1$YQ$YQ"}).to_string(), "not a hash"),
        ("django odd", json!({"username": "x7", "password_hash": "pbkdf2_md5$1$a$YQ=="}).to_string(), "not a hash"),
        ("werkzeug odd", json!({"username": "x8", "password_hash": "pbkdf2:sha256:9$a$abc"}).to_string(), "not a hash"),
        (
            "costly",
            json!({"username": "x9", "password_hash": hashes()[2].2.replace("$04$", "$31$")}).to_string(),
            "too much work",
        ),
        (
            "costly argon2",
            json!({"username": "y1", "password_hash": "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"})
                .to_string(),
            "too much work",
        ),
        (
            "sha256",
            json!({"username": "y2", "password_hash": countersign::password_hash::hash_client_secret("x")}).to_string(),
            "plain SHA-256",
        ),
        ("scope", json!({"username": "y3", "scopes": ["a b"]}).to_string(), "has a space in it"),
        ("scopes as text", json!({"username": "y4", "scopes": "a b"}).to_string(), "the scopes is not what it must be"),
        ("dealer", json!({"username": "y5", "dealer": canary}).to_string(), "the dealer is not what it must be"),
        ("username", json!({"username": "a b"}).to_string(), "is none that can be (RFC 8265)"),
        ("id", json!({"username": "y6", "user_id": ""}).to_string(), "the user_id is empty"),
        (
            "of another",
            json!({"username": USERNAME, "user_id": "another"}).to_string(),
            "taken by a user of another user_id",
        ),
    ];
    let mut lines = "\u{feff}".to_owned();
    for (number, (_, line, _)) in bad.iter().enumerate() {
        writeln!(lines, "{line}\n{}\n", json!({"username": format!("good-{number}")})).unwrap();
    }
    writeln!(lines, "{}", json!({"username": "GOOD-0"})).unwrap();
    for dry in [&["--dry-run"][..], &[]] {
        let ran = import(&test, "users", &file("bad.jsonl", &lines), dry).await;
        ran.assert(3, "line 1: ");
        assert!(!format!("{ran:?}").contains(canary) && !format!("{ran:?}").contains("98765432"));
        let report = ran.json();
        let told = report["bad"].as_array().unwrap();
        assert_eq!((told.len(), &report["lines"]), (21, &json!(41)));
        for (number, (name, _, reason)) in bad.iter().enumerate() {
            assert_eq!(told[number]["line"], 3 * number + 1, "{name}");
            assert!(told[number]["reason"].as_str().unwrap().contains(reason), "{name}: {}", told[number]);
        }
        assert!(told[20]["reason"].as_str().unwrap().contains("the same one as in a line before (line 2)"));
        assert_eq!(report["schemes"]["no password"]["new"], 20);
    }
    for number in 0..20 {
        assert_ne!(user(&test, &format!("good-{number}")), Value::Null);
    }
}

#[tokio::test]
async fn a_csv_says_the_same_as_json_lines() {
    let test = started().await;
    let hash = &hashes()[1].2;
    let csv = format!(
        "username,user_id,password_hash,scopes,dealer,enabled\n\
         anna@example.com,7,{hash},legacy:autonomy.read legacy:autonomy.write,\"{{\"\"id\"\":\"\"D-1\"\"}}\",true\n\
         berta@example.com,8,,,,0\n\
         carla@example.com,9\n\
         dora@example.com,10,,,{{,\n\
         emma@example.com,11,,,,maybe\n"
    );
    let ran = import(&test, "users", &file("users.csv", &csv), &[]).await;
    let bad = ran.assert(3, "").json()["bad"].clone();
    let expected =
        [(4, "it has 2 columns, and the heading 6"), (5, "the dealer is no JSON"), (6, "neither true nor false")];
    for (told, (line, reason)) in bad.as_array().unwrap().iter().zip(expected) {
        assert!(told["line"] == line && told["reason"].as_str().unwrap().contains(reason), "{told}");
    }
    assert_eq!(test.password("anna@example.com", IMPORTED).await.assert_issued(2).0["scope"], SCOPE);
    let anna = user(&test, "anna@example.com");
    assert_eq!(anna["dealer"]["M"]["id"]["S"], "D-1");
    assert_eq!(user(&test, "berta@example.com")["enabled"]["BOOL"], false);

    // As spreadsheets end lines; with blank lines, a cell of two lines, and no end of the last line.
    let csv = "username,user_id\r\nfritz,20\r\n\r\nber ta,21\r\n\"two\nlines\",22\r\nhans,23\r\nodd one,24";
    let told = import(&test, "users", &file("lines.csv", csv), &[]).await.json();
    let numbers: Vec<_> = told["bad"].as_array().unwrap().iter().map(|bad| bad["line"].as_u64().unwrap()).collect();
    assert_eq!((numbers, &told["lines"]), (vec![4, 5, 8], &json!(5)));
    assert_eq!(user(&test, "hans")["user_id"]["S"], "23");

    import(&test, "users", &file("empty.jsonl", "\n"), &[]).await.assert(3, "there are no lines");
    let odd = import(&test, "users", &file("odd.csv", "username,password\na,b\n"), &[]).await;
    odd.assert(1, "the first line is no heading");
    let bare = import(&test, "clients", &file("bare.csv", "cAnArY-secret,billing\n"), &[]).await;
    assert!(!format!("{:?}", bare.assert(1, "is no heading")).contains("cAnArY"));
    import(&test, "users", &file("twice.csv", "username,username\n"), &[]).await.assert(1, "a column twice");
    import(&test, "users", &file("odd.txt", ""), &[]).await.assert(1, "say --format");
    import(&test, "users", Path::new("/nowhere/users.csv"), &[]).await.assert(1, "cannot be read");
}

#[tokio::test]
async fn nothing_is_written_over_unless_that_is_wanted_and_the_id_of_a_user_never() {
    let test = started().await;
    let login = test.log_in().await;
    let line = json!({"username": USERNAME, "password_hash": hashes()[1].2, "enabled": true, "dealer": {"id": "new"}});
    let path = file("over.jsonl", &line.to_string());
    import(&test, "users", &path, &[]).await.assert(0, "was_there\": 1");
    assert_eq!(user(&test, USERNAME)["dealer"]["M"]["id"]["S"], "D-77");
    import(&test, "users", &path, &["--overwrite", "--dry-run"]).await.assert(0, "replaced\": 1");
    assert_eq!(user(&test, USERNAME)["dealer"]["M"]["id"]["S"], "D-77");
    import(&test, "users", &path, &["--overwrite"]).await.assert(0, "replaced\": 1");
    assert_eq!(test.password(USERNAME, IMPORTED).await.assert_issued(2).0["sub"], "1042");
    assert_eq!(test.refresh(&login).await.body["error"], "invalid_grant", "begun with another password");
}

#[tokio::test]
async fn clients_come_with_their_secrets_in_the_clear_or_hashed() {
    let test = started().await;
    let generated = countersign::password_hash::generate_client_secret();
    let common = json!({"grant_types": ["client_credentials"], "scopes": ["a"], "default_scopes": ["a"]});
    let line = |more: Value| {
        let mut line = common.clone();
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.to_string()
    };
    let lines = [
        line(json!({"client_id": "plain", "secret": "40-letters-that-passport-made-one-day-00"})),
        line(json!({"client_id": "ours", "secret": generated})),
        line(json!({"client_id": "9b1c.legacy client", "secret_hash": hashes()[1].2})),
        line(json!({"client_id": "both", "secret": "x", "secret_hash": "y"})),
        line(json!({"client_id": "umlaut", "secret": "p\u{e4}ss"})),
        line(json!({"secret": "x"})),
        line(json!({"client_id": "odd", "grant_types": ["implicit"]})),
        line(json!({"client_id": "typo", "scope": "a"})),
    ];
    let path = file("clients.jsonl", &lines.join("\n"));
    let ran = import(&test, "clients", &path, &[]).await;
    let reasons = [
        "both a secret and a secret_hash",
        "not allowed",
        "missing field `client_id`",
        "\"implicit\" is none of",
        "unknown field `scope`",
    ];
    let bad = ran.assert(3, "").json()["bad"].clone();
    for ((told, reason), line) in bad.as_array().unwrap().iter().zip(reasons).zip(4..) {
        assert!(told["line"] == line && told["reason"].as_str().unwrap().contains(reason), "{told}");
    }
    let grant = [("grant_type", "client_credentials")];
    let secrets = [
        ("plain", "40-letters-that-passport-made-one-day-00", "$argon2id$"),
        ("ours", &generated, "$sha256$"),
        ("9b1c.legacy client", IMPORTED, "$2y$"),
    ];
    for (id, secret, scheme) in secrets {
        assert_eq!(test.form((id, secret), &grant).await.status, 200, "{id}");
        let item = test.cloud.item("ClientsTable", &json!({"client_id": id})).unwrap().unwrap();
        let hash = item["secrets"]["L"][0]["M"]["hash"]["S"].as_str().unwrap();
        assert!(hash.starts_with(scheme), "{id}");
        assert!(!format!("{ran:?}").contains(hash) && !format!("{ran:?}").contains(secret));
    }
}

/// Ctrl-C in the middle: what is in is in, and the same command completes it.
#[tokio::test]
async fn an_import_that_was_stopped_is_completed_by_the_same_command() {
    const USERS: usize = 3_000;
    let test = started().await;
    let lines: String = (0..USERS)
        .map(|number| format!("{}\n", json!({"username": format!("user-{number}"), "user_id": format!("id-{number}")})))
        .collect();
    let path = file("many.jsonl", &lines);
    let process = test.command_line().start(&["import", "users", path.to_str().unwrap(), "--json"]);
    let id = process.id().unwrap().to_string();
    let running = tokio::spawn(Ran::of(process, ""));
    while test.door.calls().iter().filter(|call| *call == "PutItem UsersTable").count() < 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let stopped = running.await.unwrap();
    stopped.assert(130, "the same command goes on");
    let first = stopped.json()["schemes"]["no password"]["new"].as_u64().unwrap();
    assert!((200..3_000).contains(&first), "{first}");

    let done = import(&test, "users", &path, &[]).await;
    let counts = done.assert(0, "").json()["schemes"]["no password"].clone();
    assert_eq!(counts, json!({"new": 3_000 - first, "replaced": 0, "was_there": first}));
    let status = test.command_line().json(&["import", "status"]).await;
    assert_eq!(status["users"], USERS + TestApp::users());
}

/// AWS asks to slow down, and then has had enough: the import waits, and then says how to go on.
#[tokio::test]
async fn an_import_waits_for_a_table_that_throttles_and_stops_where_it_may_not_write() {
    let test = started().await;
    let path = file("few.jsonl", &json!({"username": "late"}).to_string());
    test.door.fail("PutItem UsersTable", 400, "ProvisionedThroughputExceededException");
    let process = test.command_line().start(&["import", "users", path.to_str().unwrap(), "--json"]);
    let running = tokio::spawn(Ran::of(process, ""));
    while test.door.calls().iter().filter(|call| *call == "PutItem UsersTable").count() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    test.door.mend();
    running.await.unwrap().assert(0, "new\": 1");

    test.door.fail("PutItem UsersTable", 400, "AccessDeniedException");
    let path = file("more.jsonl", &json!({"username": "later"}).to_string());
    let refused = import(&test, "users", &path, &[]).await;
    refused.assert(1, "line 1: you may not do that: the right to dynamodb:PutItem on a-table is missing");
    refused.assert(1, "The same command goes on");
}

/// What DynamoDB does not take is a bad line, and what cannot be read is the end.
#[tokio::test]
async fn what_cannot_be_stored_is_a_bad_line_and_what_cannot_be_read_is_the_end() {
    let test = started().await;
    test.door.fail("PutItem UsersTable", 400, "ValidationException");
    let path = file("odd.jsonl", &json!({"username": "odd"}).to_string());
    import(&test, "users", &path, &[]).await.assert(3, "line 1: DynamoDB takes no such record");
    test.door.mend();
    let folder = fresh_path("folder.jsonl");
    std::fs::create_dir_all(&folder).unwrap();
    import(&test, "users", &folder, &[]).await.assert(1, "line 1 cannot be read");
    let endless = file("endless.jsonl", &"x".repeat((1 << 20) + 1));
    import(&test, "users", &endless, &[]).await.assert(1, "longer than 1 MiB");
}

/// No scope at all must not become every scope; and an id is one user's for ever.
#[tokio::test]
async fn no_line_gives_more_than_it_says() {
    let test = started().await;
    let lines = [
        json!({"username": "none", "scopes": []}),
        json!({"username": "one", "user_id": "77"}),
        json!({"username": "two", "user_id": "77"}),
        json!({"username": "three", "user_id": "1042"}),
    ];
    let path = file("more.jsonl", &lines.map(|line| line.to_string()).join("\n"));
    let bad = import(&test, "users", &path, &[]).await.assert(3, "").json()["bad"].clone();
    for (told, (line, reason)) in bad.as_array().unwrap().iter().zip([
        (1, "the scopes are an empty list"),
        (3, "the user_id is that of another user, for ever (one)"),
        (4, "the user_id is that of another user, for ever (john.smith@itccompliance.co.uk)"),
    ]) {
        assert!(told["line"] == line && told["reason"].as_str().unwrap().contains(reason), "{told}");
    }
    let named = ["user", "create", "four", "--user-id", "1042", "--no-password"];
    test.command_line().run(&named).await.assert(1, "the user_id is that of john.smith");

    // What was switched off stays off, and a password that is not said stays, too.
    test.command_line().run(&["user", "disable", USERNAME]).await.assert(0, "");
    let path = file("over.jsonl", &json!({"username": USERNAME, "dealer": {"id": "new"}}).to_string());
    let before = user(&test, USERNAME);
    import(&test, "users", &path, &["--overwrite"]).await.assert(0, "");
    let after = user(&test, USERNAME);
    assert_eq!((&after["enabled"], &after["password_hash"]), (&before["enabled"], &before["password_hash"]));
    assert_eq!(after["dealer"]["M"]["id"]["S"], "new");
}

/// The one who writes the input may never end it: the second Ctrl-C does not wait.
#[tokio::test]
async fn a_second_ctrl_c_ends_an_import_whose_input_does_not() {
    let test = started().await;
    let mut process = test.command_line().start(&["import", "users", "-", "--format", "jsonl"]);
    let mut input = process.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, b"{\"username\":\"first\"}\n").await.unwrap();
    let id = process.id().unwrap().to_string();
    let interrupt = || assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let mut said = tokio::io::BufReader::new(process.stderr.take().unwrap()).lines();
    // Nobody listens for it before that.
    while test.door.calls().iter().all(|call| call != "Scan UsersTable") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    interrupt();
    while !said.next_line().await.unwrap().unwrap().contains("stopping; Ctrl-C again") {}
    interrupt();
    let status = tokio::time::timeout(Duration::from_mins(1), process.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130));
    drop(input);
}
