//! `countersign user`: passwords are read from stdin, and a new password ends the logins with the old one.

use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{PASSWORD, TestApp, USERNAME};

const NEW: &str = "john@example.com";

fn stored(test: &TestApp, username: &str) -> Value {
    test.cloud.item("UsersTable", &json!({"username": username})).unwrap().unwrap_or_default()
}

#[tokio::test]
async fn user_create_reads_the_password_from_stdin() {
    let test = started().await;
    // NFC: some keyboards send two characters where others send one.
    let made = command_line(&test)
        .run_with(
            &["user", "create", "John@Example.COM", "--dealer", r#"{"id":7}"#, "--json"],
            "pa\u{308}per-kettle-orbit-fern\n",
        )
        .await;
    made.assert(0, NEW);
    let user_id = made.json()["user_id"].as_str().unwrap().to_owned();
    assert_eq!(user_id.len(), 22);
    let claims = test.password(NEW, "p\u{e4}per-kettle-orbit-fern").await.assert_issued(2).0;
    assert_eq!(claims["sub"], user_id.as_str());
    let hash = stored(&test, NEW)["password_hash"]["S"].as_str().unwrap().to_owned();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    let shown = command_line(&test).run(&["user", "show", NEW]).await;
    shown.assert(0, "set (argon2id)");
    assert!(!format!("{shown:?}{made:?}").contains(&hash) && !made.out.contains("p\u{e4}"));

    let named = ["user", "create", "other@example.com", "--user-id", "4242", "--scope", "legacy:*", "--no-password"];
    command_line(&test).run(&named).await.assert(0, "none");
    assert_eq!(stored(&test, "other@example.com")["user_id"]["S"], "4242");
    assert_eq!(test.password("other@example.com", "").await.status, 400);
}

#[tokio::test]
async fn invalid_users_are_rejected_before_the_first_write() {
    let test = started().await;
    let long = "a".repeat(4097);
    let create = ["user", "create", NEW];
    let table: [(&[&str], &str, i32, &str); 13] = [
        (&["user", "create", USERNAME], PASSWORD, 1, "already exists"),
        (&["user", "create", "JOHN.smith@itccompliance.co.uk"], PASSWORD, 1, "already exists"),
        (&["user", "create", "a b"], PASSWORD, 1, "is not valid (RFC 8265)"),
        (&["user", "create", ""], PASSWORD, 1, "is not valid (RFC 8265)"),
        (&create, "", 1, "stdin has no password"),
        (&create, "\n", 1, "stdin has no password"),
        (&create, "qzxjk", 1, "at least 8 characters"),
        (&create, &long, 1, "The password is too long"),
        (&create, "qzxjkqzxjk\nand another", 1, "more than one line"),
        (&[&create[..], &["--dealer", "7"]].concat(), PASSWORD, 2, "not a JSON object"),
        (&[&create[..], &["--scope", "a,b"]].concat(), PASSWORD, 2, "write `--scope a --scope b`"),
        (&[&create[..], &["--user-id", ""]].concat(), PASSWORD, 1, "the user_id is empty"),
        (&[&create[..], &["--password", PASSWORD]].concat(), PASSWORD, 2, "unexpected argument"),
    ];
    for (arguments, input, code, said) in table {
        let ran = command_line(&test).run_with(arguments, input).await;
        ran.assert(code, said);
        assert!(!format!("{ran:?}").contains("qzxjk"), "the password is not printed");
        assert_eq!(stored(&test, NEW), Value::Null, "{arguments:?}");
    }
    for verb in ["show", "unlock", "set-password", "disable", "enable", "log-out", "delete"] {
        let ran = command_line(&test).run_with(&["user", verb, "missing@example.com"], PASSWORD).await;
        ran.assert(1, "user missing@example.com not found");
    }
}

#[tokio::test]
async fn a_new_password_ends_the_logins_with_the_old_one() {
    let test = started().await;
    let login = test.log_in().await;
    assert_eq!(test.refresh(&login).await.status, 200);
    let changed =
        command_line(&test).run_with(&["user", "set-password", USERNAME], "sable-lantern-quarry-mint\n").await;
    changed.assert(0, "session_generation");
    assert_eq!(test.password(USERNAME, PASSWORD).await.status, 400);
    assert_eq!(test.refresh(&login).await.body["error"], "invalid_grant");
    let login = test.password(USERNAME, "sable-lantern-quarry-mint").await.refresh_token();
    assert_eq!(test.refresh(&login).await.status, 200);

    // Only the password changes.
    let user = stored(&test, USERNAME);
    assert_eq!((&user["user_id"]["S"], &user["dealer"]["M"]["id"]["S"]), (&json!("1042"), &json!("D-77")));
}

#[tokio::test]
async fn log_out_disable_and_delete_end_the_logins() {
    let test = started().await;
    let line = command_line(&test);
    let login = test.log_in().await;
    line.run(&["user", "log-out", USERNAME]).await.assert(0, "session_generation");
    assert_eq!(test.refresh(&login).await.body["error"], "invalid_grant");
    let login = test.log_in().await;
    line.run(&["user", "disable", USERNAME]).await.assert(0, "false");
    assert_eq!(test.password(USERNAME, PASSWORD).await.status, 400);
    assert_eq!(test.refresh(&login).await.body["error"], "invalid_grant");
    line.run(&["user", "enable", USERNAME]).await.assert(0, "true");
    assert_eq!(test.password(USERNAME, PASSWORD).await.status, 200);
    line.run(&["user", "delete", USERNAME]).await.assert(1, "confirm with --yes");
    line.run(&["user", "delete", USERNAME, "--yes"]).await.assert(0, "deleted user");
    assert_eq!(stored(&test, USERNAME), Value::Null);
}

/// An operator sets a password while a login replaces the hash of the old one: the new password is kept.
#[tokio::test]
async fn a_password_that_is_set_during_a_hash_upgrade_is_not_lost() {
    let test = TestApp::start_with_cheap_hashes().await;
    test.use_system_time().await;
    let username = "old.hash@itccompliance.co.uk";
    test.interceptor.hold();
    let process = command_line(&test).start(&["user", "set-password", username]);
    let setting = tokio::spawn(testing::CommandOutput::of(process, "sable-lantern-quarry-mint\n"));
    // The command reads the user, gets the identity, reads the clients, and reads the user again. Then its write waits.
    for _ in 0..4 {
        test.interceptor.let_through(1).await;
    }
    test.interceptor.wait_for(1).await;
    let login = tokio::join!(test.password(username, "legacy-pass"), async {
        test.interceptor.wait_for(4).await;
        test.interceptor.let_one_through("GetItem ClientsTable");
        test.interceptor.let_one_through("GetItem GrantsTable");
        test.interceptor.let_one_through("GetItem UsersTable");
        test.interceptor.wait_for(3).await;
        test.interceptor.let_one_through("PutItem GrantsTable");
        test.interceptor.let_one_through("UpdateItem GrantsTable");
        test.interceptor.wait_for(2).await;
        // The upgrade of the login.
        test.interceptor.let_one_through("UpdateItem UsersTable");
    });
    assert_eq!(login.0.status, 200);
    // The write of the command fails. The command reads the user again, and writes again.
    assert_eq!(test.interceptor.let_through(1).await, ["UpdateItem UsersTable"]);
    assert_eq!(test.interceptor.let_through(1).await, ["GetItem UsersTable"]);
    assert_eq!(test.interceptor.let_through(1).await, ["UpdateItem UsersTable"]);
    setting.await.unwrap().assert(0, "session_generation");
    test.interceptor.release();
    assert_eq!(test.password(username, "legacy-pass").await.status, 400);
    assert_eq!(test.password(username, "sable-lantern-quarry-mint").await.status, 200);
}

/// No clock decides: a CLI with another clock ends exactly the logins that began before.
#[tokio::test]
async fn log_out_all_ends_every_login_of_every_user() {
    let test = started().await;
    let others = "old.hash@itccompliance.co.uk";
    let login = async || [test.log_in().await, test.password(others, "legacy-pass").await.refresh_token()];
    let before = login().await;
    let line = command_line(&test);
    line.run(&["user", "log-out", "--all"]).await.assert(1, "confirm with --yes");
    line.run(&["user", "log-out", USERNAME, "--all"]).await.assert(2, "cannot be used with");
    line.run(&["user", "log-out"]).await.assert(2, "required");
    let users = TestApp::user_count();
    let all = format!("logged out {users} of {users} users");
    line.run(&["user", "log-out", "--all", "--yes"]).await.assert(0, &all);
    let after = login().await;
    for token in &before {
        test.refresh(token).await.assert_error(400, "invalid_grant");
    }
    for token in &after {
        test.refresh(token).await.assert_issued(2);
    }
    assert_eq!(stored(&test, others)["session_generation"]["N"], "1");

    // After a restore, no session generation is used again.
    let ran = line.run(&["user", "log-out", "--all", "--after-restore", "--yes", "--json"]).await;
    ran.assert(0, "");
    assert_eq!(ran.json(), json!({"users": users, "logged_out": users, "failed": []}));
    assert_eq!(stored(&test, USERNAME)["session_generation"]["N"], "1001");

    // The other users are logged out in spite of a malformed record.
    test.change_user(&json!({"session_generation": "canary"}));
    let ran = line.run(&["user", "log-out", "--all", "--yes"]).await;
    ran.assert(3, &format!("not logged out: {USERNAME}"));
    assert_eq!(stored(&test, others)["session_generation"]["N"], "1002");
}

/// A username that was written to the table by hand may not be in its RFC 8265 form. No login finds it, but operators do.
#[tokio::test]
async fn a_username_in_another_form_can_be_shown_and_deleted() {
    let test = started().await;
    test.cloud.put("UsersTable", &json!({"username": "Odd@Example.com", "user_id": "9", "enabled": true})).unwrap();
    command_line(&test).run(&["user", "show", "Odd@Example.com"]).await.assert(0, "Odd@Example.com");
    command_line(&test).run(&["user", "delete", "Odd@Example.com", "--yes"]).await.assert(0, "deleted user");
    assert_eq!(stored(&test, "Odd@Example.com"), Value::Null);
}
