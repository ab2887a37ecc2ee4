//! S-4: refresh tokens. Races have a file of their own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::refresh_token::{Family, FamilyId, RefreshToken};
use countersign::store::Rotation;
use serde_json::json;

use testing::{APPLICATION, NOW, OTHER, PASSWORD, SCOPE, TestApp, USERNAME, form};

#[tokio::test]
async fn a_refresh_yields_a_successor_and_keeps_the_login_time() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    test.pass(100);
    let response = test.refresh(&first).await;
    let claims = response.assert_issued(2);
    assert_eq!((claims.number("auth_time"), claims.number("iat")), (NOW, NOW + 100));
    assert_eq!(claims.0["sub"], "1042");
    let second = response.refresh_token();
    assert_ne!(second, first);
    test.pass(100);
    test.refresh(&second).await.assert_issued(2);
    assert_eq!(test.live_generation(&first), Some(2));
}

#[tokio::test]
async fn each_request_chooses_its_own_structure() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    let ask = form(&[("grant_type", "refresh_token"), ("refresh_token", &token)]).basic(APPLICATION.0, APPLICATION.1);
    let response = test.send(ask.header("accept", "version=1").post()).await;
    let claims = response.assert_issued(1);
    assert_eq!(claims.0["dealer"], json!({"id": "D-77", "name": "Smith Motors"}));
    test.pass(1);
    test.refresh(&response.refresh_token()).await.assert_issued(2);
}

#[tokio::test]
async fn s_401_only_its_own_client_may_use_a_token_and_a_foreign_attempt_does_not_consume_it() {
    let test = TestApp::start().await;
    test.put_other_application();
    let token = test.log_in().await;
    let used = test.refresh(&token).await.refresh_token();
    test.pass(60);
    for token in [&token, &used] {
        let params = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        test.form(OTHER, &params).await.assert_error(400, "invalid_grant");
    }
    assert_eq!(test.live_generation(&token), Some(1));
    test.refresh(&used).await.assert_issued(2);
}

#[tokio::test]
async fn s_403_a_replay_ends_the_family() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    test.pass(11);
    let replay = test.refresh(&first).await;
    replay.assert_error(400, "invalid_grant");
    assert_eq!(test.live_generation(&first), None);
    let dead = test.refresh(&second).await;
    dead.assert_error(400, "invalid_grant");
    // Who holds which does not learn what happened.
    let junk = test.refresh("junk").await;
    assert_eq!([&replay.bytes, &dead.bytes], [&junk.bytes; 2]);
    // Another login is not concerned.
    test.refresh(&test.log_in().await).await.assert_issued(2);
}

#[tokio::test]
async fn s_403_within_the_grace_an_unused_successor_is_given_again() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    test.pass(10);
    test.interceptor.forget();
    let again = test.refresh(&first).await;
    again.assert_issued(2);
    assert_eq!(again.refresh_token(), second);
    assert!(!test.interceptor.calls().iter().any(|call| call.starts_with("UpdateItem")), "nothing is written");
    // Once the successor is used, its predecessor is a replay, however short ago.
    let third = test.refresh(&second).await.refresh_token();
    assert_eq!(test.refresh(&second).await.refresh_token(), third);
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    test.refresh(&third).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_403_a_grace_of_0_is_none() {
    let test = TestApp::start_with(|config| config.lifetimes.refresh_grace = 0).await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    test.refresh(&second).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_for_our_own() {
    for grace in [0, 10] {
        let test = TestApp::start_with(|config| config.lifetimes.refresh_grace = grace).await;
        let first = test.log_in().await;
        test.interceptor.lose_response("UpdateItem GrantsTable");
        let second = test.refresh(&first).await.refresh_token();
        assert_eq!(test.live_generation(&first), Some(1));
        test.refresh(&second).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_402_the_record_of_a_login_that_is_sent_again_sets_nothing_back() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let family = test.decoded(&first).await.family;
    let began = test.app.store.refresh_family(family).await.unwrap().unwrap();
    let second = test.refresh(&first).await.refresh_token();
    test.app.store.begin_refresh_family(family, &began).await.unwrap();
    assert_eq!(test.live_generation(&first), Some(1));
    test.pass(60);
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    test.app.store.begin_refresh_family(family, &began).await.unwrap();
    test.refresh(&second).await.assert_error(400, "invalid_grant");
    // A login whose response was lost is sent again too, and is one login.
    test.interceptor.lose_response("PutItem");
    test.refresh(&test.log_in().await).await.assert_issued(2);
}

/// What was read before may have changed by the time of the write.
#[tokio::test]
async fn s_402_the_rotation_itself_compares_all_that_makes_a_reference_live() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let used = test.decoded(&first).await;
    let family = test.app.store.refresh_family(used.family).await.unwrap().unwrap();
    let next = Family { generation: 1, rotated_by: "ours".to_owned(), ..family };
    let rotate = async |used, next: &Family| test.app.store.rotate_refresh_token(used, next).await.unwrap();
    for (used, next) in [
        (RefreshToken { generation: 1, ..used }, next.clone()),
        (RefreshToken { family: FamilyId::generate(), ..used }, next.clone()),
        (used, Family { client_id: OTHER.0.to_owned(), ..next.clone() }),
        (used, Family { rotated_at: next.expires_at, ..next.clone() }),
        (used, Family { rotated_at: next.absolute_expires_at, ..next.clone() }),
    ] {
        assert!(matches!(rotate(used, &next).await, Rotation::Lost(_)));
        assert_eq!(test.live_generation(&first), Some(0));
    }
    assert!(matches!(rotate(used, &next).await, Rotation::Rotated));
    assert_eq!(test.live_generation(&first), Some(1));
    assert!(matches!(rotate(used, &Family { rotated_by: "theirs".to_owned(), ..next }).await, Rotation::Lost(Some(_))));
}

#[tokio::test]
async fn s_404_state_decides_not_time() {
    let test = TestApp::start().await;
    // Many rotations in one second.
    let mut token = test.log_in().await;
    let first = token.clone();
    for generation in 1..=5 {
        token = test.refresh(&token).await.refresh_token();
        assert_eq!(test.live_generation(&first), Some(generation));
    }
    // The clock goes back, and on again.
    for step in [-300, 86_400, -86_400, 300] {
        test.pass(step);
        let next = test.refresh(&token).await.refresh_token();
        assert_eq!(test.refresh(&token).await.refresh_token(), next, "a retry after a step of {step}");
        token = next;
    }
}

#[tokio::test]
async fn s_405_an_unused_token_dies_and_so_does_a_family_however_much_it_is_used() {
    let test = TestApp::start().await;
    let (idle, max) = (2_592_000, 7_776_000);
    let step = 20 * 86_400;
    let unused = test.log_in().await;
    test.pass(idle - 1);
    let used = test.refresh(&unused).await.refresh_token();
    test.pass(idle);
    test.refresh(&used).await.assert_error(400, "invalid_grant");

    let began = test.now();
    let mut token = test.log_in().await;
    while test.now() + step < began + max {
        test.pass(step.cast_signed());
        token = test.refresh(&token).await.refresh_token();
    }
    let family = test.family(&token);
    assert_eq!(family["absolute_expires_at"]["N"], (began + max).to_string());
    assert_eq!(family["expires_at"]["N"], (began + max).to_string(), "TTL takes the item away at its end");
    test.pass((began + max - test.now()).cast_signed() - 1);
    token = test.refresh(&token).await.refresh_token();
    test.pass(1);
    test.refresh(&token).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_405_a_client_may_have_an_idle_time_of_its_own() {
    let test = TestApp::start().await;
    test.change_client(APPLICATION.0, &json!({"refresh_token_ttl": 600, "access_token_ttl": 60}));
    let token = test.log_in().await;
    test.pass(599);
    let token = test.refresh(&token).await.refresh_token();
    test.pass(600);
    test.refresh(&token).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_406_client_and_user_are_looked_at_again_each_time() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    test.change_client(APPLICATION.0, &json!({"enabled": false}));
    test.refresh(&token).await.assert_error(401, "invalid_client");
    test.change_client(APPLICATION.0, &json!({"grant_types": ["password"]}));
    test.refresh(&token).await.assert_error(400, "unauthorized_client");
    test.change_client(APPLICATION.0, &json!({}));
    let token = test.refresh(&token).await.refresh_token();

    for change in
        [json!({"enabled": false}), json!({"session_generation": 1}), json!({"user_id": "another user of that name"})]
    {
        let token = test.log_in().await;
        test.change_user(&change);
        test.refresh(&token).await.assert_error(400, "invalid_grant");
        test.change_user(&json!({}));
        test.refresh(&token).await.assert_error(400, "invalid_grant");
        assert_eq!(test.live_generation(&token), None);
    }
    test.refresh(&token).await.assert_issued(2);
}

#[tokio::test]
async fn s_406_scopes_that_client_or_user_lost_are_lost_to_the_family() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    test.change_client(APPLICATION.0, &json!({"scopes": ["legacy:autonomy.read"]}));
    let response = test.refresh(&token).await;
    assert_eq!(response.assert_issued(2).0["scope"], "legacy:autonomy.read");
    let token = response.refresh_token();
    test.refresh_for(&token, "legacy:autonomy.write").await.assert_error(400, "invalid_scope");
    assert_eq!(test.live_generation(&token), Some(1), "and what was refused consumed nothing");

    test.change_client(APPLICATION.0, &json!({}));
    test.change_user(&json!({"scopes": ["legacy:autonomy.write"]}));
    let response = test.refresh(&token).await;
    assert_eq!(response.assert_issued(2).0["scope"], "legacy:autonomy.write");
    // By name one gets it or is told, and the family goes on.
    let token = response.refresh_token();
    test.refresh_for(&token, "legacy:autonomy.read").await.assert_error(400, "invalid_scope");
    assert_eq!(test.live_generation(&token), Some(2), "nor did this");
    let response = test.refresh(&token).await;
    assert_eq!(response.assert_issued(2).0["scope"], "legacy:autonomy.write");
    test.change_user(&json!({"scopes": ["other"]}));
    test.refresh(&response.refresh_token()).await.assert_error(400, "invalid_grant");
    assert_eq!(test.live_generation(&token), None);

    // The client has none left.
    test.change_user(&json!({}));
    let token = test.log_in().await;
    test.change_client(APPLICATION.0, &json!({"scopes": ["other"]}));
    test.refresh(&token).await.assert_error(400, "invalid_grant");
    assert_eq!(test.live_generation(&token), None);
    test.change_client(APPLICATION.0, &json!({}));

    // Each has some left, and together they have none.
    test.change_user(&json!({}));
    let token = test.log_in().await;
    test.change_user(&json!({"scopes": ["legacy:autonomy.write"]}));
    test.change_client(APPLICATION.0, &json!({"scopes": ["legacy:autonomy.read"]}));
    test.refresh(&token).await.assert_error(400, "invalid_grant");
    assert_eq!(test.live_generation(&token), None);
}

#[tokio::test]
async fn s_407_a_wider_scope_is_refused_without_consuming_and_a_narrower_one_narrows_the_access_token_only() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    for wider in ["legacy:other", "legacy:autonomy.read legacy:other", "legacy:*", " ", "a  b"] {
        test.refresh_for(&token, wider).await.assert_error(400, "invalid_scope");
    }
    assert_eq!(test.live_generation(&token), Some(0));
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

#[tokio::test]
async fn s_408_a_bit_flipped_anywhere_in_a_refresh_token_is_refused_without_a_look_at_the_family() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("cs_rt_").unwrap()).unwrap();
    test.interceptor.forget();
    let mut forged: Vec<String> = (0..bytes.len() * 8)
        .map(|bit| {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            format!("cs_rt_{}", URL_SAFE_NO_PAD.encode(bytes))
        })
        .collect();
    // The same bytes in other letters, and other lengths.
    let body = &token[..token.len() - 1];
    forged.extend(('A'..='Z').map(|other| format!("{body}{other}")).filter(|other| *other != token));
    forged.extend([
        format!("{token}="),
        format!("{token}A"),
        format!(" {token}"),
        token.to_uppercase(),
        body.to_owned(),
    ]);
    forged.push(format!("CS_RT_{}", &token[6..]));
    for forged in &forged {
        test.refresh(forged).await.assert_error(400, "invalid_grant");
    }
    assert!(test.interceptor.calls().iter().all(|call| call == "GetItem ClientsTable"));
    test.refresh(&token).await.assert_issued(2);
}

#[tokio::test]
async fn s_408_a_bit_flipped_in_a_client_secret_is_refused() {
    let test = TestApp::start().await;
    for position in 0..APPLICATION.1.len() {
        let mut secret = APPLICATION.1.as_bytes().to_vec();
        secret[position] ^= 1;
        let secret = String::from_utf8(secret).unwrap();
        test.form((APPLICATION.0, &secret), &[("grant_type", "client_credentials")])
            .await
            .assert_error(401, "invalid_client");
    }
}

#[tokio::test]
async fn a_family_that_is_gone_or_a_user_who_is_gone_is_an_invalid_grant() {
    let test = TestApp::start().await;
    let other = TestApp::start().await;
    // The same keys, another table.
    test.refresh(&other.log_in().await).await.assert_error(400, "invalid_grant");
    let response = test.password("old.hash@itccompliance.co.uk", "legacy-pass").await;
    let token = response.refresh_token();
    let mut family = test.family(&token);
    let id = family["id"]["S"].take();
    let plain = json!({
        "id": id, "client_id": APPLICATION.0, "username": "nobody@itccompliance.co.uk", "user_id": "1", "session_generation": 0,
        "version": 2, "scopes": ["legacy:x"], "auth_time": NOW, "generation": 0, "rotated_at": NOW, "rotated_by": "x",
        "revoked": false, "absolute_expires_at": NOW + 60, "expires_at": NOW + 60,
    });
    test.cloud.put("GrantsTable", &plain).unwrap();
    test.refresh(&token).await.assert_error(400, "invalid_grant");
    assert_eq!(test.password(USERNAME, PASSWORD).await.status, 200);
}
