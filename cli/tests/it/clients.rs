//! `countersign client`, help, completions and errors.

use countersign::client::{ATTRIBUTES, Form};
use serde_json::{Value, json};

use crate::{BINARY, command_line, started};
use testing::{APPLICATION, CLIENT_CREDENTIALS, CommandOutput, ISSUER, SERVICE, TestApp, USERNAME};

fn stored(test: &TestApp, client_id: &str) -> Value {
    test.cloud.item("ClientsTable", &json!({"client_id": client_id})).unwrap().unwrap_or_default()
}

/// Creates a client with the client credentials grant. Returns its secret.
async fn create(test: &TestApp, client_id: &str) -> String {
    let arguments = ["client", "create", client_id, "--grant-type", "client_credentials", "--scope", "billing:*"];
    let made = command_line(test).json(&[&arguments[..], &["--default-scope", "billing:read"]].concat()).await;
    assert_eq!(made["client_id"], client_id);
    made["client_secret"].as_str().unwrap().to_owned()
}

async fn assert_token(test: &TestApp, credentials: (&str, &str), status: u16) {
    assert_eq!(test.form(credentials, &CLIENT_CREDENTIALS).await.status, status);
}

#[tokio::test]
async fn client_create_prints_a_secret_that_gets_a_token() {
    let test = started().await;
    let arguments = [
        "client",
        "create",
        "cron",
        "--name",
        "Cron jobs",
        "--grant-type",
        "client_credentials",
        "--scope",
        "billing:*",
        "--default-scope",
        "billing:read",
        "--audience",
        "https://api.example",
        "--access-token-ttl",
        "30m",
        "--refresh-token-ttl",
        "7d",
        "--system",
        r#"{"id":7,"tags":["a","b"],"deep":{"x":1.5,"y":null}}"#,
    ];
    let made = command_line(&test).run(&arguments).await;
    made.assert(
        0,
        "changing the tables ClientsTable and UsersTable and the secret signing in account 123456789012, eu-west-2",
    );
    let secret = made.out.split_whitespace().find(|word| word.starts_with("cs_")).unwrap().to_owned();
    assert!(!made.err.contains(&secret), "the secret is only on stdout");

    let claims = test.form(("cron", &secret), &CLIENT_CREDENTIALS).await.assert_issued(2).0;
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!("https://api.example"), &json!("billing:read")));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 1800);

    let shown = command_line(&test).json(&["client", "show", "cron"]).await;
    let wanted = json!({
        "client_id": "cron", "name": "Cron jobs", "enabled": true, "grant_types": ["client_credentials"],
        "scopes": ["billing:*"], "default_scopes": ["billing:read"], "audience": "https://api.example",
        "access_token_ttl": 1800, "refresh_token_ttl": 604_800,
        "system": {"id": 7, "tags": ["a", "b"], "deep": {"x": 1.5, "y": null}},
    });
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(shown["secrets"][0]["scheme"], "sha256");
    let hash = stored(&test, "cron")["secrets"]["L"][0]["M"]["hash"]["S"].as_str().unwrap().to_owned();
    for arguments in [["client", "show", "cron"], ["client", "list", "--json"]] {
        let ran = command_line(&test).run(&arguments).await;
        assert!(ran.out.contains("cron") && !ran.out.contains(&hash) && !ran.out.contains(&secret), "{ran:?}");
    }
}

/// A rejected command changes nothing, and prints one line that says what to do.
#[tokio::test]
async fn invalid_commands_are_rejected_before_the_first_write() {
    let test = started().await;
    let (id, _) = SERVICE;
    let create = ["client", "create", "new-one"];
    let long = "a".repeat(257);
    let table: [(i32, &[&str], &str); 40] = [
        (1, &["client", "create", id], "already exists"),
        (2, &["client", "create", "with space"], "A-Z"),
        (2, &["client", "create", "colon:ed"], "A-Z"),
        (2, &["client", "create", ""], "A-Z"),
        (2, &["client", "create", &long], "A-Z"),
        (2, &["client", "create", "--", "-x"], "does not begin with -"),
        (2, &["--url", "nonsense", "client", "list"], "not a URL"),
        (0, &["client", "update", id], "no changes; nothing was written"),
        (2, &["client", "create"], "CLIENT_ID"),
        (2, &[&create[..], &["--scope", "a:*,b"]].concat(), "write `--scope 'a:*' --scope b`"),
        (2, &[&create[..], &["--default-scope", "a, b"]].concat(), "write `--default-scope a`"),
        (2, &["client", "update", id, "--add-scope", ","], "write `--add-scope a --add-scope b`"),
        (2, &["token", "get", "--client-id", id, "--scope", "a,b"], "write `--scope a --scope b`"),
        (1, &[&create[..], &["--scope", ""]].concat(), "is empty"),
        (1, &[&create[..], &["--scope", "a*b"]].concat(), "has a * in the wrong place"),
        (1, &[&create[..], &["--scope", "quo\"te"]].concat(), "an invalid character"),
        (1, &[&create[..], &["--scope", "a", "--default-scope", "b"]].concat(), "is not among the scopes"),
        (1, &[&create[..], &["--scope", "a:*", "--default-scope", "a:*"]].concat(), "has a *"),
        (2, &[&create[..], &["--grant-type", "implicit"]].concat(), "client_credentials"),
        (2, &[&create[..], &["--system", "{"]].concat(), "not a JSON object"),
        (2, &[&create[..], &["--system", "[1]"]].concat(), "not a JSON object"),
        (2, &[&create[..], &["--access-token-ttl", "soon"]].concat(), "not a duration"),
        (1, &[&create[..], &["--access-token-ttl", "0"]].concat(), "is 0"),
        (1, &[&create[..], &["--access-token-ttl", "8d"]].concat(), "above the maximum of 7 days"),
        (1, &[&create[..], &["--refresh-token-ttl", "0"]].concat(), "the refresh_token_ttl is 0"),
        (1, &[&create[..], &["--refresh-token-ttl", "366d"]].concat(), "above the maximum of 365 days"),
        (2, &[&create[..], &["--refresh-token-ttl", "200years"]].concat(), "the duration is too long"),
        (1, &[&create[..], &["--name", ""]].concat(), "the name is empty"),
        (1, &[&create[..], &["--audience", "a\nb"]].concat(), "the audience is empty or has control characters"),
        (2, &["client", "explode"], "unrecognized subcommand"),
        (1, &["client", "show", "missing"], "client missing not found"),
        (1, &["client", "update", "missing", "--name", "x"], "client missing not found"),
        (1, &["client", "update", id, "--remove-scope", "never:had"], "no scope \"never:had\""),
        (1, &["client", "update", id, "--unset", "scopes"], "is not among the scopes"),
        (2, &["client", "update", id, "--unset", "secrets"], "possible values"),
        (1, &["client", "rotate-secret", "missing"], "client missing not found"),
        (1, &["client", "retire-secret", id, "nothing"], "has no secret with this id"),
        (1, &["client", "disable", "missing"], "client missing not found"),
        (1, &["client", "delete", "missing"], "client missing not found"),
        (1, &["client", "delete", id], "confirm with --yes"),
    ];
    for (code, arguments, said) in table {
        test.interceptor.clear_calls();
        command_line(&test).run(arguments).await.assert(code, said);
        // An id that exists is detected by the conditional write.
        let may_write = said == "already exists";
        let writes = |call: &&String| !["", "GetItem ClientsTable", "Scan UsersTable"].contains(&call.as_str());
        assert_eq!(test.interceptor.calls().iter().any(|call| writes(&call)), may_write, "{arguments:?}");
        assert_eq!(stored(&test, "new-one"), Value::Null, "{arguments:?}");
    }
    assert_token(&test, SERVICE, 200).await;
}

#[tokio::test]
async fn errors_distinguish_a_missing_deployment_from_missing_permissions() {
    let test = started().await;
    let line = command_line(&test);
    let bare = async |arguments: &[&str]| CommandOutput::of(line.bare(arguments).spawn().unwrap(), "").await;
    bare(&["client", "list"]).await.assert(1, "no deployment is named");
    bare(&["--stack", "countersing", "client", "list"]).await.assert(1, "stack countersing not found in eu-west-2");
    bare(&["--stack", "countersign", "client", "list"]).await.assert(0, "billing-cron");
    let made = bare(&["--stack", "countersign", "client", "create", "one"]).await;
    made.assert(0, "changing the stack countersign in account 123456789012, eu-west-2");

    let mut without_region = line.bare(&["client", "list", "--stack", "countersign"]);
    without_region.env_remove("AWS_REGION").env("AWS_EC2_METADATA_DISABLED", "true");
    CommandOutput::of(without_region.spawn().unwrap(), "").await.assert(1, "add --region, or set AWS_REGION");

    test.interceptor.fail("PutItem", 400, "AccessDeniedException");
    let denied = command_line(&test).run(&["client", "create", "two"]).await;
    denied.assert(1, "permission denied: your role lacks dynamodb:PutItem on a-table");
    assert_eq!(denied.out, "", "no secret of a client that does not exist");
    test.interceptor.fail("GetItem", 400, "ResourceNotFoundException");
    command_line(&test).run(&["client", "show", "two"]).await.assert(1, "check --region");
}

#[tokio::test]
async fn two_secrets_can_be_active_and_a_third_is_rejected() {
    let test = started().await;
    let first = create(&test, "cron").await;
    let line = command_line(&test);
    let rotated = line.run(&["client", "rotate-secret", "cron", "--expires-in", "1h", "--json"]).await;
    rotated.assert(0, "expires at 20");
    let second = rotated.json()["client_secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    for secret in [&first, &second] {
        assert_token(&test, ("cron", secret), 200).await;
    }
    let before = stored(&test, "cron");
    line.run(&["client", "rotate-secret", "cron"]).await.assert(1, "cron has 2 active secrets");
    assert_eq!(stored(&test, "cron"), before);

    test.advance_clock(3_599);
    assert_token(&test, ("cron", &first), 200).await;
    test.advance_clock(60);
    assert_token(&test, ("cron", &first), 401).await;
    assert_token(&test, ("cron", &second), 200).await;

    let ids = line.json(&["client", "show", "cron"]).await["secrets"].clone();
    assert_eq!(ids.as_array().unwrap().len(), 2);
    line.run(&["client", "retire-secret", "cron", ids[0]["id"].as_str().unwrap()]).await.assert(0, "sha256");
    let last = ids[1]["id"].as_str().unwrap();
    line.run(&["client", "retire-secret", "cron", last]).await.assert(1, "the last active credential of cron");
    assert_token(&test, ("cron", &second), 200).await;
    line.run(&["client", "retire-secret", "cron", last, "--yes"]).await.assert(0, "cron");
    assert_token(&test, ("cron", &second), 401).await;
    // A rotation without an active secret creates one.
    let third = line.json(&["client", "rotate-secret", "cron"]).await["client_secret"].as_str().unwrap().to_owned();
    assert_token(&test, ("cron", &third), 200).await;
}

/// Two operators rotate simultaneously: one command fails, and there are never three secrets.
#[tokio::test]
async fn of_two_simultaneous_changes_one_fails_and_changes_nothing() {
    let test = started().await;
    create(&test, "cron").await;
    test.interceptor.hold();
    let line = command_line(&test);
    let both = [line.start(&["client", "rotate-secret", "cron"]), line.start(&["client", "rotate-secret", "cron"])];
    let [one, other] = both.map(|process| tokio::spawn(CommandOutput::of(process, "")));
    assert_eq!(test.interceptor.let_through(2).await, ["GetItem ClientsTable"; 2]);
    test.interceptor.let_through(2).await;
    assert_eq!(test.interceptor.let_through(2).await, ["UpdateItem ClientsTable"; 2]);
    let mut codes = [one.await.unwrap(), other.await.unwrap()];
    codes.sort_by_key(|ran| ran.code);
    codes[0].assert(0, "client_secret");
    codes[1].assert(1, "changed simultaneously by another process");
    assert_eq!(stored(&test, "cron")["secrets"]["L"].as_array().unwrap().len(), 2);
}

/// S-706 for operators: a write whose response was lost is sent again by the SDK, and is no conflict with itself.
#[tokio::test]
async fn a_lost_response_is_not_a_conflict() {
    let test = started().await;
    test.interceptor.lose_response("PutItem ClientsTable");
    let first = create(&test, "cron").await;
    test.interceptor.lose_response("UpdateItem ClientsTable");
    let rotated = command_line(&test).json(&["client", "rotate-secret", "cron"]).await;
    for secret in [&first, rotated["client_secret"].as_str().unwrap()] {
        assert_token(&test, ("cron", secret), 200).await;
    }
}

#[tokio::test]
async fn client_update_changes_only_the_given_attributes() {
    let test = started().await;
    let secret = create(&test, "cron").await;
    // Attributes that countersign does not know are kept, too.
    let mut item = json!({"client_id": "cron", "team": "finance", "enabled": true, "name": 7, "grant_types": ["client_credentials"]});
    item["scopes"] = json!(["billing:*", "a", "b"]);
    item["secrets"] =
        json!([{"hash": countersign::password_hash::hash_client_secret(&secret), "created_at": "monday"}]);
    test.cloud.put("ClientsTable", &item).unwrap();
    let line = command_line(&test);

    let arguments = ["client", "update", "cron", "--name", "Cron", "--add-scope", "c", "--remove-scope", "a"];
    let shown = line.json(&[&arguments[..], &["--access-token-ttl", "90"]].concat()).await;
    assert_eq!((&shown["scopes"], &shown["access_token_ttl"]), (&json!(["b", "billing:*", "c"]), &json!(90)));
    let after = stored(&test, "cron");
    assert_eq!((&after["team"]["S"], &after["name"]["S"]), (&json!("finance"), &json!("Cron")));
    assert_eq!(after["secrets"]["L"][0]["M"]["created_at"]["S"], "monday");
    assert_eq!(test.form(("cron", &secret), &[CLIENT_CREDENTIALS[0], ("scope", "c")]).await.status, 200);
    assert_eq!(test.form(("cron", &secret), &[CLIENT_CREDENTIALS[0], ("scope", "a")]).await.status, 400);

    let unset = ["client", "update", "cron", "--unset", "access-token-ttl", "--unset", "name", "--scope", "only"];
    let shown = line.json(&unset).await;
    assert_eq!(
        (&shown["scopes"], &shown["access_token_ttl"], &shown["name"]),
        (&json!(["only"]), &Value::Null, &Value::Null)
    );

    line.run(&["client", "disable", "cron"]).await.assert(0, "false");
    assert_token(&test, ("cron", &secret), 401).await;
    line.run(&["client", "enable", "cron"]).await.assert(0, "true");
    assert_eq!(test.form(("cron", &secret), &[CLIENT_CREDENTIALS[0], ("scope", "only")]).await.status, 200);
    line.run(&["client", "delete", "cron", "--yes"]).await.assert(0, "deleted client cron");
    assert_eq!(stored(&test, "cron"), Value::Null);
}

#[tokio::test]
async fn a_malformed_record_does_not_hide_the_others_in_a_list() {
    let test = started().await;
    test.cloud.put("ClientsTable", &json!({"client_id": "broken", "enabled": "yes"})).unwrap();
    test.cloud.put("UsersTable", &json!({"username": "broken", "enabled": "yes"})).unwrap();
    let line = command_line(&test);
    let listed = line.run(&["client", "list"]).await;
    listed.assert(3, "the record of client broken is malformed");
    for id in [SERVICE.0, APPLICATION.0] {
        assert!(listed.out.contains(id), "{listed:?}");
    }
    assert!(!listed.out.contains("\u{1b}["), "no colours without a terminal");
    line.run(&["user", "list"]).await.assert(3, USERNAME);
    let listed = line.run(&["user", "list", "--json"]).await;
    listed.assert(3, "the record of user broken is malformed");
    let users: Vec<Value> = listed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(users.iter().any(|user| user["username"] == USERNAME) && users.len() == TestApp::user_count(), "{users:?}");
    assert!(!listed.out.contains("$argon2"));
    line.run(&["client", "show", "broken"]).await.assert(1, "fix it in the table");
    line.run(&["client", "delete", "broken", "--yes"]).await.assert(0, "deleted client broken");
}

#[tokio::test]
async fn help_version_usage_and_completions_are_printed() {
    let test = started().await;
    let line = command_line(&test);
    for arguments in
        [&["--help"][..], &["client", "create", "--help"], &["import", "users", "--help"], &["apply", "--help"]]
    {
        let help = line.run(arguments).await;
        help.assert(0, "Example");
        assert_eq!(help.err, "");
    }
    line.run(&["--version"]).await.assert(0, env!("CARGO_PKG_VERSION"));
    line.run(&[]).await.assert(2, "Usage");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        line.run(&["completions", shell]).await.assert(0, "rotate-secret");
    }
    line.run(&["client", "lst"]).await.assert(2, "'list'");
}

#[tokio::test]
async fn each_attribute_has_a_flag_and_can_be_unset() {
    let test = started().await;
    let help = async |command| command_line(&test).run(&["client", command, "--help"]).await.out;
    let (create, update) = (help("create").await, help("update").await);
    for attribute in ATTRIBUTES.iter().filter(|attribute| !["enabled", "federated"].contains(&attribute.name)) {
        let name = attribute.name.replace('_', "-");
        let flag = match (attribute.name, attribute.form) {
            ("token_endpoint_auth_method", _) => "--auth-method <".to_owned(),
            ("tls_client_certificate_bound_access_tokens", _) => "--cert-bound".to_owned(),
            ("introspects", _) => "--introspects <".to_owned(),
            ("dpop_bound_access_tokens", _) => "--dpop-bound".to_owned(),
            (_, Form::List) => format!("--{} <", name.trim_end_matches('s')),
            (_, Form::Flag(_)) => format!("--{name}[=<"),
            _ => format!("--{name} <"),
        };
        assert!(create.contains(&flag), "{flag}");
        assert!(update.contains(&flag), "{flag}");
        let unset = ["client", "update", SERVICE.0, "--unset", &name];
        let ran = command_line(&test).run(&unset).await;
        assert_ne!(ran.code, 2, "{ran:?}");
    }
}

/// Secrets in records that were written by hand may have no id.
#[tokio::test]
async fn secrets_without_an_id_can_be_rotated_and_retired() {
    let test = started().await;
    let hash = |secret: &str| countersign::password_hash::hash_client_secret(secret);
    let hour = test.now() + 3_600;
    let mut item = json!({"client_id": "old", "enabled": true, "grant_types": ["client_credentials"], "scopes": ["a"]});
    item["default_scopes"] = json!(["a"]);
    item["secrets"] = json!([{"hash": hash("first"), "expires_at": hour}]);
    test.cloud.put("ClientsTable", &item).unwrap();
    let line = command_line(&test);
    // The secret expires in an hour; `--expires-in` does not prolong that.
    let rotated = line.run(&["client", "rotate-secret", "old", "--expires-in", "7d"]).await;
    let shown = line.json(&["client", "show", "old"]).await;
    assert_eq!(shown["secrets"][0]["expires_at"], hour);
    let id = shown["secrets"][0]["id"].as_str().unwrap().to_owned();
    rotated.assert(0, &format!("the secret {id} expires at "));
    assert_eq!(id.len(), 8);
    line.run(&["client", "retire-secret", "old", &id]).await.assert(0, "old");
    assert_token(&test, ("old", "first"), 401).await;
}

/// A write without a response may have succeeded; a rejected write has not.
#[tokio::test]
async fn errors_distinguish_writes_that_may_have_succeeded() {
    let test = started().await;
    test.interceptor.fail("PutItem", 500, "InternalServerError");
    let unknown = command_line(&test).run(&["client", "create", "cron"]).await;
    unknown.assert(1, "the write may have succeeded");
    test.interceptor.fail("PutItem", 400, "ValidationException");
    let rejected = command_line(&test).run(&["client", "create", "cron"]).await;
    assert!(!rejected.assert(1, "try again").err.contains("may have succeeded"), "{rejected:?}");
}

/// A secret that cannot be printed is an error, because it is not shown again.
#[tokio::test]
async fn a_secret_that_cannot_be_printed_is_an_error() {
    let test = started().await;
    let line = command_line(&test);
    let script = format!(
        "{BINARY} client create cron > /dev/full; echo code $?; {BINARY} client create cron2 | true; echo code ${{PIPESTATUS[0]}}",
    );
    let mut shell = line.program("bash", &["-c", &script]);
    let ran = CommandOutput::of(
        shell.env("PATH", "/usr/bin:/bin").envs(testing::cloud::environment(ISSUER)).spawn().unwrap(),
        "",
    )
    .await;
    ran.assert(0, "the new secret of client cron was stored, but could not be printed; get another one");
    assert_eq!(ran.out, "code 1\ncode 1\n", "{ran:?}");
}

/// An unexpected argument may be a secret.
#[tokio::test]
async fn unexpected_arguments_are_not_printed() {
    let test = started().await;
    for arguments in [
        &["user", "set-password", "john", "cAnArY"][..],
        &["token", "inspect", "cAnArY"],
        &["client", "rotate-secret", "cron", "cAnArY"],
        &["client", "retire-secret", SERVICE.0, "cAnArY"],
        &["user", "create", "john", "--password=cAnArY"],
    ] {
        let ran = command_line(&test).run(arguments).await;
        assert!(ran.code == 1 || ran.code == 2, "{ran:?}");
        assert!(!format!("{ran:?}").contains("cAnArY"), "{ran:?}");
    }
    let mut piped = command_line(&test).program("bash", &["-c", &format!("{BINARY} completions bash | head -1")]);
    CommandOutput::of(piped.env("PATH", "/usr/bin:/bin").spawn().unwrap(), "").await.assert(0, "_countersign");
}
