//! The modules that add one parameter, which must not cause an error.

use super::{Login, Suite, params};

/// Logs a user in with another parameter in the authorization request.
async fn log_in_with(name: &'static str, value: &str) -> Login {
    Suite::start().await.log_in(&params("openid", &[(name, value)])).await
}

#[tokio::test]
async fn oidcc_display_page_causes_no_error() {
    log_in_with("display", "page").await;
}

#[tokio::test]
async fn oidcc_display_popup_causes_no_error() {
    log_in_with("display", "popup").await;
}

#[tokio::test]
async fn oidcc_ensure_request_with_unknown_parameter_succeeds() {
    log_in_with("extra", "foobar").await;
}

#[tokio::test]
async fn oidcc_login_hint_causes_no_error() {
    log_in_with("login_hint", "buffy@auth.example").await;
}

#[tokio::test]
async fn oidcc_ui_locales_that_is_not_available_causes_no_error() {
    log_in_with("ui_locales", "se").await;
}

#[tokio::test]
async fn oidcc_claims_locales_causes_no_error() {
    log_in_with("claims_locales", "se").await;
}

#[tokio::test]
async fn oidcc_ensure_request_with_acr_values_succeeds_without_acr() {
    // The suite sends these two values, because the metadata has no `acr_values_supported`. Without `acr` it warns.
    assert!(log_in_with("acr_values", "1 2").await.id_token["acr"].is_null());
}

#[tokio::test]
async fn oidcc_claims_essential_succeeds_without_the_claim() {
    let mut suite = Suite::start().await;
    let claims = r#"{"userinfo":{"name":{"essential":true}}}"#;
    let login = suite.log_in(&params("openid", &[("claims", claims)])).await;
    // The suite warns, because there is no `claims` parameter.
    assert!(suite.userinfo(&login.response).await.body["name"].is_null());
    assert_eq!(suite.metadata().await["claims_parameter_supported"], false);
}
