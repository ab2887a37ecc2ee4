//! S-3: users and their passwords.

use serde_json::json;

use testing::{APPLICATION, LogLines, NOW, PASSWORD, TestApp, USERNAME};

#[tokio::test]
async fn s_301_every_way_to_fail_gets_the_same_bytes_for_the_same_hashes() {
    let test = TestApp::start().await;
    let hashes = LogLines::collect();
    let mut responses = Vec::new();
    for (username, password) in [
        (USERNAME, "wrong"),
        (USERNAME, &"x".repeat(4096)),
        ("nobody@itccompliance.co.uk", PASSWORD),
        ("off@itccompliance.co.uk", PASSWORD),
        ("off@itccompliance.co.uk", "wrong"),
        ("nopassword@itccompliance.co.uk", PASSWORD),
        ("old.hash@itccompliance.co.uk", "wrong"),
        ("no account can have this name", PASSWORD),
        ("\u{202e}", PASSWORD),
        // A letter whose lower case the profile does not know.
        ("\u{13a0}", PASSWORD),
    ] {
        let response = test.password(username, password).await;
        response.assert_error(400, "invalid_grant");
        responses.push((response.bytes, response.headers));
        let current = [("memory_kib", 19_456), ("iterations", 2), ("parallelism", 1)];
        let current = current.map(|(name, value)| (name.to_owned(), value)).to_vec();
        // The client's secret, and the password.
        assert_eq!(hashes.take_hashes(), [("sha256".to_owned(), vec![]), ("argon2".to_owned(), current)], "{username}");
    }
    // Whether it is the password of a disabled account shows in nothing either, whatever made its hash.
    let imported = json!({"username": "old.hash@itccompliance.co.uk"});
    let imported = test.cloud.item("UsersTable", &imported).unwrap().unwrap()["password_hash"]["S"].clone();
    test.change_user(&json!({"enabled": false, "password_hash": imported}));
    for password in ["legacy-pass", "wrong"] {
        let response = test.password(USERNAME, password).await;
        responses.push((response.bytes, response.headers));
        let schemes: Vec<_> = hashes.take_hashes().into_iter().map(|(scheme, _)| scheme).collect();
        assert_eq!(schemes, ["sha256", "argon2"]);
    }
    assert!(responses.iter().all(|response| *response == responses[0]));
    test.change_user(&json!({}));

    // Empty and over-long are malformed before anything is asked of an account: alike for any, and for no hash at all.
    for username in [USERNAME, "nobody@itccompliance.co.uk"] {
        for password in ["", &"x".repeat(4097)] {
            test.password(username, password).await.assert_error(400, "invalid_request");
        }
    }
    assert!(hashes.take_hashes().iter().all(|(scheme, _)| scheme == "sha256"));
}

/// A password that is not in NFC is tried in two forms, and so is everything that stands in for a hash.
#[tokio::test]
async fn s_301_both_forms_of_a_password_cost_the_same_hashes_whatever_is_wrong() {
    let test = TestApp::start().await;
    let hashes = LogLines::collect();
    for username in [
        USERNAME,
        "nobody@itccompliance.co.uk",
        "off@itccompliance.co.uk",
        "nopassword@itccompliance.co.uk",
        "old.hash@itccompliance.co.uk",
        "no account can have this name",
    ] {
        test.password(username, "wrong pa\u{308}ssword").await.assert_error(400, "invalid_grant");
        let current = [("memory_kib", 19_456), ("iterations", 2), ("parallelism", 1)];
        let argon2 = ("argon2".to_owned(), current.map(|(name, value)| (name.to_owned(), value)).to_vec());
        assert_eq!(hashes.take_hashes(), [("sha256".to_owned(), vec![]), argon2.clone(), argon2], "{username}");
    }
}

#[tokio::test]
async fn s_302_usernames_are_compared_in_their_rfc_8265_form() {
    let test = TestApp::start().await;
    for same in [
        "JOHN.SMITH@ITCCOMPLIANCE.CO.UK",
        "  john.smith@itccompliance.co.uk ",
        // Full-width letters, as an input method may write them.
        "\u{ff4a}\u{ff4f}\u{ff48}\u{ff4e}.smith@itccompliance.co.uk",
    ] {
        assert_eq!(test.password(same, PASSWORD).await.assert_issued(2).0["sub"], "1042");
    }
    for other in [
        "j\u{43e}hn.smith@itccompliance.co.uk",
        // Only ASCII spaces are removed.
        "john.smith@itccompliance.co.uk\u{a0}",
        "john.smith@itccompliance.co.uk\u{200b}",
        "john.smith",
    ] {
        test.password(other, PASSWORD).await.assert_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn passwords_are_taken_as_received_after_nfc() {
    let test = TestApp::start().await;
    let username = "umlaut@itccompliance.co.uk";
    for same in ["p\u{e4}ssw\u{f6}rd", "pa\u{308}sswo\u{308}rd"] {
        test.password(username, same).await.assert_issued(2);
    }
    for other in ["passw\u{f6}rd", "P\u{e4}ssw\u{f6}rd", " p\u{e4}ssw\u{f6}rd", "p\u{e4}ssw\u{f6}rd "] {
        test.password(username, other).await.assert_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn s_303_an_imported_hash_is_upgraded_on_success_only() {
    let test = TestApp::start().await;
    let username = "old.hash@itccompliance.co.uk";
    let stored = || {
        test.cloud.item("UsersTable", &json!({"username": username})).unwrap().unwrap()["password_hash"]["S"].clone()
    };
    let old = stored();
    assert!(old.as_str().unwrap().starts_with("$2y$10$"));
    test.password(username, "wrong").await.assert_error(400, "invalid_grant");
    assert_eq!(stored(), old);

    test.password(username, "legacy-pass").await.assert_issued(2);
    let new = stored();
    assert!(new.as_str().unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    test.password(username, "legacy-pass").await.assert_issued(2);
    assert_eq!(stored(), new, "a current hash stays");
    test.password(username, "wrong").await.assert_error(400, "invalid_grant");
}

/// A user whose bcrypt hash is over these bytes, with the few rounds that a test needs.
fn with_bcrypt(test: &TestApp, enrolled: &str) {
    test.change_user(&json!({"password_hash": bcrypt::hash(enrolled, 4).unwrap()}));
}

fn stored_hash(test: &TestApp) -> String {
    let user = test.cloud.item("UsersTable", &json!({"username": USERNAME})).unwrap().unwrap();
    user["password_hash"]["S"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn s_313_a_login_with_another_end_after_byte_72_does_not_lock_the_enrolled_password_out() {
    let test = TestApp::start().await;
    let enrolled = "correct horse battery staple correct horse battery staple correct horse battery 80!!";
    let other = "correct horse battery staple correct horse battery staple correct horse WRONG";
    with_bcrypt(&test, enrolled);
    for sent in [other, enrolled, &other[..72], enrolled] {
        test.password(USERNAME, sent).await.assert_issued(2);
        assert!(stored_hash(&test).starts_with("$2b$"), "verified, but not in full");
    }
    test.password(USERNAME, &enrolled[..71]).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_313_a_password_works_as_it_was_enrolled_and_after_the_upgrade_in_both_normal_forms() {
    let test = TestApp::start().await;
    for (raw, nfc) in [
        ("pa\u{308}sswo\u{308}rd", "p\u{e4}ssw\u{f6}rd"),
        ("\u{9df}-password", "\u{9af}\u{9bc}-password"),
        ("12 \u{212b}ngstrom", "12 \u{c5}ngstrom"),
    ] {
        with_bcrypt(&test, raw);
        test.password(USERNAME, nfc).await.assert_error(400, "invalid_grant");
        for same in [raw, nfc, raw] {
            test.password(USERNAME, same).await.assert_issued(2);
            assert!(stored_hash(&test).starts_with("$argon2id$"));
        }
        test.password(USERNAME, "passwort").await.assert_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn s_303_two_logins_at_once_do_no_harm() {
    let test = TestApp::start_with_cheap_hashes().await;
    let username = "old.hash@itccompliance.co.uk";
    test.interceptor.hold();
    let logins = async { tokio::join!(test.password(username, "legacy-pass"), test.password(username, "legacy-pass")) };
    let gatekeeper = async {
        test.interceptor.let_through(4).await;
        // Both have read the old hash: now both write, a family and an upgrade each.
        test.interceptor.let_through(4).await
    };
    let ((one, other), writes) = tokio::join!(logins, gatekeeper);
    assert_eq!(
        writes,
        ["PutItem GrantsTable", "PutItem GrantsTable", "UpdateItem UsersTable", "UpdateItem UsersTable"]
    );
    one.assert_issued(2);
    other.assert_issued(2);
    test.interceptor.hold();
    let (again, _) = tokio::join!(test.password(username, "legacy-pass"), async {
        test.interceptor.let_through(2).await;
        test.interceptor.let_through(1).await
    });
    again.assert_issued(2);
}

#[tokio::test]
async fn s_303_an_upgrade_does_not_undo_a_change_of_password() {
    let test = TestApp::start_with_cheap_hashes().await;
    let username = "old.hash@itccompliance.co.uk";
    let changed = json!({"username": username, "user_id": "1045", "enabled": true, "password_hash": "$2y$10$changed"});
    test.interceptor.hold();
    let (response, ()) = tokio::join!(test.password(username, "legacy-pass"), async {
        test.interceptor.let_through(2).await;
        // The login has read the old hash, and is about to write.
        test.interceptor.wait_for(2).await;
        test.cloud.put("UsersTable", &changed).unwrap();
        test.interceptor.let_through(2).await;
    });
    response.assert_issued(2);
    let stored = test.cloud.item("UsersTable", &json!({"username": username})).unwrap().unwrap();
    assert_eq!(stored["password_hash"]["S"], "$2y$10$changed");
}

#[tokio::test]
async fn a_login_does_not_depend_on_the_upgrade() {
    let test = TestApp::start().await;
    test.interceptor.fail("UpdateItem UsersTable", 400, "AccessDeniedException");
    test.password("old.hash@itccompliance.co.uk", "legacy-pass").await.assert_issued(2);
}

#[tokio::test]
async fn a_user_may_have_fewer_scopes_than_the_client() {
    let test = TestApp::start().await;
    let log_in = async |scope: &str| {
        let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", scope)];
        test.form(APPLICATION, &params).await
    };
    test.change_user(&json!({"scopes": ["legacy:autonomy.read"]}));
    assert_eq!(log_in("legacy:autonomy.read").await.assert_issued(2).0["scope"], "legacy:autonomy.read");
    log_in("legacy:autonomy.write").await.assert_error(400, "invalid_scope");
    log_in("legacy:autonomy.read legacy:autonomy.write").await.assert_error(400, "invalid_scope");
    // Of the client's defaults, what there is to have.
    log_in("").await.assert_error(400, "invalid_scope");
    let defaults = ["legacy:autonomy.read", "legacy:autonomy.write"];
    test.change_client(APPLICATION.0, &json!({"default_scopes": defaults}));
    assert_eq!(log_in("").await.assert_issued(2).0["scope"], "legacy:autonomy.read");
    test.change_user(&json!({"scopes": ["other"]}));
    log_in("").await.assert_error(400, "invalid_scope");
    // Only who knows the password learns what the user may not have.
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", "wrong"), ("scope", "legacy:x")];
    test.form(APPLICATION, &params).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_login_is_recorded_as_a_family() {
    let test = TestApp::start().await;
    let family = test.family(&test.log_in().await);
    for (attribute, value) in [
        ("client_id", json!({"S": "autonomy-web"})),
        ("username", json!({"S": USERNAME})),
        ("user_id", json!({"S": "1042"})),
        ("scopes", json!({"SS": ["legacy:autonomy.read", "legacy:autonomy.write"]})),
        ("version", json!({"N": "2"})),
        ("auth_time", json!({"N": NOW.to_string()})),
        ("generation", json!({"N": "0"})),
        ("rotated_at", json!({"N": NOW.to_string()})),
        ("revoked", json!({"BOOL": false})),
        ("absolute_expires_at", json!({"N": (NOW + 7_776_000).to_string()})),
        ("expires_at", json!({"N": (NOW + 2_592_000).to_string()})),
    ] {
        assert_eq!(family[attribute], value, "{attribute}");
    }
}
