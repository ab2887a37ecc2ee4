//! Replacement of imported password hashes at the first login.

use serde_json::json;

use testing::{IMPORTED_USER, TestApp, USERNAME};

#[tokio::test]
async fn s_303_an_imported_hash_is_replaced_only_by_a_successful_login() {
    let test = TestApp::start().await;
    let (username, password) = IMPORTED_USER;
    let imported = test.password_hash_of(username);
    assert!(imported.starts_with("$2y$10$"));
    test.password(username, "wrong").await.assert_error(400, "invalid_grant");
    assert_eq!(test.password_hash_of(username), imported);

    test.password(username, password).await.assert_issued(2);
    let current = test.password_hash_of(username);
    assert!(current.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    test.password(username, password).await.assert_issued(2);
    assert_eq!(test.password_hash_of(username), current, "a current hash is not replaced");
    test.password(username, "wrong").await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_303_concurrent_logins_replace_an_imported_hash_without_an_error() {
    let test = TestApp::start_with_cheap_hashes().await;
    let (username, password) = IMPORTED_USER;
    test.interceptor.hold();
    let logins = async { tokio::join!(test.password(username, password), test.password(username, password)) };
    let calls = async {
        test.interceptor.let_through(4).await;
        // Both logins have read the imported hash. Each writes a family and an upgrade.
        test.interceptor.let_through(4).await
    };
    let ((one, other), writes) = tokio::join!(logins, calls);
    assert_eq!(
        writes,
        ["PutItem GrantsTable", "PutItem GrantsTable", "UpdateItem UsersTable", "UpdateItem UsersTable"]
    );
    one.assert_issued(2);
    other.assert_issued(2);
    test.interceptor.hold();
    let (again, _) = tokio::join!(test.password(username, password), async {
        test.interceptor.let_through(2).await;
        test.interceptor.let_through(1).await
    });
    again.assert_issued(2);
}

#[tokio::test]
async fn s_303_an_upgrade_does_not_undo_a_password_change() {
    let test = TestApp::start_with_cheap_hashes().await;
    let (username, password) = IMPORTED_USER;
    let changed = json!({"username": username, "user_id": "1045", "enabled": true, "password_hash": "$2y$10$changed"});
    test.interceptor.hold();
    let (response, ()) = tokio::join!(test.password(username, password), async {
        test.interceptor.let_through(2).await;
        // The login has read the imported hash. Its writes are held.
        test.interceptor.wait_for(2).await;
        test.cloud.put("UsersTable", &changed).unwrap();
        test.interceptor.let_through(2).await;
    });
    response.assert_issued(2);
    assert_eq!(test.password_hash_of(username), "$2y$10$changed");
}

#[tokio::test]
async fn a_login_succeeds_without_the_upgrade() {
    let test = TestApp::start().await;
    test.interceptor.fail("UpdateItem UsersTable", 400, "AccessDeniedException");
    test.password(IMPORTED_USER.0, IMPORTED_USER.1).await.assert_issued(2);
}

/// Stores a cheap bcrypt hash of the user's password.
fn store_bcrypt_hash(test: &TestApp, enrolled: &str) {
    test.change_user(&json!({"password_hash": bcrypt::hash(enrolled, 4).unwrap()}));
}

#[tokio::test]
async fn s_313_the_enrolled_password_stays_valid_after_a_login_that_differs_after_byte_72() {
    let test = TestApp::start().await;
    let enrolled = "correct horse battery staple correct horse battery staple correct horse battery 80!!";
    let other = "correct horse battery staple correct horse battery staple correct horse WRONG";
    store_bcrypt_hash(&test, enrolled);
    for sent in [other, enrolled, &other[..72], enrolled] {
        test.password(USERNAME, sent).await.assert_issued(2);
        assert!(test.password_hash_of(USERNAME).starts_with("$2b$"), "bcrypt did not verify the whole password");
    }
    test.password(USERNAME, &enrolled[..71]).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_313_an_imported_hash_accepts_the_enrolled_bytes_and_the_upgrade_accepts_both_normal_forms() {
    let test = TestApp::start().await;
    for (raw, nfc) in [
        ("pa\u{308}sswo\u{308}rd", "p\u{e4}ssw\u{f6}rd"),
        ("\u{9df}-password", "\u{9af}\u{9bc}-password"),
        ("12 \u{212b}ngstrom", "12 \u{c5}ngstrom"),
    ] {
        store_bcrypt_hash(&test, raw);
        test.password(USERNAME, nfc).await.assert_error(400, "invalid_grant");
        for same in [raw, nfc, raw] {
            test.password(USERNAME, same).await.assert_issued(2);
            assert!(test.password_hash_of(USERNAME).starts_with("$argon2id$"));
        }
        test.password(USERNAME, "passwort").await.assert_error(400, "invalid_grant");
    }
}
