//! Lifetimes of refresh tokens and their families.

use serde_json::json;

use testing::{APPLICATION, TestApp};

#[tokio::test]
async fn s_405_an_unused_token_expires_and_every_family_expires() {
    let test = TestApp::start().await;
    let (idle, max) = (2_592_000, 7_776_000);
    let step = 20 * 86_400;
    let unused = test.log_in().await;
    test.advance_clock(idle - 1);
    let used = test.refresh(&unused).await.refresh_token();
    test.advance_clock(idle);
    test.refresh(&used).await.assert_error(400, "invalid_grant");

    let began = test.now();
    let mut token = test.log_in().await;
    while test.now() + step < began + max {
        test.advance_clock(step.cast_signed());
        token = test.refresh(&token).await.refresh_token();
    }
    let family = test.family(&token);
    assert_eq!(family["absolute_expires_at"]["N"], (began + max).to_string());
    assert_eq!(family["expires_at"]["N"], (began + max).to_string(), "TTL deletes the item when the family expires");
    test.advance_clock((began + max - test.now()).cast_signed() - 1);
    token = test.refresh(&token).await.refresh_token();
    test.advance_clock(1);
    test.refresh(&token).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_405_a_client_can_have_a_shorter_idle_time() {
    let test = TestApp::start().await;
    test.change_client(APPLICATION.0, &json!({"refresh_token_ttl": 600, "access_token_ttl": 60}));
    let token = test.log_in().await;
    test.advance_clock(599);
    let token = test.refresh(&token).await.refresh_token();
    test.advance_clock(600);
    test.refresh(&token).await.assert_error(400, "invalid_grant");
}
