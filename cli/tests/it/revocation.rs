//! `countersign token revoke`, and the state of a token in `token inspect --live`.

use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{CLIENT_CREDENTIALS, CommandOutput, PASSWORD, SERVICE, TestApp, USERNAME};

async fn revoke(test: &TestApp, token: &str) -> CommandOutput {
    command_line(test).run_with(&["token", "revoke"], token).await
}

async fn state(test: &TestApp, token: &str, code: i32) -> Value {
    let ran = command_line(test).run_with(&["token", "inspect", "--live", "--json"], token).await;
    ran.assert(code, "").json()["state"].clone()
}

fn text(response: &testing::Response, name: &str) -> String {
    response.body[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn either_token_of_a_user_ends_the_login() {
    let test = started().await;
    for name in ["refresh_token", "access_token"] {
        let login = test.password(USERNAME, PASSWORD).await;
        let token = text(&login, name);
        assert_eq!(state(&test, &token, 0).await["active"], true);
        let revoked = revoke(&test, &token).await;
        revoked.assert(0, &format!("ended the login of user {USERNAME}")).assert(0, "changing the tables");
        revoked.assert(0, "accept issued access tokens until they expire");
        test.refresh(&text(&login, "refresh_token")).await.assert_error(400, "invalid_grant");
        for name in ["refresh_token", "access_token"] {
            let state = state(&test, &text(&login, name), 3).await;
            assert_eq!((&state["reason"], &state["login"]["revoked"]), (&json!("the login was revoked"), &json!(true)));
        }
        revoke(&test, &token).await.assert(3, "nothing to end: the login was revoked");
    }
}

#[tokio::test]
async fn the_token_of_a_service_ends_itself() {
    let test = started().await;
    let tokens = [test.form(SERVICE, &CLIENT_CREDENTIALS).await, test.form(SERVICE, &CLIENT_CREDENTIALS).await];
    let [token, other] = tokens.map(|response| text(&response, "access_token"));
    revoke(&test, &format!("Bearer {token}\n")).await.assert(0, &format!("revoked the token of client {}", SERVICE.0));
    let state_of = state(&test, &token, 3).await;
    assert_eq!((&state_of["reason"], &state_of["revoked"]), (&json!("the token was revoked"), &json!(true)));
    assert_eq!(state(&test, &other, 0).await["revoked"], false);
    let shown = command_line(&test).run_with(&["token", "inspect", "--live"], &token).await;
    shown.assert(3, "The token is valid.").assert(3, "The token is not active: the token was revoked.");
}

#[tokio::test]
async fn the_state_has_the_login_the_user_and_the_client() {
    let test = started().await;
    let token = test.log_in().await;
    let found = state(&test, &token, 0).await;
    assert_eq!((&found["kind"], &found["client"]), (&json!("refresh token"), &json!({"enabled": true})));
    assert_eq!(found["user"], json!({"enabled": true, "same": true}));
    assert_eq!((&found["login"]["username"], &found["login"]["generation"]), (&json!(USERNAME), &json!(0)));
    let shown = command_line(&test).run_with(&["token", "inspect", "--live"], &token).await;
    shown.assert(0, "The token is active.").assert(0, "generation 0");

    test.change_user(&json!({"session_generation": 7}));
    let found = state(&test, &token, 3).await;
    assert_eq!(
        (&found["user"]["same"], &found["reason"]),
        (&json!(false), &json!("the user was logged out everywhere"))
    );
    test.change_user(&json!({"session_generation": null, "enabled": false}));
    assert_eq!(state(&test, &token, 3).await["reason"], "disabled user");
}

#[tokio::test]
async fn a_text_that_is_not_a_token_has_no_effect() {
    let test = started().await;
    test.interceptor.clear_calls();
    for text in ["cAnArY", "cs_rt_cAnArY", "a.b.c"] {
        let failed = revoke(&test, text).await;
        failed.assert(1, "not a token of this deployment, or an expired access token");
        assert!(!format!("{failed:?}").contains("cAnArY"), "{failed:?}");
        let ran = command_line(&test).run_with(&["token", "inspect", "--live", "--json"], text).await;
        assert_eq!(
            (ran.assert(3, "").json()["valid"].clone(), ran.json()["state"].clone()),
            (json!(false), Value::Null)
        );
    }
    let calls = test.interceptor.calls();
    assert!(!calls.iter().any(|call| call.contains("Table")), "{calls:?}");
}
