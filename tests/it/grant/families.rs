//! The family of a login: what every login has, what ends all of a user's logins, and what a rolled back table does.

use serde_json::json;

use testing::{APPLICATION, NOW, PASSWORD, TestApp, USERNAME};

#[tokio::test]
async fn s_412_log_out_everywhere_ends_the_logins_before_it_and_none_after_whatever_the_clocks_say() {
    let test = TestApp::start().await;
    for (count, step) in [(1, 0), (2, -300), (3, 300)] {
        let before = test.log_in().await;
        test.pass(step);
        test.change_user(&json!({"session_generation": count}));
        test.pass(-step);
        // Even within the same second.
        let after = test.log_in().await;
        test.refresh(&before).await.assert_error(400, "invalid_grant");
        assert_eq!(test.live_generation(&before), None);
        test.refresh(&after).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_412_a_login_that_read_the_user_before_the_log_out_is_over() {
    let test = TestApp::start().await;
    test.interceptor.hold();
    let (response, ()) = tokio::join!(test.password(USERNAME, PASSWORD), async {
        test.interceptor.let_through(2).await;
        // The login has read the user and is about to store its family.
        test.interceptor.wait_for(1).await;
        test.change_user(&json!({"session_generation": 1}));
        test.interceptor.release();
    });
    test.refresh(&response.refresh_token()).await.assert_error(400, "invalid_grant");
}

/// Builds before the session generation stored no number: their logins end, and with no server error.
#[tokio::test]
async fn a_family_without_a_session_generation_is_not_valid() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    let mut family = test.stored_family(&token);
    assert_eq!(family.as_object_mut().unwrap().remove("session_generation"), Some(json!(0)));
    test.cloud.put("GrantsTable", &family).unwrap();
    test.refresh(&token).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_410_a_token_that_is_ahead_of_its_family_ends_it() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let before = test.stored_family(&first);
    let second = test.refresh(&first).await.refresh_token();
    // The table is rolled back.
    test.cloud.put("GrantsTable", &before).unwrap();
    test.refresh(&second).await.assert_error(400, "invalid_grant");
    assert_eq!(test.live_generation(&first), None);
    test.refresh(&first).await.assert_error(400, "invalid_grant");
}

/// A client without the grant `refresh_token` gets no refresh token, and its logins can be revoked all the same.
#[tokio::test]
async fn every_login_has_a_family_that_its_access_tokens_name() {
    let test = TestApp::start().await;
    for (grant_types, expires_in) in [(json!(["password"]), 3_600), (json!(["password", "refresh_token"]), 2_592_000)] {
        test.change_client(APPLICATION.0, &json!({"grant_types": grant_types}));
        let response = test.password(USERNAME, PASSWORD).await;
        let jti = response.assert_issued(2).0["jti"].as_str().unwrap().to_owned();
        assert_eq!(jti.len(), 43);
        let family = test.family_of_access_token(&jti);
        assert_eq!(family["expires_at"]["N"], (NOW + expires_in).to_string());
        assert_eq!(family["session_generation"]["N"], "0");
        let refresh_token = response.body["refresh_token"].as_str();
        assert_eq!(refresh_token.is_some(), expires_in > 3_600);
        if let Some(token) = refresh_token {
            assert_eq!(test.family(token), family);
            let jti = test.refresh(token).await.assert_issued(2).0["jti"].as_str().unwrap().to_owned();
            assert_eq!(test.family_of_access_token(&jti)["id"], family["id"], "as do those of a refresh");
        }
    }
}

#[tokio::test]
async fn s_405_no_access_token_outlives_its_login_and_no_family_ends_before_its_access_tokens() {
    let test = TestApp::start_with(|config| config.lifetimes.refresh_token_max = 5_000).await;
    let token = test.log_in().await;
    test.pass(4_000);
    let response = test.refresh(&token).await;
    assert_eq!(response.assert_issued(2).number("exp"), NOW + 5_000);
    test.change_client(APPLICATION.0, &json!({"refresh_token_ttl": 60}));
    let response = test.password(USERNAME, PASSWORD).await;
    let exp = response.assert_issued(2).number("exp");
    assert_eq!(test.family(&response.refresh_token())["expires_at"]["N"], exp.to_string());

    let test = TestApp::start_with(|config| config.lifetimes.refresh_token_max = 600).await;
    assert_eq!(test.password(USERNAME, PASSWORD).await.assert_issued(2).number("exp"), NOW + 600);
}
