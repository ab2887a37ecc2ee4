//! Uses every grant with both methods of client authentication, with the `oauth2` crate. The end-to-end tests run it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a panic fails the test")]

use std::env;

use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AuthType, ClientId, ClientSecret, ResourceOwnerPassword, ResourceOwnerUsername, Scope, TokenResponse, TokenUrl,
};
use serde::Deserialize;

mod oauth2_send;

use oauth2_send::send;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    token_url: String,
    service: Identity,
    application: Identity,
    user: User,
    scope: String,
}

#[derive(Clone, Deserialize)]
struct Identity {
    id: String,
    secret: String,
}

#[derive(Deserialize)]
struct User {
    username: String,
    password: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let settings: Settings = serde_json::from_str(&env::var("COUNTERSIGN").unwrap()).unwrap();
    let scopes = || settings.scope.split(' ').map(|scope| Scope::new(scope.to_owned()));
    let mut responses: Vec<BasicTokenResponse> = Vec::new();
    for auth_type in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = |identity: &Identity| {
            BasicClient::new(ClientId::new(identity.id.clone()))
                .set_client_secret(ClientSecret::new(identity.secret.clone()))
                .set_token_uri(TokenUrl::new(settings.token_url.clone()).unwrap())
                .set_auth_type(auth_type.clone())
        };
        let service = client(&settings.service);
        responses.push(service.exchange_client_credentials().add_scopes(scopes()).request_async(&send).await.unwrap());

        let application = client(&settings.application);
        let username = ResourceOwnerUsername::new(settings.user.username.clone());
        let password = ResourceOwnerPassword::new(settings.user.password.clone());
        let login = application.exchange_password(&username, &password).add_scopes(scopes());
        let login = login.request_async(&send).await.unwrap();
        let refresh_token = login.refresh_token().unwrap().clone();
        responses.push(login);
        responses.push(application.exchange_refresh_token(&refresh_token).request_async(&send).await.unwrap());
    }
    println!("{}", serde_json::to_string(&responses).unwrap());
}
