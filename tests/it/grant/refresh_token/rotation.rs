//! Rotation of refresh tokens: retries, replays, and the conditional write.

use countersign::refresh_token::{FamilyId, NextGeneration, RefreshToken};
use countersign::store::Rotation;

use testing::{OTHER_APPLICATION, TestApp};

#[tokio::test]
async fn s_403_a_replay_revokes_the_family() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    test.advance_clock(11);
    let replay = test.refresh(&first).await;
    replay.assert_error(400, "invalid_grant");
    assert_eq!(test.active_generation(&first), None);
    let revoked = test.refresh(&second).await;
    revoked.assert_error(400, "invalid_grant");
    // The response does not reveal the replay.
    let junk = test.refresh("junk").await;
    assert_eq!([&replay.bytes, &revoked.bytes], [&junk.bytes; 2]);
    // Other logins are not affected.
    test.refresh(&test.log_in().await).await.assert_issued(2);
}

#[tokio::test]
async fn s_403_a_retry_within_the_grace_returns_the_same_unused_successor() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    test.advance_clock(10);
    test.interceptor.clear_calls();
    let again = test.refresh(&first).await;
    again.assert_issued(2);
    assert_eq!(again.refresh_token(), second);
    assert!(!test.interceptor.calls().iter().any(|call| call.starts_with("UpdateItem")), "nothing is written");
    // The use of the successor makes its predecessor a replay, even within the grace.
    let third = test.refresh(&second).await.refresh_token();
    assert_eq!(test.refresh(&second).await.refresh_token(), third);
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    test.refresh(&third).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_403_without_a_grace_every_second_use_is_a_replay() {
    let test = TestApp::start_with(|config| config.lifetimes.refresh_grace = 0).await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    test.refresh(&second).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_rotation_whose_response_was_lost_recognizes_its_own_write() {
    for grace in [0, 10] {
        let test = TestApp::start_with(|config| config.lifetimes.refresh_grace = grace).await;
        let first = test.log_in().await;
        test.interceptor.lose_response("UpdateItem GrantsTable");
        let second = test.refresh(&first).await.refresh_token();
        assert_eq!(test.active_generation(&first), Some(1));
        test.refresh(&second).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_402_a_repeated_write_of_a_login_does_not_reset_its_family() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let family = test.parse_refresh_token(&first).await.family;
    let began = test.app.store.refresh_family(family).await.unwrap().unwrap();
    let second = test.refresh(&first).await.refresh_token();
    test.app.store.begin_refresh_family(family, &began).await.unwrap();
    assert_eq!(test.active_generation(&first), Some(1));
    test.advance_clock(60);
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    test.app.store.begin_refresh_family(family, &began).await.unwrap();
    test.refresh(&second).await.assert_error(400, "invalid_grant");
    // The SDK repeats a write whose response was lost. The result is one login.
    test.interceptor.lose_response("PutItem");
    test.refresh(&test.log_in().await).await.assert_issued(2);
}

/// The family may change between the read and the write.
#[tokio::test]
async fn s_402_the_conditional_write_checks_everything_that_makes_a_refresh_token_active() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let used = test.parse_refresh_token(&first).await;
    let family = test.app.store.refresh_family(used.family).await.unwrap().unwrap();
    let next = NextGeneration {
        client_id: &family.client_id,
        rotated_at: family.rotated_at,
        rotated_by: "this request".to_owned(),
        expires_at: family.expires_at,
        cnf: None,
    };
    let rotate = async |used, next: &NextGeneration<'_>| test.app.store.rotate_refresh_token(used, next).await.unwrap();
    for (used, next) in [
        (RefreshToken { generation: 1, ..used }, next.clone()),
        (RefreshToken { family: FamilyId::generate(), ..used }, next.clone()),
        (used, NextGeneration { client_id: OTHER_APPLICATION.0, ..next.clone() }),
        (used, NextGeneration { rotated_at: family.expires_at, ..next.clone() }),
        (used, NextGeneration { rotated_at: family.absolute_expires_at, ..next.clone() }),
    ] {
        assert!(matches!(rotate(used, &next).await, Rotation::Lost(_)));
        assert_eq!(test.active_generation(&first), Some(0));
    }
    assert!(matches!(rotate(used, &next).await, Rotation::Rotated));
    assert_eq!(test.active_generation(&first), Some(1));
    assert!(matches!(
        rotate(used, &NextGeneration { rotated_by: "another request".to_owned(), ..next }).await,
        Rotation::Lost(Some(_))
    ));
}

#[tokio::test]
async fn s_404_rotations_do_not_depend_on_the_clock() {
    let test = TestApp::start().await;
    // Several rotations in one second.
    let mut token = test.log_in().await;
    let first = token.clone();
    for generation in 1..=5 {
        token = test.refresh(&token).await.refresh_token();
        assert_eq!(test.active_generation(&first), Some(generation));
    }
    // The clock steps back and forward.
    for step in [-300, 86_400, -86_400, 300] {
        test.advance_clock(step);
        let next = test.refresh(&token).await.refresh_token();
        assert_eq!(test.refresh(&token).await.refresh_token(), next, "a retry after a step of {step}");
        token = next;
    }
}
