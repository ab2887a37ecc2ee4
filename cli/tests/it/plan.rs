//! `countersign plan` and `countersign apply`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{CommandOutput, SERVICE, TestApp, file};

const FILE: &str = r#"
[clients.billing-cron]
name = "Billing cron job"
grant_types = ["client_credentials"]
scopes = ["legacy:autonomy.read", "legacy:autonomy.write"]
default_scopes = ["legacy:autonomy.read"]

[clients.shop]
grant_types = ["password", "refresh_token"]
scopes = ["orders:*"]
access_token_ttl = 600
[clients.shop.system]
id = 7
"#;

async fn run(test: &TestApp, verb: &str, path: &Path, more: &[&str]) -> CommandOutput {
    command_line(test).run(&[&[verb, path.to_str().unwrap()], more].concat()).await
}

fn stored(test: &TestApp, client_id: &str) -> Value {
    test.cloud.item("ClientsTable", &json!({"client_id": client_id})).unwrap().unwrap_or_default()
}

#[tokio::test]
async fn apply_makes_the_clients_equal_to_the_file() {
    let test = started().await;
    let path = file("apply.toml", FILE);
    let before = stored(&test, SERVICE.0);
    let planned = run(&test, "plan", &path, &["--json"]).await;
    let steps = planned.assert(3, "not in the file, not changed").json();
    assert_eq!((&steps[0]["client_id"], &steps[0]["step"]), (&json!(SERVICE.0), &json!("update")));
    assert_eq!((&steps[1]["client_id"], &steps[1]["step"]), (&json!("shop"), &json!("create")));
    assert_eq!(
        (stored(&test, SERVICE.0), stored(&test, "shop")),
        (before.clone(), Value::Null),
        "a plan writes nothing"
    );

    run(&test, "apply", &path, &[]).await.assert(1, "confirm with --yes");
    assert_eq!(stored(&test, "shop"), Value::Null);
    let applied = run(&test, "apply", &path, &["--yes"]).await;
    let secret =
        applied.assert(0, "2 applied").out.split_whitespace().find(|word| word.starts_with("cs_")).unwrap().to_owned();
    assert_eq!(stored(&test, SERVICE.0)["secrets"], before["secrets"], "apply does not change secrets");
    assert_eq!(stored(&test, "shop")["system"]["M"]["id"]["N"], "7");
    let password = [("grant_type", "client_credentials")];
    test.form(("shop", &secret), &password).await.assert_error(400, "unauthorized_client");

    run(&test, "plan", &path, &[]).await.assert(0, "No changes.");
    run(&test, "apply", &path, &[]).await.assert(0, "No changes.");

    // A lifetime may have a unit, as the flags.
    let path = file("apply.toml", &FILE.replace("access_token_ttl = 600", "access_token_ttl = \"10m\""));
    run(&test, "plan", &path, &[]).await.assert(0, "No changes.");

    // An attribute that is not in the file any more is removed.
    let path = file("apply.toml", &FILE.replace("access_token_ttl = 600\n", ""));
    let planned = run(&test, "plan", &path, &[]).await;
    planned.assert(3, "access_token_ttl: 600 -> none");
    assert_eq!(planned.out.lines().count(), 2, "{planned:?}");
    run(&test, "apply", &path, &["--yes"]).await.assert(0, "1 applied");
    assert_eq!(stored(&test, "shop")["access_token_ttl"], Value::Null);
    run(&test, "plan", &path, &["--prune"]).await.assert(3, "- autonomy-web");
    run(&test, "apply", &path, &["--prune", "--yes"]).await.assert(0, "applied");
    let left = command_line(&test).json(&["client", "list"]).await;
    assert_eq!(left.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_invalid_file_is_rejected_as_a_whole() {
    let test = started().await;
    let table = [
        ("[clients.a", "line 1"),
        ("[clients.a]\nscope = [\"x\"]", "unknown field `scope`"),
        ("[clients.a]\nsecret = \"cAnArY\"", "secrets are not allowed in the file"),
        ("[clients.a]\nname = 7", "line 2"),
        ("clients.a = \"cAnArY\"", "invalid type"),
        ("[client.a]", "unknown field `client`"),
        ("[clients.good]\n[clients.a]\nscopes = [\"x y\"]", "client a: the scope \"x y\" contains a space"),
        ("[clients.good]\n[clients.a]\ngrant_types = [\"implicit\"]", "client a: the grant type"),
        ("[clients.good]\n[clients.\"a b\"]", "a b: an id has 1 to 256 characters"),
        ("[clients.good]\n[clients.a]\naccess_token_ttl = 0", "client a: the access_token_ttl is 0"),
        ("[clients.good]\n[clients.a]\nscopes = 'ab\"cAnArY\"x'", "scopes is a string; write an array of strings"),
        ("[clients.a]\naccess_token_ttl = 'cAnArY'", "line 2, client a: access_token_ttl is not a duration"),
        ("[clients.a]\nname = 'x'\nrefresh_token_ttl = '2 years'", "line 3, client a: the refresh_token_ttl is above"),
        ("[clients.a]\naccess_token_ttl = -1", "access_token_ttl is a number; write a whole number of seconds"),
        ("[clients.a]\nfirst_party = 'yes'", "first_party is a string; write true or false"),
        ("[clients.good]\n[clients.a.system]\nsince = 2024-01-01", "system has a date, which JSON cannot express"),
        ("[clients.good]\n[clients.a.system]\nrate = nan", "system has a number that JSON cannot express"),
    ];
    for (number, (text, said)) in table.iter().enumerate() {
        let path = file(&format!("bad-{number}.toml"), text);
        for (verb, more) in [("plan", &[][..]), ("apply", &["--yes"])] {
            let ran = run(&test, verb, &path, more).await;
            ran.assert(1, said);
            assert!(!format!("{ran:?}").contains("cAnArY"), "{ran:?}");
        }
        assert_eq!(stored(&test, "good"), Value::Null);
    }
    run(&test, "plan", Path::new("nowhere.toml"), &[]).await.assert(1, "cannot read nowhere.toml");
}

/// The secrets of created clients are printed in spite of a later failure, and the same command does the rest.
#[tokio::test]
async fn apply_continues_after_a_failure() {
    let test = started().await;
    let path = file("half.toml", "[clients.a]\n[clients.billing-cron]\n");
    test.interceptor.fail("UpdateItem ClientsTable", 400, "AccessDeniedException");
    let half = run(&test, "apply", &path, &["--yes"]).await;
    assert_eq!(half.code, 1);
    assert!(half.out.contains("cs_") && half.err.contains("billing-cron: permission denied"), "{half:?}");
    assert!(half.err.contains("1 of 2 changes applied; apply again"), "{half:?}");
    test.interceptor.stop_failing();
    let rest = run(&test, "apply", &path, &["--yes"]).await;
    rest.assert(0, "1 applied");
    assert!(!rest.out.contains("cs_"));
}

/// The secrets of created clients are not shown again, so they are printed in JSON, too.
#[tokio::test]
async fn json_has_the_secrets_of_clients_that_were_created_before_a_failure() {
    let test = started().await;
    let path = file("half-json.toml", "[clients.a]\n[clients.billing-cron]\n");
    run(&test, "apply", &path, &["--json"]).await.assert(1, "add --yes");
    test.interceptor.fail("UpdateItem ClientsTable", 400, "AccessDeniedException");
    let half = run(&test, "apply", &path, &["--yes", "--json"]).await;
    assert_eq!(half.code, 1);
    assert!(half.json()[0]["client_secret"].as_str().unwrap().starts_with("cs_"));
}

/// The files of `examples/fapi`, by the steps of its page.
#[tokio::test]
async fn the_clients_of_the_fapi_example_have_keys_and_no_secrets() {
    let test = started().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fapi");
    let applied = run(&test, "apply", &folder.join("clients.toml"), &["--yes"]).await;
    applied.assert(0, "fapi-1 gets no tokens without a credential; add one with `countersign client key add`");
    assert!(!applied.assert(0, "2 applied").out.contains("cs_"));
    let suite: Value = serde_json::from_slice(&fs::read(folder.join("suite.json")).unwrap()).unwrap();
    for name in ["client", "client2"] {
        let (client_id, mut key) = (suite[name]["client_id"].as_str().unwrap(), suite[name]["jwks"]["keys"][0].clone());
        key.as_object_mut().unwrap().retain(|member, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&&**member));
        let add = ["client", "key", "add", client_id, "-"];
        command_line(&test).run_with(&add, &key.to_string()).await.assert(0, "");
        let stored = stored(&test, client_id);
        let entry = &stored["jwks"]["L"][0]["M"];
        assert_eq!((&entry["kid"]["S"], &entry["alg"]["S"]), (&key["kid"], &key["alg"]));
        assert_eq!(stored["dpop_bound_access_tokens"]["BOOL"], true);
        assert_eq!(stored["token_endpoint_auth_method"]["S"], "private_key_jwt");
    }
    run(&test, "plan", &folder.join("clients.toml"), &[]).await.assert(0, "No changes.");
}

#[tokio::test]
async fn a_file_does_not_change_what_it_does_not_name() {
    let test = started().await;
    command_line(&test).run(&["client", "disable", SERVICE.0]).await.assert(0, "");
    let path = file("quiet.toml", &format!("{FILE}rate = 1.0\nratio = 1.5\nlist = [2.0, {{x = 3.0}}]\n"));
    run(&test, "apply", &path, &["--yes"]).await.assert(0, "applied");
    assert_eq!(stored(&test, SERVICE.0)["enabled"]["BOOL"], false, "the client stays disabled");
    run(&test, "plan", &path, &[]).await.assert(0, "No changes.");
    let path = file("empty.toml", "");
    run(&test, "apply", &path, &["--prune", "--yes"]).await.assert(1, "check the file");
    let path = file("said.toml", "[clients.billing-cron]\nenabled = true\n");
    run(&test, "apply", &path, &["--yes"]).await.assert(0, "enabled: false -> true");
}
