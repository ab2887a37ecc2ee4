//! The authorization code grant: the exchange of a code.

use countersign::consent::Period;
use serde_json::json;

use testing::{APPLICATION, CODE_CLIENT, NOW, PASSWORD, SCOPE, TestApp, USERNAME, VERIFIER, exchange, form};

mod binding;
mod id_tokens;
mod races;
mod validity;

#[tokio::test]
async fn a_code_becomes_tokens_and_its_family_goes_to_generation_1() {
    let test = TestApp::start_with_codes().await;
    let code = test.code().await;
    assert!(code.starts_with("cs_ac_") && code.len() == 72, "{code}");
    test.advance_clock(59);
    let response = test.exchange(&code).await;
    let claims = response.assert_issued(2);
    assert_eq!(response.body["scope"], "legacy:autonomy.read openid");
    assert_eq!((&claims.0["client_id"], &claims.0["sub"]), (&json!(CODE_CLIENT.0), &json!("1042")));
    assert_eq!((claims.number("auth_time"), claims.number("iat"), claims.number("exp")), (NOW, NOW + 59, NOW + 3_659));
    let family = test.family(&response.refresh_token());
    assert_eq!(family, test.family_of_access_token(claims.0["jti"].as_str().unwrap()));
    for (attribute, value) in [
        ("generation", 1),
        ("auth_time", NOW),
        ("absolute_expires_at", NOW + 7_776_000),
        ("expires_at", NOW + 59 + 2_592_000),
    ] {
        assert_eq!(family[attribute]["N"], value.to_string(), "{attribute}");
    }
    let names: Vec<_> = family["authorization"]["M"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["code_challenge", "consent", "nonce", "redirect_uri", "session"]);

    let refreshed = test.refresh_code_login(&response.refresh_token()).await;
    refreshed.assert_issued(2);
    assert_eq!(refreshed.body["scope"], "legacy:autonomy.read openid");
}

#[tokio::test]
async fn the_parameters_are_checked_before_the_code() {
    let test = TestApp::start_with_codes().await;
    let code = test.code().await;
    for (params, error) in [
        (&[("code", "")][..], "invalid_request"),
        (&[("code", &code), ("code_verifier", &VERIFIER[..42])], "invalid_request"),
        (&[("code", &code), ("code_verifier", &VERIFIER.replace('-', "+"))], "invalid_request"),
        (&[("code", &code), ("scope", "openid"), ("scope", "openid")], "invalid_request"),
        (&[("code", "cs_ac_x")], "invalid_grant"),
    ] {
        test.exchange_with(params).await.assert_error(400, error);
    }
    // `scope` is not a parameter of the grant.
    test.exchange_with(&[("code", &code), ("scope", "admin")]).await.assert_issued(2);
}

#[tokio::test]
async fn a_client_without_the_refresh_token_grant_gets_no_refresh_token() {
    let test = TestApp::start_with_codes().await;
    test.put_code_client(&json!({"grant_types": ["authorization_code"]}));
    let response = test.exchange(&test.code().await).await;
    let claims = response.assert_issued(2);
    assert!(response.body.get("refresh_token").is_none());
    let family = test.family_of_access_token(claims.0["jti"].as_str().unwrap());
    assert_eq!(family["expires_at"]["N"], claims.number("exp").to_string());
}

#[tokio::test]
async fn a_public_client_sends_its_id_and_no_secret() {
    let test = TestApp::start_with_codes().await;
    let public = json!({"secrets": null, "token_endpoint_auth_method": "none"});
    test.put_code_client(&public);
    let code = test.code().await;
    let params = exchange(&[("client_id", CODE_CLIENT.0), ("code", &code)]);
    let with_secret = [&params[..], &[("client_secret", "x")]].concat();
    test.send(form(&with_secret).post()).await.assert_error(401, "invalid_client");
    let response = test.send(form(&[&params[..], &[("client_secret", "")]].concat()).post()).await;
    response.assert_issued(2);
    let token = response.refresh_token();
    let refresh = [("grant_type", "refresh_token"), ("client_id", CODE_CLIENT.0), ("refresh_token", token.as_str())];
    assert_ne!(test.send(form(&refresh).post()).await.refresh_token(), token);
}

#[tokio::test]
async fn s_833_a_cookie_client_gets_the_refresh_token_in_its_cookie_and_only_at_its_origins() {
    let test = TestApp::start_with_codes().await;
    test.put_code_client(&json!({"secrets": null, "token_endpoint_auth_method": "none", "refresh_token_cookie": true,
        "allowed_origins": ["https://store.example"]}));
    let code = test.code().await;
    let params = exchange(&[("client_id", CODE_CLIENT.0), ("code", &code)]);
    for origin in [None, Some("https://evil.example")] {
        let request = origin.map_or(form(&params), |origin| form(&params).header("origin", origin));
        let response = test.send(request.post()).await;
        assert_eq!((response.status, response.cookie()), (401, None), "{origin:?}");
    }
    let response = test.send(form(&params).header("origin", "https://store.example").post()).await;
    response.assert_issued(2);
    assert!(response.body.get("refresh_token").is_none());
    assert_eq!(response.header("access-control-allow-credentials"), Some("true"));
    let (name, value, attributes) = response.cookie().unwrap();
    assert!(name == "__Host-Http-countersign-crm" && value.starts_with("cs_rt_"), "{name}={value}");
    assert!(attributes.contains(&"HttpOnly") && attributes.contains(&"SameSite=Strict"), "{attributes:?}");
    test.find_family(value).unwrap();
}

/// A user without a permission has the scopes of OpenID Connect, because they are about the login.
#[tokio::test]
async fn the_scope_is_narrowed_to_what_client_and_user_still_have() {
    let test = TestApp::start_with_codes().await;
    let login = test.sign_in("openid legacy:autonomy.read legacy:autonomy.write", Period::Unlimited).await;
    let scope = ("scope", "openid legacy:autonomy.read legacy:autonomy.write");
    let code = test.code_of(&login, &[scope]).await;
    test.change_user(&json!({"scopes": ["legacy:autonomy.read"]}));
    let response = test.exchange(&code).await;
    response.assert_issued(2);
    assert_eq!(response.body["scope"], "legacy:autonomy.read openid");
    test.put_code_client(&json!({"scopes": ["openid"], "default_scopes": null}));
    let refreshed = test.refresh_code_login(&response.refresh_token()).await;
    assert_eq!(refreshed.body["scope"], "openid");

    let code = test.code_of(&login, &[("scope", "openid")]).await;
    test.put_code_client(&json!({"scopes": ["legacy:*"]}));
    test.exchange(&code).await.assert_error(400, "invalid_grant");
    test.put_code_client(&json!({}));
    test.exchange(&code).await.assert_issued(2);
}

/// The rule also holds for the other grants of the client.
#[tokio::test]
async fn s_824_a_client_with_id_tokens_gets_no_token_of_version_1() {
    let test = TestApp::start_with_codes().await;
    let grants = json!(["authorization_code", "refresh_token", "password", "client_credentials"]);
    test.put_code_client(&json!({"grant_types": grants}));
    let code = test.code().await;
    let password = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD)];
    let requests = [exchange(&[("code", &code)]), password.to_vec(), vec![("grant_type", "client_credentials")]];
    for params in &requests {
        let request = form(params).basic(CODE_CLIENT.0, CODE_CLIENT.1).header("accept", "application/json; version=1");
        test.send(request.post()).await.assert_error(400, "invalid_request");
        test.form(CODE_CLIENT, params).await.assert_issued(2);
    }
    // Without `openid` a client keeps version 1.
    test.put_code_client(&json!({"scopes": ["legacy:*"]}));
    let login = test.sign_in("legacy:autonomy.read", Period::Unlimited).await;
    let code = test.code_of(&login, &[("scope", "legacy:autonomy.read")]).await;
    let request = form(&exchange(&[("code", &code)])).basic(CODE_CLIENT.0, CODE_CLIENT.1);
    test.send(request.header("accept", "application/json; version=1").post()).await.assert_issued(1);
}

/// A client that may not use codes gets no ID tokens, whatever its scopes are.
#[tokio::test]
async fn a_client_without_codes_keeps_version_1() {
    let test = TestApp::start_with_codes().await;
    test.change_client(APPLICATION.0, &json!({"scopes": ["openid", "legacy:*"]}));
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let request = form(&params).basic(APPLICATION.0, APPLICATION.1).header("accept", "version=1");
    test.send(request.post()).await.assert_issued(1);
}

#[tokio::test]
async fn s_832_without_login_pages_the_grant_does_not_exist() {
    let with_pages = TestApp::start_with_codes().await;
    let without = TestApp::start().await;
    without.put_code_client(&json!({}));
    without.form(CODE_CLIENT, &exchange(&[("code", "x")])).await.assert_error(400, "unsupported_grant_type");
    for (test, has_codes) in [(&with_pages, true), (&without, false)] {
        let metadata = test.send(form(&[]).to("GET", "/.well-known/oauth-authorization-server")).await;
        let grants = metadata.body["grant_types_supported"].as_array().unwrap();
        assert_eq!(grants.contains(&json!("authorization_code")), has_codes);
    }
    // A login by password has no ID token and no authorization.
    let response = with_pages.password(USERNAME, PASSWORD).await;
    response.assert_issued(2);
    assert_eq!(response.body.get("id_token"), None);
    assert_eq!(with_pages.family(&response.refresh_token()).get("authorization"), None);
}
