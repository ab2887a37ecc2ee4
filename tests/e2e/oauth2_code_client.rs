//! Logs a user in at the login pages, with the `oauth2` crate. The end-to-end tests run it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a panic fails the test")]

use std::collections::HashMap;
use std::env;
use std::process::Command;

use oauth2::basic::BasicClient;
use oauth2::url::Url;
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope, TokenUrl,
};
use serde::Deserialize;

mod oauth2_send;

use oauth2_send::send;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    issuer: String,
    client_id: String,
    client_secret: String,
    redirect_uri: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let settings: Settings = serde_json::from_str(&env::var("COUNTERSIGN").unwrap()).unwrap();
    let client = BasicClient::new(ClientId::new(settings.client_id))
        .set_client_secret(ClientSecret::new(settings.client_secret))
        .set_auth_uri(AuthUrl::new(format!("{}/oauth/authorize", settings.issuer)).unwrap())
        .set_token_uri(TokenUrl::new(format!("{}/oauth/token", settings.issuer)).unwrap())
        .set_redirect_uri(RedirectUrl::new(settings.redirect_uri).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let request = client.authorize_url(CsrfToken::new_random).add_scope(Scope::new("orders:read".to_owned()));
    let (url, state) = request.set_pkce_challenge(challenge).url();

    let mut browser = Command::new("python");
    let output = browser.args(["tests/e2e/scripted_browser.py", url.as_str()]).output().unwrap();
    let returned = Url::parse(str::from_utf8(&output.stdout).unwrap().trim()).unwrap();
    let params: HashMap<_, _> = returned.query_pairs().into_owned().collect();
    assert_eq!(params.get("state"), Some(state.secret()));
    let code = AuthorizationCode::new(params.get("code").unwrap().clone());
    let response = client.exchange_code(code).set_pkce_verifier(verifier).request_async(&send).await.unwrap();
    println!("{}", serde_json::to_string(&response).unwrap());
}
