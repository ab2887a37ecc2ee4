//! Families: every login has one, a log-out everywhere ends those of a user, and a rolled back table ends them too.

use serde_json::json;

use testing::{APPLICATION, NOW, PASSWORD, TestApp, USERNAME};

#[tokio::test]
async fn a_login_stores_a_family() {
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

#[tokio::test]
async fn a_client_without_the_refresh_token_grant_gets_no_refresh_token() {
    let test = TestApp::start().await;
    test.change_client(APPLICATION.0, &json!({"grant_types": ["password"]}));
    test.interceptor.clear_calls();
    let response = test.password(USERNAME, PASSWORD).await;
    response.assert_issued(2);
    assert!(response.body.get("refresh_token").is_none());
    let mut calls = test.interceptor.calls();
    calls.sort();
    assert_eq!(calls, ["GetItem ClientsTable", "GetItem UsersTable", "PutItem GrantsTable"]);
}

#[tokio::test]
async fn s_412_log_out_everywhere_ends_all_earlier_logins_and_no_later_ones_at_any_clock() {
    let test = TestApp::start().await;
    for (count, step) in [(1, 0), (2, -300), (3, 300)] {
        let before = test.log_in().await;
        test.advance_clock(step);
        test.change_user(&json!({"session_generation": count}));
        test.advance_clock(-step);
        // The log-out and the login are in the same second.
        let after = test.log_in().await;
        test.refresh(&before).await.assert_error(400, "invalid_grant");
        assert_eq!(test.active_generation(&before), None);
        test.refresh(&after).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_412_log_out_everywhere_ends_a_login_that_is_in_progress() {
    let test = TestApp::start().await;
    test.interceptor.hold();
    let (response, ()) = tokio::join!(test.password(USERNAME, PASSWORD), async {
        test.interceptor.let_through(2).await;
        // The login has read the user. The write of its family is held.
        test.interceptor.wait_for(1).await;
        test.change_user(&json!({"session_generation": 1}));
        test.interceptor.release();
    });
    test.refresh(&response.refresh_token()).await.assert_error(400, "invalid_grant");
}

/// Versions of countersign before the session generation stored no number. Their logins end without a server error.
#[tokio::test]
async fn a_family_without_a_session_generation_is_not_valid() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    let mut family = test.plain_family(&token);
    assert_eq!(family.as_object_mut().unwrap().remove("session_generation"), Some(json!(0)));
    test.cloud.put("GrantsTable", &family).unwrap();
    test.refresh(&token).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_410_a_refresh_token_that_is_newer_than_its_family_revokes_the_family() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let before = test.plain_family(&first);
    let second = test.refresh(&first).await.refresh_token();
    // The table is rolled back.
    test.cloud.put("GrantsTable", &before).unwrap();
    test.refresh(&second).await.assert_error(400, "invalid_grant");
    assert_eq!(test.active_generation(&first), None);
    test.refresh(&first).await.assert_error(400, "invalid_grant");
}

/// The logins of a client without the grant `refresh_token` can be revoked, too.
#[tokio::test]
async fn every_access_token_of_a_user_names_the_family_of_its_login() {
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
            assert_eq!(
                test.family_of_access_token(&jti)["id"],
                family["id"],
                "a refreshed access token names the same family"
            );
        }
    }
}

#[tokio::test]
async fn s_405_a_family_expires_with_its_last_access_token_or_later() {
    let test = TestApp::start_with(|config| config.lifetimes.refresh_token_max = 5_000).await;
    let token = test.log_in().await;
    test.advance_clock(4_000);
    let response = test.refresh(&token).await;
    assert_eq!(response.assert_issued(2).number("exp"), NOW + 5_000);
    test.change_client(APPLICATION.0, &json!({"refresh_token_ttl": 60}));
    let response = test.password(USERNAME, PASSWORD).await;
    let exp = response.assert_issued(2).number("exp");
    assert_eq!(test.family(&response.refresh_token())["expires_at"]["N"], exp.to_string());

    let test = TestApp::start_with(|config| config.lifetimes.refresh_token_max = 600).await;
    assert_eq!(test.password(USERNAME, PASSWORD).await.assert_issued(2).number("exp"), NOW + 600);
}
