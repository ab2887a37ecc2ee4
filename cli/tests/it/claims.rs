//! The claims of users, by each command that writes them.

use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{CommandOutput, TestApp, USERNAME, file};

fn stored(test: &TestApp, username: &str) -> Value {
    test.cloud.item("UsersTable", &json!({"username": username})).unwrap().unwrap()["claims"].clone()
}

async fn set_claim(test: &TestApp, arguments: &[&str]) -> CommandOutput {
    command_line(test).run(&[&["user", "set-claim", USERNAME], arguments].concat()).await
}

#[tokio::test]
async fn claims_are_set_in_their_form_and_removed() {
    let test = started().await;
    let claims = ["name=John = Smith", "email_verified=true", "updated_at=1700000000", "locale=1"];
    set_claim(&test, &claims).await.assert(0, "John = Smith");
    let written = json!({"M": {
        "name": {"S": "John = Smith"}, "email_verified": {"BOOL": true}, "updated_at": {"N": "1700000000"}, "locale": {"S": "1"},
    }});
    assert_eq!(stored(&test, USERNAME), written);

    set_claim(&test, &["name=John", "--unset", "locale", "--unset", "updated_at"]).await.assert(0, "");
    let shown = command_line(&test).json(&["user", "show", USERNAME]).await;
    assert_eq!(shown["claims"], json!({"name": "John", "email_verified": true}));
    set_claim(&test, &["--unset", "name", "--unset", "email_verified"]).await.assert(0, "");
    assert_eq!(stored(&test, USERNAME), Value::Null);
}

#[tokio::test]
async fn claims_of_another_form_are_rejected() {
    let test = started().await;
    for (code, arguments, said) in [
        (2, &[][..], "NAME=VALUE"),
        (2, &["name"], "NAME=VALUE"),
        (1, &["sub=7"], "there is no claim \"sub\""),
        (1, &["name="], "the claim name is empty"),
        (1, &["name=a\nb"], "has control characters"),
        (1, &["email_verified=yes"], "neither true nor false"),
        (1, &["updated_at=-1"], "not a whole number of seconds"),
        (1, &["name=x", "--unset", "email"], "has no claim \"email\""),
    ] {
        set_claim(&test, arguments).await.assert(code, said);
    }
    assert_eq!(stored(&test, USERNAME), Value::Null);
}

#[tokio::test]
async fn an_import_reads_claims() {
    let test = started().await;
    let import = async |name: &str, text: &str, more: &[&str]| {
        let path = file(name, text);
        command_line(&test).run(&[&["import", "users", path.to_str().unwrap()], more].concat()).await
    };
    let lines = [
        json!({"username": "one", "claims": {"email": "one@example.com", "email_verified": true}}),
        json!({"username": "two", "claims": {"email": 7}}),
        json!({"username": "three", "claims": "x"}),
    ];
    let ran = import("claims.jsonl", &lines.map(|line| line.to_string()).join("\n"), &["--json"]).await;
    let rejected = ran.assert(3, "").json()["rejected"].clone();
    assert_eq!(rejected[0]["reason"], "the claim email is empty or not a string, or has control characters");
    assert_eq!(rejected[1]["reason"], "claims is a string; write an object, such as {\"id\":7}");
    let written = json!({"M": {"email": {"S": "one@example.com"}, "email_verified": {"BOOL": true}}});
    assert_eq!(stored(&test, "one"), written);

    // A line that does not name the claims does not change them.
    import("rest.csv", "username,enabled\none,false\n", &["--overwrite"]).await.assert(0, "");
    assert_eq!(stored(&test, "one"), written);
    import("name.csv", "username,claims\none,\"{\"\"name\"\":\"\"One\"\"}\"\n", &["--overwrite"]).await.assert(0, "");
    assert_eq!(stored(&test, "one"), json!({"M": {"name": {"S": "One"}}}));
}
