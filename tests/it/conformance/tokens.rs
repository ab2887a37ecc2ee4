//! The modules of the token endpoint: a code that is used twice, and refresh tokens.

use testing::Response;

use super::{Params, Suite, params, record};

/// Asserts an error response of the token endpoint.
#[track_caller]
fn assert_invalid_grant(response: &Response) {
    response.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn oidcc_codereuse_is_invalid_grant() {
    let mut suite = Suite::start().await;
    let login = suite.log_in(&params("openid", &[])).await;
    assert_invalid_grant(&suite.exchange(&login.callback.params["code"]).await);
}

#[tokio::test]
async fn oidcc_codereuse_30seconds_ends_the_access_token() {
    let mut suite = Suite::start().await;
    let login = suite.log_in(&params("openid", &[])).await;
    suite.browser.test.advance_clock(30);
    assert_eq!(suite.userinfo(&login.response).await.status, 200);
    assert_invalid_grant(&suite.exchange(&login.callback.params["code"]).await);
    assert_eq!(suite.userinfo(&login.response).await.status, 401);
}

/// Logs a user in with a client and `offline_access`, and refreshes the tokens. Returns the refresh token.
async fn refreshed(suite: &mut Suite, client: usize, params: &Params) -> String {
    let callback = suite.authorize(params).await;
    assert_eq!(callback.pages.last().unwrap(), "consent", "because of `prompt=consent`");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", callback.code(params)),
        ("redirect_uri", super::redirect_uri()),
    ];
    let first = suite.token(client, &fields).await;
    let id_token = suite.id_token(params, &first).await;
    suite.browser.test.advance_clock(1);
    let token = first.refresh_token();
    let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    // Only the first client repeats its scope.
    if client == 0 {
        fields.push(("scope", &params["scope"]));
    }
    let second = suite.token(client, &fields).await;
    assert_eq!(second.header("cache-control"), Some("no-store"));
    let mut without_nonce = params.clone();
    without_nonce.remove("nonce");
    let new_id_token = suite.id_token(&without_nonce, &second).await;
    for name in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(id_token[name], new_id_token[name], "{name}");
    }
    assert_ne!(id_token["iat"], new_id_token["iat"]);
    assert_ne!(first.access_token(), second.access_token());
    assert_eq!(suite.userinfo(&second).await.status, 200);
    second.refresh_token()
}

#[tokio::test]
async fn oidcc_refresh_token_works_and_is_bound_to_its_client() {
    let mut suite = Suite::start().await;
    let scope = "openid offline_access";
    let first = params(scope, &[("prompt", "consent")]);
    refreshed(&mut suite, 0, &first).await;
    let nonce = "n".repeat(43);
    let client_id = record("clients", 1, "client_id");
    let second = params(scope, &[("prompt", "consent"), ("client_id", client_id), ("nonce", &nonce)]);
    let token = refreshed(&mut suite, 1, &second).await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", scope)];
    assert_invalid_grant(&suite.token(0, &fields).await);
}
