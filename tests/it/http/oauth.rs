//! The revocation and the introspection endpoint.

use serde_json::json;

use testing::{
    APPLICATION, CLIENT_CREDENTIALS, PASSWORD, RequestBuilder, Response, SCOPE, SERVICE, TestApp, USERNAME, form,
};

mod bad_tokens;
mod binding;
mod code_logins;
mod introspect;
mod matrix;
mod order;
mod revoke;
pub mod round_trips;
mod userinfo;
mod userinfo_with_proofs;

/// A resource server that introspects the audience of all clients: its id and secret.
const API: (&str, &str) = ("orders-api", "cs_orders-api");

/// Starts a deployment with [`OTHER_APPLICATION`] and [`API`].
async fn started() -> TestApp {
    let test = TestApp::start_with_cheap_hashes().await;
    test.put_other_application();
    let secret = countersign::password_hash::hash_client_secret(API.1);
    let api = json!({
        "client_id": API.0, "enabled": true, "secrets": [{"hash": secret}],
        "introspects": [testing::ISSUER, "autonomy-*", "billing-cron"],
    });
    test.cloud.put("ClientsTable", &api).unwrap();
    test
}

/// Returns a token request of the application for the user.
fn login(version: u8) -> RequestBuilder {
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    form(&params).basic(APPLICATION.0, APPLICATION.1).header("accept", &format!("version={version}"))
}

/// Logs the user in, with a token of this version.
async fn log_in(test: &TestApp, version: u8) -> Response {
    test.send(login(version).post()).await
}

/// Returns an access token of the service.
async fn service_token(test: &TestApp, version: u8) -> String {
    let request = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1);
    test.send(request.header("accept", &format!("version={version}")).post()).await.access_token()
}

/// Returns the request of a client that presents a token.
fn present((id, secret): (&str, &str), token: &str) -> RequestBuilder {
    form(&[("token", token)]).basic(id, secret)
}

const REVOKE: &str = "/oauth/revoke";
const INTROSPECT: &str = "/oauth/introspect";
