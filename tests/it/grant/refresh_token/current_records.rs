//! A refresh uses the current records of the client and the user, and the scopes that they have now.

use serde_json::json;

use testing::{APPLICATION, SCOPE, TestApp};

#[tokio::test]
async fn s_406_each_refresh_checks_the_client_and_the_user() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    test.change_client(APPLICATION.0, &json!({"enabled": false}));
    test.refresh(&token).await.assert_error(401, "invalid_client");
    test.change_client(APPLICATION.0, &json!({"grant_types": ["password"]}));
    test.refresh(&token).await.assert_error(400, "unauthorized_client");
    test.change_client(APPLICATION.0, &json!({}));
    let token = test.refresh(&token).await.refresh_token();

    for change in
        [json!({"enabled": false}), json!({"session_generation": 1}), json!({"user_id": "another user with that name"})]
    {
        let token = test.log_in().await;
        test.change_user(&change);
        test.refresh(&token).await.assert_error(400, "invalid_grant");
        test.change_user(&json!({}));
        test.refresh(&token).await.assert_error(400, "invalid_grant");
        assert_eq!(test.active_generation(&token), None);
    }
    test.refresh(&token).await.assert_issued(2);
}

#[tokio::test]
async fn s_406_a_family_loses_the_scopes_that_the_client_or_the_user_lost() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    test.change_client(APPLICATION.0, &json!({"scopes": ["legacy:autonomy.read"]}));
    let response = test.refresh(&token).await;
    assert_eq!(response.assert_issued(2).0["scope"], "legacy:autonomy.read");
    let token = response.refresh_token();
    test.refresh_for(&token, "legacy:autonomy.write").await.assert_error(400, "invalid_scope");
    assert_eq!(test.active_generation(&token), Some(1), "a rejected request consumes nothing");

    test.change_client(APPLICATION.0, &json!({}));
    test.change_user(&json!({"scopes": ["legacy:autonomy.write"]}));
    let response = test.refresh(&token).await;
    assert_eq!(response.assert_issued(2).0["scope"], "legacy:autonomy.write");
    // A request for a lost scope is rejected. The login continues.
    let token = response.refresh_token();
    test.refresh_for(&token, "legacy:autonomy.read").await.assert_error(400, "invalid_scope");
    assert_eq!(test.active_generation(&token), Some(2), "a rejected request consumes nothing");
    let response = test.refresh(&token).await;
    assert_eq!(response.assert_issued(2).0["scope"], "legacy:autonomy.write");
}

#[tokio::test]
async fn s_406_a_family_without_any_scope_left_is_revoked() {
    let test = TestApp::start().await;
    for (user_scopes, client_scopes) in [
        (json!(["other"]), json!(["legacy:*"])),
        (json!(["legacy:*"]), json!(["other"])),
        // Both have scopes of the login, and none in common.
        (json!(["legacy:autonomy.write"]), json!(["legacy:autonomy.read"])),
    ] {
        test.change_user(&json!({}));
        test.change_client(APPLICATION.0, &json!({}));
        let token = test.log_in().await;
        test.change_user(&json!({"scopes": user_scopes}));
        test.change_client(APPLICATION.0, &json!({"scopes": client_scopes}));
        test.refresh(&token).await.assert_error(400, "invalid_grant");
        assert_eq!(test.active_generation(&token), None);
    }
}

#[tokio::test]
async fn s_407_a_wider_scope_is_rejected_and_a_narrower_scope_narrows_only_the_access_token() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    for wider in ["legacy:other", "legacy:autonomy.read legacy:other", "legacy:*", " ", "a  b"] {
        test.refresh_for(&token, wider).await.assert_error(400, "invalid_scope");
    }
    assert_eq!(test.active_generation(&token), Some(0));
    let response = test.refresh_for(&token, "legacy:autonomy.read").await;
    assert_eq!(response.assert_issued(2).0["scope"], "legacy:autonomy.read");
    let mut whole: Vec<_> = SCOPE.split(' ').collect();
    whole.sort_unstable();
    for scope in ["", SCOPE] {
        let claims = test.refresh_for(&response.refresh_token(), scope).await.assert_issued(2);
        let mut issued: Vec<_> = claims.0["scope"].as_str().unwrap().split(' ').collect();
        issued.sort_unstable();
        assert_eq!(issued, whole);
    }
}
