//! The modules of the scopes that request claims (OpenID Connect Core 1.0 section 5.4).

use super::discovery::lists;
use super::{Suite, params};

const PROFILE: [&str; 14] = [
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "preferred_username",
];

#[tokio::test]
async fn oidcc_scope_profile_returns_every_claim_at_userinfo() {
    let mut suite = Suite::start().await;
    let login = suite.log_in(&params("openid profile", &[])).await;
    let claims = suite.userinfo(&login.response).await.body;
    for name in PROFILE {
        let is_valid = if name == "updated_at" { claims[name].is_u64() } else { claims[name].is_string() };
        assert!(is_valid, "{name}: {claims}");
    }
    assert_eq!(claims.as_object().unwrap().len(), PROFILE.len() + 1, "{claims}");
}

#[tokio::test]
async fn oidcc_scope_email_returns_the_claims_at_userinfo_and_not_in_the_id_token() {
    let mut suite = Suite::start().await;
    let login = suite.log_in(&params("openid email", &[])).await;
    assert!(login.id_token["email"].is_null() && login.id_token["name"].is_null());
    let claims = suite.userinfo(&login.response).await.body;
    let email = "ada.jones@example.com";
    assert_eq!(claims, serde_json::json!({"sub": "conformance-user", "email": email, "email_verified": true}));
}

/// Asserts that the suite skips a module that requests these scopes: the metadata does not list one of them.
async fn assert_skipped(scopes: &[&str]) {
    let mut suite = Suite::start().await;
    let metadata = suite.metadata().await;
    assert!(!scopes.iter().all(|scope| lists(&metadata, "scopes_supported", scope)));
    let params = params(&format!("openid {}", scopes.join(" ")), &[]);
    assert_eq!(suite.authorize(&params).await.error(&params), "invalid_scope");
}

#[tokio::test]
async fn oidcc_scope_address_is_skipped() {
    assert_skipped(&["address"]).await;
}

#[tokio::test]
async fn oidcc_scope_phone_is_skipped() {
    assert_skipped(&["phone"]).await;
}

#[tokio::test]
async fn oidcc_scope_all_is_skipped() {
    assert_skipped(&["email", "phone", "address", "profile"]).await;
}
