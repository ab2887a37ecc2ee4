//! The lines of an import: which are accepted, and why others are rejected.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::{IMPORTED, assert_rejected, hashes, import, rejected, user};
use crate::{command_line, started};
use testing::{SCOPE, SERVICE, USERNAME, file};

const CANARY: &str = "cAnArY-value";

/// Returns lines that are rejected, each with its reason.
fn invalid_lines() -> Vec<(String, &'static str)> {
    let lines: [(&str, String, &str); 20] = [
        ("no JSON", "{\"username\":".to_owned(), "the line is not valid JSON; write a JSON object"),
        ("no object", "[1]".to_owned(), "the line is an array; write a JSON object"),
        ("nothing", "{}".to_owned(), "missing field `username`"),
        ("plain password", json!({"username": "x1", "password": CANARY}).to_string(), "unknown field `password`"),
        (
            "number",
            json!({"username": "x2", "password_hash": 98_765_432}).to_string(),
            "password_hash is a number; write a string",
        ),
        ("plain", json!({"username": "x3", "password_hash": CANARY}).to_string(), "not a hash in a known form"),
        (
            "md5",
            json!({"username": "x4", "password_hash": "5f4dcc3b5aa765d61d8327deb882cf99"}).to_string(),
            "a fast hash",
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
        ("scope", json!({"username": "y3", "scopes": ["a b"]}).to_string(), "contains a space"),
        (
            "scopes as text",
            json!({"username": "y4", "scopes": "a b"}).to_string(),
            "scopes is a string; write an array of strings",
        ),
        ("dealer", json!({"username": "y5", "dealer": CANARY}).to_string(), "dealer is a string; write an object"),
        ("username", json!({"username": "a b"}).to_string(), "is not valid (RFC 8265)"),
        ("id", json!({"username": "y6", "user_id": ""}).to_string(), "the user_id is empty"),
        (
            "of another",
            json!({"username": USERNAME, "user_id": "another"}).to_string(),
            "the stored user has another user_id",
        ),
    ];
    lines.into_iter().map(|(_, line, reason)| (line, reason)).collect()
}

#[tokio::test]
async fn rejected_lines_are_reported_with_number_and_reason_and_the_others_are_imported() {
    let test = started().await;
    let invalid = invalid_lines();
    let mut lines = "\u{feff}".to_owned();
    for (number, (line, _)) in invalid.iter().enumerate() {
        writeln!(lines, "{line}\n{}\n", json!({"username": format!("good-{number}")})).unwrap();
    }
    writeln!(lines, "{}", json!({"username": "GOOD-0"})).unwrap();
    for dry in [&["--dry-run"][..], &[]] {
        let ran = import(&test, "users", &file("bad.jsonl", &lines), dry).await;
        ran.assert(3, "line 1: ");
        assert!(!format!("{ran:?}").contains(CANARY) && !format!("{ran:?}").contains("98765432"));
        let report = ran.json();
        let mut expected: Vec<_> =
            (0..).map(|number| 3 * number + 1).zip(invalid.iter().map(|(_, reason)| *reason)).collect();
        expected.push((61, "an earlier line has the same record (line 2)"));
        assert_rejected(&ran, &expected);
        assert_eq!(report["lines"], 41);
        assert_eq!(report["schemes"]["no password"]["new"], 20);
    }
    for number in 0..20 {
        assert_ne!(user(&test, &format!("good-{number}")), Value::Null);
    }
}

#[tokio::test]
async fn a_csv_is_imported_like_json_lines() {
    let test = started().await;
    let hash = &hashes()[1].2;
    let csv = format!(
        "username,user_id,password_hash,scopes,dealer,enabled\n\
         anna@example.com,7,{hash},legacy:autonomy.read legacy:autonomy.write,\"{{\"\"id\"\":\"\"D-1\"\"}}\",true\n\
         berta@example.com,8,,,,0\n\
         carla@example.com,9\n\
         dora@example.com,10,,*,{{,\n\
         emma@example.com,11,,*,,maybe\n\
         frida@example.com,12,,*,,0\n"
    );
    let ran = import(&test, "users", &file("users.csv", &csv), &[]).await;
    assert_rejected(
        ran.assert(3, ""),
        &[
            (3, "the scopes are empty"),
            (4, "the line has 2 columns, and the header 6"),
            (5, "dealer is not JSON; write an object"),
            (6, "neither true nor false"),
        ],
    );
    assert_eq!(test.password("anna@example.com", IMPORTED).await.assert_issued(2).0["scope"], SCOPE);
    let anna = user(&test, "anna@example.com");
    assert_eq!(anna["dealer"]["M"]["id"]["S"], "D-1");
    assert_eq!(user(&test, "frida@example.com")["enabled"]["BOOL"], false);

    // Line ends of spreadsheets, blank lines, a cell with two lines, and a last line without an end.
    let csv = "username,user_id\r\nfritz,20\r\n\r\nber ta,21\r\n\"two\nlines\",22\r\nhans,23\r\nodd one,24";
    let ran = import(&test, "users", &file("lines.csv", csv), &[]).await;
    let numbers: Vec<_> = rejected(&ran).into_iter().map(|(number, _)| number).collect();
    assert_eq!((numbers, &ran.json()["lines"]), (vec![4, 5, 8], &json!(5)));
    assert_eq!(user(&test, "hans")["user_id"]["S"], "23");

    import(&test, "users", &file("empty.jsonl", "\n"), &[]).await.assert(3, "the file has no lines");
    let odd = import(&test, "users", &file("odd.csv", "username,password\na,b\n"), &[]).await;
    odd.assert(1, "the first line is not the header");
    let bare = import(&test, "clients", &file("bare.csv", "cAnArY-secret,billing\n"), &[]).await;
    assert!(!format!("{:?}", bare.assert(1, "is not the header")).contains("cAnArY"));
    import(&test, "users", &file("twice.csv", "username,username\n"), &[]).await.assert(1, "a column twice");
    import(&test, "users", &file("odd.txt", ""), &[]).await.assert(1, "add --format");
    import(&test, "users", Path::new("/nowhere/users.csv"), &[]).await.assert(1, "cannot read /nowhere/users.csv");
}

#[tokio::test]
async fn a_user_id_belongs_to_one_user() {
    let test = started().await;
    let lines = [
        json!({"username": "one", "user_id": "77"}),
        json!({"username": "two", "user_id": "77"}),
        json!({"username": "three", "user_id": "1042"}),
    ];
    let path = file("more.jsonl", &lines.map(|line| line.to_string()).join("\n"));
    assert_rejected(
        import(&test, "users", &path, &[]).await.assert(3, ""),
        &[
            (2, "the user_id belongs to another user (one)"),
            (3, "the user_id belongs to another user (john.smith@itccompliance.co.uk)"),
        ],
    );
    // A rejected line does not prevent a later line of the same user.
    let lines = [
        json!({"username": "five", "user_id": "1042"}),
        json!({"username": "five", "user_id": "78"}),
        json!({"username": "six", "user_id": SERVICE.0}),
        json!({"username": "six", "user_id": "79"}),
        json!({"username": "six", "user_id": "80"}),
    ];
    let path = file("again.jsonl", &lines.map(|line| line.to_string()).join("\n"));
    assert_rejected(
        &import(&test, "users", &path, &[]).await,
        &[
            (1, "the user_id belongs to another user (john.smith@itccompliance.co.uk)"),
            (3, "the id is used by a user and by a client"),
            (5, "an earlier line has the same record (line 4)"),
        ],
    );
    assert_eq!(
        (&user(&test, "five")["user_id"]["S"], &user(&test, "six")["user_id"]["S"]),
        (&json!("78"), &json!("79"))
    );
    // Only an accepted line counts as one with a shared id.
    let lines = ["seven", "eight"].map(|username| json!({"username": username, "user_id": SERVICE.0}).to_string());
    let ran = import(&test, "users", &file("shared.jsonl", &lines.join("\n")), &["--allow-shared-ids"]).await;
    assert_rejected(&ran, &[(2, "the user_id belongs to another user (seven)")]);
    assert_eq!(ran.json()["shared_ids"], 1);
    let named = ["user", "create", "four", "--user-id", "1042", "--no-password"];
    command_line(&test).run(&named).await.assert(1, "the user_id 1042 belongs to the user john.smith");
}

/// Absent scopes mean no limit, so an empty list of an export is rejected.
#[tokio::test]
async fn empty_scopes_are_rejected_and_a_star_means_no_limit() {
    const EMPTY: &str = "the scopes are empty; list the scopes, or write * for all of them";
    let test = started().await;
    let jsonl = [
        json!({"username": "a", "scopes": []}),
        json!({"username": "b", "scopes": null}),
        json!({"username": "c", "scopes": " "}),
        json!({"username": "d", "scopes": ["*", "x"]}),
        json!({"username": "e", "scopes": ["*"]}),
        json!({"username": "f", "scopes": "*"}),
        json!({"username": "g", "scopes": ["x"]}),
        json!({"username": "h"}),
    ];
    let path = file("scopes.jsonl", &jsonl.map(|line| line.to_string()).join("\n"));
    let ran = import(&test, "users", &path, &[]).await;
    assert_rejected(&ran, &[(1, EMPTY), (2, EMPTY), (3, EMPTY), (4, "the scopes contain * and others")]);
    let csv = "username,scopes\ni,\nj,NULL\nk,\\N\nl, \nm,*\nn,x y\no,* x\nr,[]\ns, {} \n";
    let ran = import(&test, "users", &file("scopes.csv", csv), &[]).await;
    assert_rejected(
        &ran,
        &[
            (2, EMPTY),
            (3, EMPTY),
            (4, EMPTY),
            (5, EMPTY),
            (8, "the scopes contain * and others"),
            (9, EMPTY),
            (10, EMPTY),
        ],
    );
    for (username, scopes) in [
        ("e", Value::Null),
        ("f", Value::Null),
        ("g", json!({"SS": ["x"]})),
        ("h", Value::Null),
        ("m", Value::Null),
        ("n", json!({"SS": ["x", "y"]})),
    ] {
        assert_eq!(user(&test, username)["username"]["S"], username);
        assert_eq!(user(&test, username)["scopes"], scopes, "{username}");
    }
    // An empty cell is rejected for clients, too: a client without scopes gets no tokens, so it is a mistake.
    let csv = "client_id,grant_types,scopes\np,password,\nq,password,*\n";
    assert_rejected(&import(&test, "clients", &file("scopes.csv", csv), &[]).await, &[(2, EMPTY)]);
    let client = test.cloud.item("ClientsTable", &json!({"client_id": "q"})).unwrap().unwrap();
    assert_eq!(client["scopes"], json!({"SS": ["*"]}));
}

#[tokio::test]
async fn values_are_accepted_in_the_forms_of_exports() {
    let test = started().await;
    let mut jsonl = String::new();
    let (on, off) =
        ([json!(true), json!(1), json!("1"), json!("T"), json!("Yes")], [json!(0), json!("f"), json!("NO")]);
    for (number, enabled) in on.iter().chain(&off).enumerate() {
        writeln!(jsonl, "{}", json!({"username": format!("u{number}"), "enabled": enabled})).unwrap();
    }
    for (number, enabled) in [json!("maybe"), json!(2), json!(1.0), json!(""), json!([true])].iter().enumerate() {
        writeln!(jsonl, "{}", json!({"username": format!("x{number}"), "enabled": enabled})).unwrap();
    }
    let ran = import(&test, "users", &file("enabled.jsonl", &jsonl), &[]).await;
    assert_rejected(&ran, &(9..14).map(|line| (line, "enabled is neither true nor false")).collect::<Vec<_>>());
    for number in 0..8 {
        assert_eq!(user(&test, &format!("u{number}"))["enabled"]["BOOL"], number < 5, "{number}");
    }

    let hash = &hashes()[1].2;
    let jsonl = [
        json!({"username": "number", "user_id": 4242, "password_hash": format!(" {hash}\t")}),
        json!({"username": "negative", "user_id": -7, "password_hash": format!("!{hash}")}),
        json!({"username": "largest", "user_id": u64::MAX, "password_hash": "  "}),
        json!({"username": "fraction", "user_id": 1.5}),
        json!({"username": "null", "user_id": null, "password_hash": null, "dealer": null, "enabled": null}),
        json!({"username": " spaces@example.com  ", "user_id": "spaces"}),
    ];
    let path = file("ids.jsonl", &jsonl.map(|line| line.to_string()).join("\n"));
    assert_rejected(&import(&test, "users", &path, &[]).await, &[(4, "user_id is a number; write a string")]);
    for (username, user_id, hash) in [
        ("number", "4242", json!({"S": hash})),
        ("negative", "-7", Value::Null),
        ("largest", "18446744073709551615", Value::Null),
        ("spaces@example.com", "spaces", Value::Null),
    ] {
        let user = user(&test, username);
        assert_eq!((&user["user_id"]["S"], &user["password_hash"]), (&json!(user_id), &hash), "{username}");
    }
    assert_eq!(user(&test, "null")["enabled"]["BOOL"], true);
    assert_eq!(test.password("number", IMPORTED).await.status, 200);

    let csv = "username,user_id,password_hash,dealer,enabled\nmysql,NULL,NULL,NULL,NULL\npostgres,\\N,\\N,\\N,\\N\n";
    import(&test, "users", &file("null.csv", csv), &[]).await.assert(0, "");
    for username in ["mysql", "postgres"] {
        let user = user(&test, username);
        let absent = [&user["password_hash"], &user["dealer"]];
        assert!(absent.iter().all(|value| value.is_null()) && user["enabled"]["BOOL"] == true, "{user}");
        assert_eq!(user["user_id"]["S"].as_str().unwrap().len(), 22, "a random one");
    }
    let clients = json!({"client_id": 7, "secret_hash": format!("{hash} "), "name": null, "enabled": "f"});
    import(&test, "clients", &file("ids.jsonl", &clients.to_string()), &[]).await.assert(0, "");
    assert_eq!(test.cloud.item("ClientsTable", &json!({"client_id": "7"})).unwrap().unwrap()["enabled"]["BOOL"], false);
}

#[tokio::test]
async fn a_file_that_is_one_array_is_rejected_as_a_whole() {
    let test = started().await;
    let long = format!("[{}{{\"username\":\"late\"}}]", "{\"username\":\"\u{e4}\"},".repeat(60_000));
    for text in ["[{\"username\":\"one\"}]", "\u{feff}\n \n [\n{\"username\":\"one\"}\n]\n", "[]", &long] {
        for name in ["array.jsonl", "array.json"] {
            test.interceptor.clear_calls();
            let ran = import(&test, "users", &file(name, text), &[]).await;
            ran.assert(1, "one JSON array").assert(1, "jq -c '.[]' users.json > users.jsonl");
            assert_eq!((ran.out.as_str(), test.interceptor.calls()), ("", vec![]), "nothing is read or written");
        }
    }
}
