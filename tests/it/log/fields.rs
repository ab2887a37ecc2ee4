//! The members of each line (S-605).

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::config::Pages;
use countersign::http::Origin;
use serde_json::{Value, json};

use testing::{
    APPLICATION, CLIENT_CREDENTIALS, CONTRACT, ClientKeyPair, FLOWS, Flow, LogLines, OTHER_APPLICATION, PASSWORD,
    Response, SCOPE, SERVICE, Scenario, TestApp, USERNAME, form, raw_form,
};

/// The members of every decision.
const ALWAYS: &str = "timestamp level event outcome status request_id source route total_ms";

/// Returns the members that the line of a flow has besides [`ALWAYS`].
fn members(flow: Flow) -> &'static str {
    match flow {
        Flow::ClientCredentials | Flow::Assertion | Flow::Federated | Flow::ColdStart | Flow::Reload | Flow::Resume => {
            "grant version client_id secret_id jti kid store_ms"
        }
        Flow::ImportedSecret => "grant version client_id secret_id jti kid hash_ms store_ms",
        Flow::WrongClientSecret | Flow::DisabledClient => "grant version client_id error reason store_ms",
        Flow::WrongImportedSecret => "grant version client_id lane failures error reason hash_ms store_ms",
        Flow::Password | Flow::PasswordOnly => {
            "grant version client_id secret_id user session jti kid lane failures hash_ms store_ms"
        }
        Flow::WrongPassword => "grant version client_id secret_id user lane failures error reason hash_ms store_ms",
        Flow::BlockedGuess => "grant version client_id secret_id lane failures retry_after error reason store_ms",
        Flow::NewNetwork => {
            "grant version client_id secret_id user user_source session jti kid lane failures risk hash_ms store_ms"
        }
        Flow::UnknownUser => "grant version client_id secret_id lane failures error reason hash_ms store_ms",
        Flow::ImportedHash | Flow::ResumeImportedHash => {
            "grant version client_id secret_id user session jti kid upgraded lane failures hash_ms store_ms"
        }
        Flow::AssertionRefresh | Flow::Refresh | Flow::Retry | Flow::Exchange | Flow::CodeRefresh => {
            "grant version client_id secret_id user session jti kid store_ms"
        }
        Flow::CookieLogin => "grant version client_id user session jti kid lane failures hash_ms store_ms",
        Flow::CookieRefresh => "grant version client_id user session jti kid store_ms",
        Flow::CookieReplay => "grant version client_id user session risk error reason store_ms",
        Flow::Replay | Flow::ReplayedCode => {
            "grant version client_id secret_id user session risk error reason store_ms"
        }
        Flow::CookieLogOut => "client_id user session store_ms",
        Flow::Revoke | Flow::RevokeAll | Flow::IntrospectRefreshToken => "client_id secret_id user session store_ms",
        Flow::RevokeServiceToken | Flow::IntrospectServiceToken => "version client_id secret_id jti kid store_ms",
        Flow::Introspect => "version client_id secret_id user session jti kid store_ms",
        Flow::UserInfo => "version client_id user session jti kid store_ms",
        Flow::RefreshForLostScope | Flow::RolledBack | Flow::RevokedFamily | Flow::DisabledUser => {
            "grant version client_id secret_id user session error reason store_ms"
        }
    }
}

/// Returns the one line, and asserts that it has exactly these members besides [`ALWAYS`], each once.
#[track_caller]
pub fn only_line(log: &LogLines, members: &str) -> Value {
    let lines = log.lines();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let expected: BTreeSet<_> = ALWAYS.split(' ').chain(members.split_whitespace()).collect();
    let found: BTreeSet<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(found, expected, "{line}");
    assert_eq!(log.text().matches("\":").count(), expected.len(), "{line}");
    line.clone()
}

#[tokio::test]
async fn s_605_the_line_of_each_flow_has_exactly_the_members_that_its_decision_knows() {
    for &flow in FLOWS {
        let scenario = Scenario::prepare(flow).await;
        scenario.start().await;
        let log = LogLines::collect();
        let response = scenario.send().await;
        assert!(flow.is_expected(&response), "{flow:?}");
        let line = only_line(&log, members(flow));
        let outcome = match (response.status, flow.event()) {
            (200, "token") => "issued",
            (200, _) => "done",
            _ => "rejected",
        };
        assert_eq!((&line["event"], &line["outcome"]), (&json!(flow.event()), &json!(outcome)), "{flow:?}");
        assert_eq!((&line["status"], &line["level"]), (&json!(response.status), &json!("INFO")), "{flow:?}");
        assert_eq!(line["error"], response.body["error"], "{flow:?}");
        let total = line["total_ms"].as_u64().unwrap();
        assert!(line["store_ms"].as_u64().unwrap() <= total, "{flow:?}: {line}");
        assert!(line["hash_ms"].as_u64().unwrap_or_default() <= total, "{flow:?}: {line}");
    }
}

#[tokio::test]
async fn s_605_a_request_that_is_not_understood_has_the_members_of_what_was_read() {
    let test = TestApp::start().await;
    for (request, members) in [
        (raw_form("a=%"), "error reason"),
        (form(&[("grant_type", "x")]).basic(SERVICE.0, SERVICE.1), "error reason"),
        (form(&CLIENT_CREDENTIALS), "grant version error reason"),
        (form(&CLIENT_CREDENTIALS).basic("unknown", "x"), "grant version error reason store_ms"),
    ] {
        let log = LogLines::collect();
        test.send(request.post()).await;
        assert_eq!(only_line(&log, members)["event"], "token");
    }
}

#[tokio::test]
async fn the_event_is_the_name_of_an_endpoint_that_decides() {
    let test = TestApp::start_with(|config| config.pages = Some(Pages::default())).await;
    let (mut events, mut without) = (BTreeSet::new(), Vec::new());
    for path in CONTRACT["paths"].as_object().unwrap().keys() {
        let log = LogLines::collect();
        assert_eq!(test.send(raw_form("").to("DELETE", path)).await.status, 405, "{path}");
        if let Some(event) = log.lines()[0]["event"].as_str() {
            events.insert(event.to_owned());
        } else {
            without.push(path);
        }
    }
    let events: Vec<_> = events.iter().map(String::as_str).collect();
    let names = ["account", "authorize", "consent", "introspect", "login", "logout", "revoke", "token", "userinfo"];
    assert_eq!(events, names);
    assert!(without.iter().all(|path| path.starts_with("/.well-known/") || *path == "/healthz"), "{without:?}");
}

#[tokio::test]
async fn s_605_jkt_is_the_key_of_a_valid_proof() {
    let test = TestApp::start().await;
    let key = ClientKeyPair::generate("ES256");
    for (proof, members) in [
        (key.proof(&test), "grant version client_id secret_id jkt jti kid store_ms"),
        (format!("{}x", key.proof(&test)), "grant version client_id secret_id error reason store_ms"),
    ] {
        let log = LogLines::collect();
        test.send(form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1).header("dpop", &proof).post()).await;
        let line = only_line(&log, members);
        assert_eq!(line.get("jkt"), (line["outcome"] == "issued").then(|| json!(key.thumbprint())).as_ref());
    }
}

/// A client that runs on the user's device states no address: `source` is the user's.
#[tokio::test]
async fn s_605_user_source_is_the_address_that_the_client_states() {
    let test = TestApp::start_with_cheap_hashes().await;
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let (source, forwarded) = (json!({"user_address": "source"}), json!({"user_address": "forwarded"}));
    for (changes, stated, user_source) in [
        (&forwarded, "203.0.113.7", json!("203.0.113.7")),
        (&forwarded, "::ffff:203.0.113.7", json!("203.0.113.7")),
        (&forwarded, "2001:DB8:0::7", json!("2001:db8::7")),
        (&forwarded, "not-an-address", Value::Null),
        (&source, "203.0.113.7", Value::Null),
        (&json!({}), "203.0.113.7", Value::Null),
    ] {
        test.change_client(APPLICATION.0, changes);
        let log = LogLines::collect();
        let request = form(&params).basic(APPLICATION.0, APPLICATION.1).header("countersign-user-address", stated);
        let mut request = request.post();
        request.extensions_mut().insert(Origin { source: "192.0.2.1".into(), ..Origin::default() });
        test.send(request).await;
        let line = &log.lines()[0];
        assert_eq!((&line["user_source"], &line["source"]), (&user_source, &json!("192.0.2.1")), "{changes} {stated}");
        assert!(!log.text().contains("not-an-address"));
    }
}

/// Returns the `jti` of an issued token.
fn jti(response: &Response) -> String {
    let token = response.body["access_token"].as_str().unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["jti"].as_str().unwrap().to_owned()
}

/// Returns the session of a user's `jti`, which begins with the family id.
fn session(jti: &str) -> String {
    let family = &URL_SAFE_NO_PAD.decode(jti).unwrap()[..16];
    digest(&SHA256, family).as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn s_605_session_and_jti_name_the_login_and_the_token() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    let login = test.password(USERNAME, PASSWORD).await;
    let refreshed = test.refresh(&login.refresh_token()).await;
    test.advance_clock(60);
    test.refresh(&login.refresh_token()).await.assert_error(400, "invalid_grant");
    let lines = log.lines();
    for (line, response) in lines.iter().zip([&login, &refreshed]) {
        assert_eq!(line["jti"], jti(response));
    }
    for line in &lines {
        assert_eq!(line["session"], session(&jti(&login)), "{line}");
    }
    assert_eq!(lines[2]["risk"], "replay");
    assert!(!log.text().contains(&login.refresh_token()[6..]));
}

#[tokio::test]
async fn s_605_a_refresh_token_of_another_client_is_a_risk() {
    let test = TestApp::start().await;
    test.put_other_application();
    let token = test.log_in().await;
    let log = LogLines::collect();
    let params = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    test.form(OTHER_APPLICATION, &params).await.assert_error(400, "invalid_grant");
    let line = only_line(&log, "grant version client_id secret_id user session risk error reason store_ms");
    assert_eq!((&line["risk"], &line["client_id"]), (&json!("foreign_token"), &json!(OTHER_APPLICATION.0)));
}

/// The response to every one of these is the same.
#[tokio::test]
async fn s_605_the_reason_of_invalid_scope_names_the_party_that_may_not_have_the_scope() {
    let test = TestApp::start_with_cheap_hashes().await;
    let refresh_token = test.log_in().await;
    test.change_user(&json!({"scopes": ["legacy:autonomy.read"]}));
    let login = |scope: &str| {
        form(&[("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", scope)])
            .basic(APPLICATION.0, APPLICATION.1)
            .post()
    };
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token), ("scope", "legacy:other")];
    let refresh = form(&refresh).basic(APPLICATION.0, APPLICATION.1).post();
    for (request, reason) in [
        (login("legacy:autonomy.read admin"), "the client may not have scope 2"),
        (login("legacy:other"), "the user may not have scope 1"),
        (refresh, "the login may not have scope 1"),
        (login("a b*"), "A requested scope must not contain a wildcard."),
    ] {
        let log = LogLines::collect();
        test.send(request).await.assert_error(400, "invalid_scope");
        assert_eq!(log.lines()[0]["reason"], reason);
    }
}

#[tokio::test]
async fn s_605_secret_id_is_the_secret_that_proved_the_client() {
    let test = TestApp::start().await;
    let hash = |secret| countersign::password_hash::hash_client_secret(secret);
    let secrets = json!([{"id": "older", "hash": hash("one")}, {"hash": hash("other")}]);
    test.change_client(SERVICE.0, &json!({"secrets": secrets}));
    let fingerprint: String =
        digest(&SHA256, hash("other").as_bytes()).as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    for (secret, id) in [("one", json!("older")), ("other", json!(fingerprint)), ("wrong", Value::Null)] {
        let log = LogLines::collect();
        test.form((SERVICE.0, secret), &CLIENT_CREDENTIALS).await;
        assert_eq!(log.lines()[0]["secret_id"], id, "{secret}");
    }
    // A disabled client is not proven.
    test.change_client(SERVICE.0, &json!({"enabled": false}));
    let log = LogLines::collect();
    test.form((SERVICE.0, "one"), &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
    assert_eq!(log.lines()[0].get("secret_id"), None);
}

#[tokio::test]
async fn s_605_upgraded_is_the_old_scheme_and_only_if_the_hash_was_replaced() {
    let test = TestApp::start_with_cheap_hashes().await;
    let (username, password) = testing::IMPORTED_USER;
    for (calls, upgraded) in
        [("UpdateItem UsersTable", Value::Null), ("no call", json!("bcrypt")), ("no call", Value::Null)]
    {
        let log = LogLines::collect();
        test.interceptor.fail(calls, 400, "ConditionalCheckFailedException");
        test.password(username, password).await.assert_issued(2);
        assert_eq!(log.lines()[0]["upgraded"], upgraded);
    }
}

#[tokio::test]
async fn s_605_concurrent_calls_to_the_store_count_once() {
    let test = TestApp::start_with_cheap_hashes().await;
    let log = LogLines::collect();
    test.interceptor.hold();
    let login = test.password(USERNAME, PASSWORD);
    let calls = async {
        test.interceptor.wait_for(2).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        test.interceptor.release();
    };
    tokio::join!(login, calls);
    let line = &log.lines()[0];
    let duration = |name: &str| line[name].as_u64().unwrap();
    assert!((200..=duration("total_ms")).contains(&duration("store_ms")), "{line}");
    assert!(duration("hash_ms") + duration("store_ms") <= duration("total_ms") + 1, "{line}");
}

#[tokio::test]
async fn s_605_a_failed_and_a_recovered_load_of_the_keys_are_events() {
    let test = TestApp::start_without_keys(|_| {}).await;
    let key_lines = |log: &LogLines| {
        let lines = log.lines().into_iter().filter(|line| line["event"] == "keys");
        lines
            .map(|line| (line["outcome"].clone(), line["level"].clone(), line["reason"].is_string()))
            .collect::<Vec<_>>()
    };
    let failed = (json!("failed"), json!("ERROR"), true);
    let log = LogLines::collect();
    test.app.warm_up().await;
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(503, "temporarily_unavailable");
    assert_eq!(key_lines(&log), [failed.clone(), failed.clone()]);

    let log = LogLines::collect();
    let document = testing::key_document(&testing::p256_pem());
    test.cloud.put_secret(&document.to_string()).unwrap();
    assert_eq!(test.form(SERVICE, &CLIENT_CREDENTIALS).await.status, 200);
    assert_eq!(key_lines(&log), [(json!("done"), json!("INFO"), false)]);
    assert_eq!(log.lines().len(), 2);

    let log = LogLines::collect();
    test.interceptor.fail("GetSecretValue", 400, "AccessDeniedException");
    test.advance_clock(36_000);
    // The function has keys, so the request succeeds.
    assert_eq!(test.form(SERVICE, &CLIENT_CREDENTIALS).await.status, 200);
    let lines = key_lines(&log);
    assert!(!lines.is_empty() && lines.iter().all(|line| *line == failed), "{lines:?}");
    test.interceptor.stop_failing();
    test.app.keyring.load().await.unwrap();
    test.app.keyring.load().await.unwrap();
    let recovered = key_lines(&log).split_off(lines.len());
    assert_eq!(recovered, [(json!("done"), json!("INFO"), false)], "the second load follows a successful one");
}
