//! No log, response or item contains a secret, or a text that a caller sends (S-601).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};

use crate::support::start_api;
use testing::{
    APPLICATION, CLIENT_CREDENTIALS, COOKIE, LogLines, PASSWORD, RequestBuilder, Response, SCOPE, SERVICE, TestApp,
    USERNAME, browser, browser_refresh, event, form, percent, raw_form, raw_json,
};

mod jwts;
mod pages;

/// A text that no encoding changes, and a text that every encoding changes.
const CANARIES: [&str; 2] = ["CANARY0secret", "C4nary \"\\/<\u{e9}>%&+='"];

/// Returns all representations of a text, in lower case: unchanged, escaped and encoded.
fn forms(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let hex = |before: &str| bytes.iter().map(|byte| format!("{before}{byte:02x}")).collect::<String>();
    let json = Value::from(text).to_string();
    let mut forms = vec![
        text.to_owned(),
        json[1..json.len() - 1].to_owned(),
        text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
        text.escape_debug().to_string(),
        text.escape_default().to_string(),
        percent(text),
        hex("%"),
        hex(""),
        hex("\\x"),
        format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
    ];
    // Basic credentials are percent-encoded before base64.
    for text in [text, &percent(text)] {
        forms.extend((0..3).flat_map(|position| {
            [STANDARD.encode(shifted(text, position)), URL_SAFE.encode(shifted(text, position))]
                .map(|encoded| of_the_text(&encoded, position, text.len()).to_owned())
        }));
    }
    forms.into_iter().map(|form| form.to_lowercase()).collect()
}

fn shifted(text: &str, position: usize) -> Vec<u8> {
    [&b"\0\0"[..position], text.as_bytes()].concat()
}

/// Returns the base64 characters that depend only on the text, if the text begins at this position of the encoded bytes.
fn of_the_text(encoded: &str, position: usize, length: usize) -> &str {
    &encoded[(position * 8).div_ceil(6)..(position + length) * 8 / 6]
}

/// Returns the representation in which a text contains a secret, if there is one.
fn form_in(text: &str, secret: &str) -> Option<String> {
    let text = text.to_lowercase();
    forms(secret).into_iter().find(|form| text.contains(form))
}

/// Asserts that a text contains no secret in any representation.
#[track_caller]
fn assert_free(place: &str, text: &str, secrets: &[impl AsRef<str>]) {
    for secret in secrets {
        let form = form_in(text, secret.as_ref());
        assert!(form.is_none(), "{place} contains {:?} as {form:?}", secret.as_ref());
    }
}

/// Returns all items of all tables.
fn everything_stored(test: &TestApp) -> String {
    let tables = ["ClientsTable", "UsersTable", "GrantsTable"];
    tables.map(|table| Value::from(test.items(table)).to_string()).concat()
}

#[test]
fn s_601_a_canary_is_found_in_every_representation() {
    for canary in CANARIES {
        let basic = form(&[]).basic("an id", canary).post().headers()["authorization"].to_str().unwrap().to_owned();
        let encoded = [
            format!("before{canary}after"),
            json!({ "a": canary }).to_string(),
            format!("{canary:?}"),
            basic,
            STANDARD.encode(format!("a{canary}b")),
            URL_SAFE.encode(format!("ab{canary}c")),
            STANDARD.encode(format!("abc{canary}")),
            format!("a={}", percent(canary)),
            percent(canary).to_lowercase(),
            canary.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ];
        for text in encoded {
            assert!(form_in(&text, canary).is_some(), "{text}");
        }
    }
}

/// Returns requests with a canary in every place that a caller controls.
fn poisoned(canary: &str) -> Vec<RequestBuilder> {
    let names = ["grant_type", "client_id", "client_secret", "username", "password", "scope", "refresh_token", canary];
    let complete = [
        ("client_credentials", SERVICE, vec![]),
        ("password", APPLICATION, vec![("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)]),
        ("refresh_token", APPLICATION, vec![("refresh_token", "cs_rt_x")]),
    ];
    let service = || form(&CLIENT_CREDENTIALS);
    let mut requests = vec![
        raw_form(canary),
        raw_form(format!("{canary}=%zz")),
        raw_json(canary),
        raw_json(format!(r#"{{"{canary}":"{canary}","{canary}":1}}"#)),
        raw_json(json!({ canary: canary }).to_string()),
        raw_json(json!({ "grant_type": [canary] }).to_string()),
        service().query("?client_secret=CANARY0secret"),
        service().query("?CANARY0secret"),
        service().header("authorization", &format!("Bearer {canary}")),
        service().header("authorization", &format!("Basic {canary}")),
        service().header("authorization", &format!("Basic {}", STANDARD.encode(canary))),
        service().header("authorization", canary),
        service().basic(canary, canary),
        service().basic(SERVICE.0, canary),
        form(&[("token", canary), ("token_type_hint", canary)]).basic(SERVICE.0, SERVICE.1),
        form(&[("token", "x"), ("all_sessions", canary)]).basic(SERVICE.0, SERVICE.1),
        service().basic(SERVICE.0, SERVICE.1).header("cookie", &format!("{canary}={canary}")),
        service().basic(SERVICE.0, SERVICE.1).header("origin", canary),
        browser_refresh(canary),
        browser_refresh("x").header("cookie", &format!("{COOKIE}={canary}")),
        browser_refresh("x").header("origin", canary),
        browser(&[("grant_type", "refresh_token"), ("refresh_token", canary)]),
        raw_form("").header("accept", &format!("a/b;version={canary}")),
        raw_form("").header("content-type", canary),
        raw_form("").header("x-request-id", canary).header("x-forwarded-for", canary).header("user-agent", canary),
    ];
    for (grant_type, (id, secret), params) in complete {
        let mut whole = vec![("grant_type", grant_type), ("client_id", id), ("client_secret", secret)];
        whole.extend(params);
        for name in names {
            let mut params = whole.clone();
            params.retain(|(known, _)| *known != name);
            params.push((name, canary));
            requests.push(form(&params));
            let members: serde_json::Map<_, _> =
                params.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
            requests.push(raw_json(Value::Object(members).to_string()));
        }
    }
    requests
}

#[tokio::test]
async fn s_601_no_log_response_or_item_contains_what_a_caller_sends() {
    let test = TestApp::start().await;
    test.put_browser_app();
    let log = LogLines::collect();
    for fault in [None, Some((500, "InternalServerError")), Some((400, "AccessDeniedException"))] {
        if let Some((status, code)) = fault {
            test.interceptor.fail("", status, code);
        }
        for canary in CANARIES {
            for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
                for request in poisoned(canary) {
                    assert_response_is_free(&test.send(request.to("POST", path)).await, canary);
                }
            }
            let unknown_path = test.send(raw_form("").to("POST", &format!("/{}", percent(canary)))).await;
            unknown_path.assert_error(404, "not_found");
        }
        test.send(raw_form("").to("CANARY0secret", "/oauth/token")).await.assert_error(405, "method_not_allowed");
    }
    assert_free("the log", &log.text(), &CANARIES);
    assert_free("a table", &everything_stored(&test), &CANARIES);
    assert!(log.lines().len() > 300);
}

#[track_caller]
fn assert_response_is_free(response: &Response, canary: &str) {
    assert_free("a response", &String::from_utf8_lossy(&response.bytes), &[canary]);
    assert_free("a header", &format!("{:?}", response.headers), &[canary]);
}

/// The secrets of a deployment, including a password and a client secret that people chose.
struct Secrets {
    test: TestApp,
    client: (&'static str, &'static str),
    user: (&'static str, &'static str),
    values: Vec<String>,
}

impl Secrets {
    async fn new() -> Self {
        let (client, user) = (("canary-client", CANARIES[0]), ("canary@itccompliance.co.uk", CANARIES[1]));
        let test = TestApp::start().await;
        let hash = |secret| test.app.hasher.hash(secret).unwrap().as_str().to_owned();
        let record = json!({"client_id": client.0, "enabled": true, "grant_types": ["password", "refresh_token"],
            "scopes": ["legacy:*"], "secrets": [{"hash": hash(client.1)}]});
        test.cloud.put("ClientsTable", &record).unwrap();
        let record = json!({"username": user.0, "user_id": "canary", "enabled": true, "password_hash": hash(user.1)});
        test.cloud.put("UsersTable", &record).unwrap();
        let mut values: Vec<_> = [SERVICE.1, APPLICATION.1, PASSWORD, client.1, user.1].map(ToOwned::to_owned).to_vec();
        let keys: Value = serde_json::from_str(&test.cloud.secret().unwrap().unwrap()).unwrap();
        for key in [&keys["current"]["private_key"], &keys["refresh"]["current"]] {
            let lines = key.as_str().unwrap().lines().filter(|line| !line.starts_with("-----"));
            values.extend(lines.map(ToOwned::to_owned));
        }
        Self { test, client, user, values }
    }

    /// Returns the parameters of a login with the canary of the user.
    fn login(&self) -> [(&'static str, &'static str); 4] {
        [("grant_type", "password"), ("username", self.user.0), ("password", self.user.1), ("scope", SCOPE)]
    }

    /// Adds the tokens of a response to the secrets.
    fn keep(&mut self, response: &Response) {
        self.values.extend(response.body["access_token"].as_str().map(ToOwned::to_owned));
        self.values.extend(response.issued_refresh_token());
    }
}

#[tokio::test]
async fn s_601_no_secret_is_in_a_log_an_item_or_debug_output() {
    let mut all = Secrets::new().await;
    let log = LogLines::collect();
    let service = all.test.form(SERVICE, &CLIENT_CREDENTIALS).await;
    all.keep(&service);
    let login = all.test.form(all.client, &all.login()).await;
    all.keep(&login);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &login.refresh_token())];
    for _ in 0..2 {
        let refreshed = all.test.form(all.client, &refresh).await;
        refreshed.assert_issued(2);
        all.keep(&refreshed);
    }
    all.test.put_browser_app();
    let cookie = all.test.log_in_by_browser().await;
    let refreshed = all.test.refresh_by_cookie(&cookie).await;
    all.keep(&refreshed);
    all.values.push(cookie.clone());
    all.test.advance_clock(60);
    all.test.form(all.client, &refresh).await.assert_error(400, "invalid_grant");
    all.test.refresh_by_cookie(&cookie).await.assert_error(400, "invalid_grant");
    all.test.form((SERVICE.0, APPLICATION.1), &CLIENT_CREDENTIALS).await;
    all.test.advance_clock(300);
    all.test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);

    assert!(all.values.len() > 12);
    assert_free("a table", &everything_stored(&all.test), &all.values);
    assert_free("the log", &log.text(), &all.values);
    // The log identifies users by a hash.
    assert_free("the log", &log.text(), &[USERNAME, all.user.0]);
    let store = &all.test.app.store;
    let family = all.test.parse_refresh_token(&login.refresh_token()).await.family;
    let debug = format!(
        "{:?} {:?} {:?} {:?}",
        store.client(all.client.0).await.unwrap().unwrap(),
        store.user(&countersign::user::Username::parse(all.user.0).unwrap()).await.unwrap().unwrap(),
        store.refresh_family(family).await.unwrap().unwrap(),
        all.test.app.config,
    );
    assert_free("Debug", &debug, &all.values);
    assert!(!debug.contains("argon2id") && !debug.contains("sha256"), "Debug contains a hash: {debug}");
}

/// Checks the whole output of the binary.
#[tokio::test]
async fn s_601_no_secret_is_in_the_output_of_the_binary() {
    let mut all = Secrets::new().await;
    let mut function = start_api(all.test.cloud_address(), &[]).await;
    let login = function.invoke(event(all.client, &all.login())).await;
    all.keep(&login);
    let refreshed = function
        .invoke(event(all.client, &[("grant_type", "refresh_token"), ("refresh_token", &login.refresh_token())]))
        .await;
    refreshed.assert_issued(2);
    all.keep(&refreshed);
    for canary in CANARIES {
        let wrong = [("grant_type", "password"), ("username", canary), ("password", canary), ("scope", canary)];
        for client in [(SERVICE.0, canary), (canary, canary), all.client] {
            assert_response_is_free(&function.invoke(event(client, &wrong)).await, canary);
        }
        let mut raw = event(SERVICE, &CLIENT_CREDENTIALS);
        raw["rawQueryString"] = json!(format!("client_secret={}", percent(canary)));
        raw["headers"]["cookie"] = json!(format!("a={}", percent(canary)));
        raw["headers"]["authorization"] = json!(format!("Basic {}", percent(canary)));
        raw["body"] = json!(canary);
        assert_response_is_free(&function.invoke(raw).await, canary);
    }
    // The signing secret is invalid.
    all.test.cloud.put_secret(CANARIES[0]).unwrap();
    let mut without_keys = start_api(all.test.cloud_address(), &[]).await;
    without_keys.invoke(event(all.client, &all.login())).await.assert_error(503, "temporarily_unavailable");
    for output in [function.end().await, without_keys.end().await] {
        assert!(output.contains("\"outcome\":"), "{output}");
        assert_free("the output", &output, &all.values);
    }
}
