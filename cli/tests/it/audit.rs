//! `countersign audit`: the queries, the results, and invalid arguments.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testing::{APPLICATION, CLIENT_CREDENTIALS, CommandOutput, LogLines, PASSWORD, SERVICE, TestApp, USERNAME};

use crate::{command_line, started};

const FIELDS: &str = "fields timestamp, event, outcome, grant, client_id, source, user_source, reason, session, risk";

/// Runs `audit` for the stack, with this text as stdin.
async fn audit_with(test: &TestApp, arguments: &[&str], stdin: &str) -> CommandOutput {
    let arguments = [&["--stack", "countersign", "audit"], arguments].concat();
    CommandOutput::of(command_line(test).bare(&arguments).spawn().unwrap(), stdin).await
}

async fn audit(test: &TestApp, arguments: &[&str]) -> CommandOutput {
    audit_with(test, arguments, "").await
}

/// Returns the query string of the latest query, without the fields at its start.
fn filter(test: &TestApp) -> String {
    let query = test.interceptor.queries().pop().unwrap();
    let text = query["queryString"].as_str().unwrap();
    text.strip_prefix(FIELDS)
        .and_then(|text| text.strip_prefix(" | filter "))
        .unwrap_or_else(|| panic!("{text}"))
        .to_owned()
}

/// Returns the outcome and the grant of each line of JSON output.
fn decisions(output: &CommandOutput) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    output.json().as_array().unwrap().iter().map(|line| (text(&line["outcome"]), text(&line["grant"]))).collect()
}

fn pairs(decisions: &[(&str, &str)]) -> Vec<(String, String)> {
    decisions.iter().map(|(outcome, grant)| ((*outcome).to_owned(), (*grant).to_owned())).collect()
}

/// A login, its refresh, a wrong password, a wrong client secret and a service token.
struct Story {
    test: TestApp,
    access_token: String,
    refresh_token: String,
    service_token: String,
    lines: Vec<Value>,
}

async fn story() -> Story {
    let test = started().await;
    let log = LogLines::collect();
    let login = test.password(USERNAME, PASSWORD).await;
    let refreshed = test.refresh(&login.refresh_token()).await;
    test.password(USERNAME, "wrong").await.assert_error(400, "invalid_grant");
    test.form((APPLICATION.0, "wrong"), &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
    let service = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
    let token = |response: &testing::Response| response.body["access_token"].as_str().unwrap().to_owned();
    let lines = log.lines();
    test.interceptor.set_audit_log(lines.clone());
    let refresh_token = refreshed.refresh_token();
    Story { access_token: token(&login), refresh_token, service_token: token(&service), test, lines }
}

#[tokio::test]
async fn audit_finds_the_decisions_about_a_user_a_client_a_session_and_a_token() {
    let Story { test, access_token, refresh_token, service_token, lines } = story().await;
    let of_user = [("issued", "password"), ("issued", "refresh_token"), ("rejected", "password")];
    let user = lines[0]["user"].as_str().unwrap();
    let found = audit(&test, &["user", "JOHN.Smith@itccompliance.co.uk", "--json"]).await;
    assert_eq!((found.code, decisions(&found)), (0, pairs(&of_user)), "{found:?}");
    assert_eq!(filter(&test), format!("user in [\"{user}\"] | sort @timestamp desc | limit 200"));

    let found = audit(&test, &["client", APPLICATION.0, "--limit", "2", "--json"]).await;
    let latest = [("rejected", "password"), ("rejected", "client_credentials")];
    assert_eq!((found.code, decisions(&found)), (0, pairs(&latest)), "the latest lines, in the order of time");
    assert!(found.err.contains("there may be more lines than the latest 2"), "{found:?}");
    assert_eq!(filter(&test), format!("client_id = \"{}\" | sort @timestamp desc | limit 2", APPLICATION.0));

    let session = lines[0]["session"].as_str().unwrap();
    let found = audit(&test, &["session", &session.to_uppercase(), "--json"]).await;
    assert_eq!(decisions(&found), pairs(&of_user[..2]));
    assert_eq!(filter(&test), format!("session = \"{session}\" | sort @timestamp desc | limit 200"));
    assert_eq!(found.json()[0]["session"], session);
    assert_eq!(audit_with(&test, &["token", "--json"], &refresh_token).await.out, found.out);
    assert_eq!(filter(&test), format!("session = \"{session}\" | sort @timestamp desc | limit 200"));
    for scheme in ["Bearer", "DPoP"] {
        let header = format!("{scheme} {access_token}\n");
        assert_eq!(audit_with(&test, &["token", "--json"], &header).await.out, found.out, "{scheme}");
    }
    let jti = lines[0]["jti"].as_str().unwrap();
    assert_eq!(filter(&test), format!("jti = \"{jti}\" or session = \"{session}\" | sort @timestamp desc | limit 200"));

    let found = audit_with(&test, &["token", "--json"], &service_token).await;
    assert_eq!(decisions(&found), pairs(&[("issued", "client_credentials")]));
    let jti = lines[4]["jti"].as_str().unwrap();
    assert_eq!(filter(&test), format!("jti = \"{jti}\" | sort @timestamp desc | limit 200"));
}

#[tokio::test]
async fn audit_prints_a_table_without_control_characters_and_exits_with_3_if_nothing_is_found() {
    let Story { test, mut lines, .. } = story().await;
    lines[2]["source"] = json!("203.0.113.7");
    lines[2]["user_source"] = json!("2001:db8::1");
    lines[2]["reason"] = json!("\u{1b}[2J");
    test.interceptor.set_audit_log(lines.clone());
    let found = audit(&test, &["client", APPLICATION.0]).await;
    let rows: Vec<Vec<&str>> = found.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["TIME", "EVENT", "OUTCOME", "GRANT", "CLIENT", "SOURCES", "REASON"]);
    assert_eq!(rows[1][1..], ["token", "issued", "password", APPLICATION.0, "-", "-"]);
    let sources = ["203.0.113.7", "2001:db8::1", "\u{fffd}[2J"];
    assert_eq!(rows[3][1..], [&["token", "rejected", "password", APPLICATION.0], &sources[..]].concat());
    assert_eq!(rows[1][0], format!("{}Z", &lines[0]["timestamp"].as_str().unwrap()[..19]));

    let none = audit(&test, &["client", "an-unknown-client", "--since", "90m"]).await;
    none.assert(3, "No lines in the last 1h 30m.");
    let query = test.interceptor.queries().pop().unwrap();
    let seconds = |name: &str| query[name].as_i64().unwrap();
    assert_eq!(seconds("endTime") - seconds("startTime"), 5_400);
    assert!(seconds("endTime").abs_diff(test.now().try_into().unwrap()) < 600, "{query}");
    assert_eq!(audit(&test, &["client", "an-unknown-client", "--json"]).await.assert(3, "").json(), json!([]));
    for line in &mut lines {
        line["timestamp"] = json!("2026-01-01T00:00:00.000000Z");
    }
    test.interceptor.set_audit_log(lines);
    audit(&test, &["client", APPLICATION.0]).await.assert(3, "No lines in the last 1d.");
}

/// Keys rotate while the lines of a user are in the log.
#[tokio::test]
async fn audit_user_searches_with_every_refresh_token_key_of_the_secret() {
    let Story { test, lines, .. } = story().await;
    let mut document: Value = serde_json::from_str(&test.cloud.secret().unwrap().unwrap()).unwrap();
    let old = document["refresh"]["current"].take();
    let key = |byte| json!(URL_SAFE_NO_PAD.encode([byte; 32]));
    document["refresh"] =
        json!({"current": key(2), "next": key(3), "previous": [{"key": old, "leaves_at": test.now() + 3_600}, key(4)]});
    test.cloud.put_secret(&document.to_string()).unwrap();
    let found = audit(&test, &["user", USERNAME, "--json"]).await;
    assert_eq!(decisions(&found).len(), 3);
    let ids: Value =
        serde_json::from_str(filter(&test).split(" | ").next().unwrap().strip_prefix("user in ").unwrap()).unwrap();
    assert_eq!(ids.as_array().unwrap().len(), 4);
    assert_eq!(ids[2], lines[0]["user"], "current, next, previous");

    // A key that has left the secret names no user any more.
    document["refresh"] = json!({"current": key(2)});
    test.cloud.put_secret(&document.to_string()).unwrap();
    audit(&test, &["user", USERNAME]).await.assert(3, "No lines");
}

#[tokio::test]
async fn audit_rejects_invalid_arguments_before_it_queries() {
    let test = started().await;
    let token = |claims: &str| {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part("{}"), part(claims), part("x"))
    };
    for (arguments, stdin, code, message) in [
        (&["user", ""][..], "", 1, "is not valid"),
        (&["user", "a\nb"], "", 1, "has a character that is not allowed"),
        (&["user", &"a".repeat(2_000)], "", 1, "is too long"),
        (&["user"], "", 2, "<USERNAME>"),
        (&["client", ""], "", 1, "a query cannot contain"),
        (&["client", "a\" or client_id like \"b"], "", 1, "a query cannot contain"),
        (&["client", "a\\"], "", 1, "a query cannot contain"),
        (&["client", "a|limit 1"], "", 1, "a query cannot contain"),
        (&["client", "\u{e4}"], "", 1, "has a character that is not allowed"),
        (&["session", ""], "", 1, "16 hexadecimal digits"),
        (&["session", "5b0e2a94c1f7d38"], "", 1, "16 hexadecimal digits"),
        (&["session", "5b0e2a94c1f7d38g"], "", 1, "16 hexadecimal digits"),
        (&["session", "5b0e2a94c1f7d38\u{e9}"], "", 1, "16 hexadecimal digits"),
        (&["session", "5b0e2a94c1f7d386\""], "", 1, "16 hexadecimal digits"),
        (&["token"], "", 1, "stdin has no token"),
        (&["token"], "not a token", 1, "no access token or refresh token"),
        (&["token"], "cs_rt_AY95E-DuEe2p4W7U", 1, "no access token or refresh token"),
        (&["token"], &token("{}"), 1, "no access token or refresh token"),
        (&["token"], &token("{\"jti\":\"\\\" or 1 = 1 | fields @message | limit 1 #\"}"), 1, "no access token"),
        (&["token"], &token("{\"jti\":7}"), 1, "no access token or refresh token"),
        (&["client", "a", "--since", "0"], "", 2, "not between 1s and 1825d"),
        (&["client", "a", "--since", "0h"], "", 2, "not between 1s and 1825d"),
        (&["client", "a", "--since", "10years"], "", 2, "not between 1s and 1825d"),
        (&["client", "a", "--since", "yesterday"], "", 2, "not a duration"),
        (&["client", "a", "--limit", "0"], "", 2, "0 is not in 1..=10000"),
        (&["client", "a", "--limit", "20000"], "", 2, "20000 is not in 1..=10000"),
        (&["client", "a", "--limit", "-1"], "", 2, "unexpected argument"),
        (&["client", "a", "--log-group", "/aws/lambda/other"], "", 1, "StartQuery on /aws/lambda/other"),
    ] {
        let ran = audit_with(&test, arguments, stdin).await;
        ran.assert(code, message);
    }
    assert!(test.interceptor.queries().is_empty());
}

#[tokio::test]
async fn audit_names_a_missing_permission_and_a_query_that_failed() {
    let Story { test, .. } = story().await;
    for (call, permission) in [
        ("StartQuery", "logs:StartQuery"),
        ("GetQueryResults", "logs:GetQueryResults"),
        ("GetSecretValue", "GetSecretValue"),
    ] {
        test.interceptor.fail(call, 400, "AccessDeniedException");
        let ran = audit(&test, &["user", USERNAME]).await;
        ran.assert(1, "permission denied: your role lacks ").assert(1, permission);
    }
    test.interceptor.stop_failing();
    test.interceptor.end_queries_with("Timeout");
    audit(&test, &["client", "a"]).await.assert(1, "the query ended with Timeout; try again with a shorter --since");
}

#[tokio::test]
async fn audit_without_a_stack_needs_only_the_log_group() {
    let Story { test, .. } = story().await;
    let group = testing::audit_log::LOG_GROUP;
    let bare = |arguments: &[&str]| command_line(&test).bare(arguments).spawn().unwrap();
    let ran = CommandOutput::of(bare(&["audit", "client", APPLICATION.0, "--log-group", group]), "").await;
    ran.assert(0, "wrong or expired secret");
    let ran = CommandOutput::of(bare(&["audit", "client", APPLICATION.0]), "").await;
    ran.assert(1, "add --stack NAME");
    // The variables of the function name the secret, but not the log.
    let line = command_line(&test);
    line.run(&["audit", "user", USERNAME]).await.assert(1, "add --stack NAME or --log-group NAME");
    line.run(&["audit", "user", USERNAME, "--log-group", group]).await.assert(0, "wrong password");
}
