//! The refresh token grant. `faults/races.rs` has the concurrent requests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use testing::{APPLICATION, IMPORTED_USER, NOW, OTHER_APPLICATION, PASSWORD, TestApp, USERNAME, form};

mod current_records;
mod lifetimes;
mod rotation;

#[tokio::test]
async fn a_refresh_returns_a_successor_and_keeps_the_time_of_the_login() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    test.advance_clock(100);
    let response = test.refresh(&first).await;
    let claims = response.assert_issued(2);
    assert_eq!((claims.number("auth_time"), claims.number("iat")), (NOW, NOW + 100));
    assert_eq!(claims.0["sub"], "1042");
    let second = response.refresh_token();
    assert_ne!(second, first);
    test.advance_clock(100);
    test.refresh(&second).await.assert_issued(2);
    assert_eq!(test.active_generation(&first), Some(2));
}

#[tokio::test]
async fn each_refresh_selects_its_token_version() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    let request =
        form(&[("grant_type", "refresh_token"), ("refresh_token", &token)]).basic(APPLICATION.0, APPLICATION.1);
    let response = test.send(request.header("accept", "version=1").post()).await;
    let claims = response.assert_issued(1);
    assert_eq!(claims.0["dealer"], json!({"id": "D-77", "name": "Smith Motors"}));
    test.advance_clock(1);
    test.refresh(&response.refresh_token()).await.assert_issued(2);
}

#[tokio::test]
async fn s_401_a_refresh_token_is_rejected_for_another_client_and_stays_valid_for_its_own() {
    let test = TestApp::start().await;
    test.put_other_application();
    let token = test.log_in().await;
    let used = test.refresh(&token).await.refresh_token();
    test.advance_clock(60);
    for token in [&token, &used] {
        let params = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        test.form(OTHER_APPLICATION, &params).await.assert_error(400, "invalid_grant");
    }
    assert_eq!(test.active_generation(&token), Some(1));
    test.refresh(&used).await.assert_issued(2);
}

#[tokio::test]
async fn s_408_a_flipped_bit_in_a_refresh_token_is_rejected_without_a_read_of_the_family() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("cs_rt_").unwrap()).unwrap();
    test.interceptor.clear_calls();
    let mut forged: Vec<String> = (0..bytes.len() * 8)
        .map(|bit| {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            format!("cs_rt_{}", URL_SAFE_NO_PAD.encode(bytes))
        })
        .collect();
    // The same bytes in another encoding, and other lengths.
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
async fn a_missing_family_or_user_is_an_invalid_grant() {
    let test = TestApp::start().await;
    let other = TestApp::start().await;
    // The deployments have the same keys and different tables.
    test.refresh(&other.log_in().await).await.assert_error(400, "invalid_grant");
    let response = test.password(IMPORTED_USER.0, IMPORTED_USER.1).await;
    let token = response.refresh_token();
    let mut family = test.family(&token);
    let id = family["id"]["S"].take();
    let mut plain = json!({
        "id": id, "client_id": APPLICATION.0, "username": "", "user_id": "1", "session_generation": 0,
        "version": 2, "scopes": ["legacy:x"], "auth_time": NOW, "generation": 0, "rotated_at": NOW, "rotated_by": "x",
        "revoked": false, "absolute_expires_at": NOW + 60, "expires_at": NOW + 60,
    });
    // The last two are not usernames, and DynamoDB rejects the empty one as a key.
    for username in ["unknown@itccompliance.co.uk", "two words", ""] {
        plain["username"] = json!(username);
        test.cloud.put("GrantsTable", &plain).unwrap();
        test.refresh(&token).await.assert_error(400, "invalid_grant");
    }
    assert_eq!(test.password(USERNAME, PASSWORD).await.status, 200);
}
