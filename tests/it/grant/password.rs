//! The password grant.

use argon2id::FastArgon2id;
use serde_json::json;

use testing::{APPLICATION, IMPORTED_USER, LogLines, PASSWORD, TestApp, USERNAME};

#[tokio::test]
async fn s_301_every_failed_login_gets_the_same_response_and_computes_the_same_hashes() {
    let test = TestApp::start().await;
    let hashes = LogLines::collect();
    let avx2 = u64::from(FastArgon2id::detect().is_some());
    let mut responses = Vec::new();
    for (username, password) in [
        (USERNAME, "wrong"),
        (USERNAME, &"x".repeat(4096)),
        ("unknown@itccompliance.co.uk", PASSWORD),
        ("off@itccompliance.co.uk", PASSWORD),
        ("off@itccompliance.co.uk", "wrong"),
        ("nopassword@itccompliance.co.uk", PASSWORD),
        (IMPORTED_USER.0, "wrong"),
        ("no account can have this name", PASSWORD),
        ("\u{202e}", PASSWORD),
        // The RFC 8265 profile has no lower case of this letter.
        ("\u{13a0}", PASSWORD),
    ] {
        let response = test.password(username, password).await;
        response.assert_error(400, "invalid_grant");
        responses.push((response.bytes, response.headers));
        let current = [("memory_kib", 19_456), ("iterations", 2), ("parallelism", 1), ("avx2", avx2)];
        let current = current.map(|(name, value)| (name.to_owned(), value)).to_vec();
        // The hash of the client secret and the hash of the password.
        assert_eq!(hashes.take_hashes(), [("sha256".to_owned(), vec![]), ("argon2".to_owned(), current)], "{username}");
    }
    // The response does not reveal the password of a disabled account, even with an imported hash.
    let imported = test.password_hash_of(IMPORTED_USER.0);
    test.change_user(&json!({"enabled": false, "password_hash": imported}));
    for password in [IMPORTED_USER.1, "wrong"] {
        let response = test.password(USERNAME, password).await;
        responses.push((response.bytes, response.headers));
        let schemes: Vec<_> = hashes.take_hashes().into_iter().map(|(scheme, _)| scheme).collect();
        assert_eq!(schemes, ["sha256", "argon2"]);
    }
    assert!(responses.iter().all(|response| *response == responses[0]));
    test.change_user(&json!({}));

    // An empty password or a password that is too long is rejected before the user is read, without a password hash.
    for username in [USERNAME, "unknown@itccompliance.co.uk"] {
        for password in ["", &"x".repeat(4097)] {
            test.password(username, password).await.assert_error(400, "invalid_request");
        }
    }
    assert!(hashes.take_hashes().iter().all(|(scheme, _)| scheme == "sha256"));
}

/// A password that is not in NFC is verified in two forms. The dummy hash is computed twice, too.
#[tokio::test]
async fn s_301_every_failed_login_computes_the_same_hashes_for_both_forms_of_a_password() {
    let test = TestApp::start().await;
    let hashes = LogLines::collect();
    let avx2 = u64::from(FastArgon2id::detect().is_some());
    for username in [
        USERNAME,
        "unknown@itccompliance.co.uk",
        "off@itccompliance.co.uk",
        "nopassword@itccompliance.co.uk",
        IMPORTED_USER.0,
        "no account can have this name",
    ] {
        test.password(username, "wrong pa\u{308}ssword").await.assert_error(400, "invalid_grant");
        let current = [("memory_kib", 19_456), ("iterations", 2), ("parallelism", 1), ("avx2", avx2)];
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
        // Full-width letters, which input methods can produce.
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
async fn passwords_are_compared_after_nfc_and_no_other_change() {
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
async fn a_login_gets_only_scopes_of_the_client_and_the_user() {
    let test = TestApp::start().await;
    let log_in = async |scope: &str| {
        let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", scope)];
        test.form(APPLICATION, &params).await
    };
    test.change_user(&json!({"scopes": ["legacy:autonomy.read"]}));
    assert_eq!(log_in("legacy:autonomy.read").await.assert_issued(2).0["scope"], "legacy:autonomy.read");
    log_in("legacy:autonomy.write").await.assert_error(400, "invalid_scope");
    log_in("legacy:autonomy.read legacy:autonomy.write").await.assert_error(400, "invalid_scope");
    // A login without a scope gets the default scopes of the client that the user has.
    log_in("").await.assert_error(400, "invalid_scope");
    let defaults = ["legacy:autonomy.read", "legacy:autonomy.write"];
    test.change_client(APPLICATION.0, &json!({"default_scopes": defaults}));
    assert_eq!(log_in("").await.assert_issued(2).0["scope"], "legacy:autonomy.read");
    test.change_user(&json!({"scopes": ["other"]}));
    log_in("").await.assert_error(400, "invalid_scope");
    // The scopes of the user are not revealed without the password.
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", "wrong"), ("scope", "legacy:x")];
    test.form(APPLICATION, &params).await.assert_error(400, "invalid_grant");
}
