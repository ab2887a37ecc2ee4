//! The modules of userinfo: the three forms of a request.

use axum::body::Body;
use axum::http::Request;
use testing::Response;

use super::{FORM, Suite, params};

/// Asserts a userinfo response for the scope `openid`.
fn assert_userinfo(response: &Response) {
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
    assert_eq!(response.body, serde_json::json!({"sub": "conformance-user"}));
}

#[tokio::test]
async fn oidcc_userinfo_get_returns_the_subject() {
    let mut suite = Suite::start().await;
    let login = suite.log_in(&params("openid", &[])).await;
    assert_userinfo(&suite.userinfo(&login.response).await);
}

#[tokio::test]
async fn oidcc_userinfo_post_header_returns_the_subject() {
    let mut suite = Suite::start().await;
    let login = suite.log_in(&params("openid", &[])).await;
    // The suite sends the type of a form with an empty body.
    let request = Request::post("/oauth/userinfo").header("accept", "application/json");
    let request = request.header("content-type", FORM);
    let request = request.header("authorization", format!("Bearer {}", login.response.access_token()));
    assert_userinfo(&suite.browser.test.send(request.body(Body::empty()).unwrap()).await);
}

#[tokio::test]
async fn oidcc_userinfo_post_body_returns_the_subject() {
    let mut suite = Suite::start().await;
    let login = suite.log_in(&params("openid", &[])).await;
    let token = login.response.access_token();
    assert_userinfo(&suite.post("/oauth/userinfo", None, &[("access_token", &token)]).await);
}
