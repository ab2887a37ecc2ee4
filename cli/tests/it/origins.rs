//! The allowed origins of a client, by each command that writes them.

use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{SERVICE, TestApp, file, form};

const BAD: &str = "not one that a browser sends";

fn stored(test: &TestApp, client_id: &str) -> Value {
    let item = test.cloud.item("ClientsTable", &json!({"client_id": client_id})).unwrap().unwrap_or_default();
    item["allowed_origins"]["SS"].clone()
}

#[tokio::test]
async fn client_create_and_update_write_allowed_origins() {
    let test = started().await;
    let line = command_line(&test);
    let create =
        ["client", "create", "spa", "--grant-type", "client_credentials", "--scope", "a", "--default-scope", "a"];
    let origins = ["--allowed-origin", "https://b.example:8443", "--allowed-origin", "https://a.example"];
    let made = line.json(&[&create[..], &origins].concat()).await;
    assert_eq!(stored(&test, "spa"), json!(["https://a.example", "https://b.example:8443"]));

    let secret = made["client_secret"].as_str().unwrap();
    let request = form(&[("grant_type", "client_credentials")]).basic("spa", secret);
    let response = test.send(request.header("origin", "https://b.example:8443").post()).await;
    response.assert_issued(2);
    assert_eq!(response.header("access-control-allow-origin"), Some("https://b.example:8443"));

    let shown = line.run(&["client", "show", "spa"]).await;
    shown.assert(0, "");
    let row = shown.out.lines().find(|line| line.starts_with("allowed_origins")).unwrap();
    assert!(row.ends_with("https://a.example https://b.example:8443"), "{row}");

    line.run(&["client", "update", "spa", "--allowed-origin", "http://localhost:5173"]).await.assert(0, "");
    assert_eq!(stored(&test, "spa"), json!(["http://localhost:5173"]));
    let shown = line.json(&["client", "update", "spa", "--unset", "allowed-origins"]).await;
    assert_eq!((stored(&test, "spa"), shown.get("allowed_origins")), (Value::Null, None));
}

#[tokio::test]
async fn no_command_writes_an_invalid_origin() {
    let test = started().await;
    let many: Vec<_> = (0..21).map(|n| format!("--allowed-origin=https://{n}.example")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for (origins, said) in
        [(&["--allowed-origin", "https://A.example/"][..], BAD), (&many, "at most 20 allowed origins")]
    {
        for command in [["client", "create", "spa"], ["client", "update", SERVICE.0]] {
            command_line(&test).run(&[&command[..], origins].concat()).await.assert(1, said);
        }
    }
    let path = file("bad-origin.toml", "[clients.spa]\nallowed_origins = [\"https://a.example/\"]\n");
    command_line(&test).run(&["plan", path.to_str().unwrap()]).await.assert(1, BAD);
    assert_eq!((stored(&test, "spa"), stored(&test, SERVICE.0)), (Value::Null, Value::Null));
}

#[tokio::test]
async fn apply_writes_the_allowed_origins_of_the_file() {
    let test = started().await;
    let path =
        file("origins.toml", "[clients.spa]\nallowed_origins = [\"https://b.example\", \"https://a.example\"]\n");
    let line = command_line(&test);
    line.run(&["apply", path.to_str().unwrap(), "--yes"]).await.assert(0, "1 applied");
    assert_eq!(stored(&test, "spa"), json!(["https://a.example", "https://b.example"]));
    line.run(&["plan", path.to_str().unwrap()]).await.assert(0, "No changes.");
    let path = file("origins.toml", "[clients.spa]\n");
    let planned = line.run(&["plan", path.to_str().unwrap()]).await;
    planned.assert(3, "allowed_origins: [\"https://a.example\",\"https://b.example\"] -> none");
}

#[tokio::test]
async fn an_import_reads_allowed_origins_from_a_list_or_a_cell() {
    let test = started().await;
    let csv = "client_id,allowed_origins\none,https://a.example https://b.example\ntwo,https://a.example/\nthree,\n";
    let lines = [
        json!({"client_id": "four", "allowed_origins": ["https://a.example"]}),
        json!({"client_id": "five", "allowed_origins": ["https://*.example"]}),
    ];
    for (name, text) in [("origins.csv", csv), ("origins.jsonl", &lines.map(|line| line.to_string()).join("\n"))] {
        let path = file(name, text);
        let ran = command_line(&test).run(&["import", "clients", path.to_str().unwrap(), "--json"]).await;
        let rejected = ran.assert(3, "").json()["rejected"].clone();
        assert_eq!(rejected.as_array().unwrap().len(), 1, "{rejected}");
        assert!(rejected[0]["reason"].as_str().unwrap().contains(BAD), "{rejected}");
    }
    assert_eq!(stored(&test, "one"), json!(["https://a.example", "https://b.example"]));
    assert_eq!(stored(&test, "four"), json!(["https://a.example"]));
    for client_id in ["two", "three", "five"] {
        assert_eq!(stored(&test, client_id), Value::Null, "{client_id}");
    }
}
