//! Throttling of guesses.

use axum::body::Body;
use axum::http::Request;
use countersign::http::Origin;
use serde_json::{Value, json};

use testing::{APPLICATION, CLIENT_CREDENTIALS, Response, SCOPE, TestApp, form};

mod condition;
mod guesses;
mod names;
mod networks;
mod outages;
mod permits;
mod races;
mod rules;

/// A client whose only secret is imported, and the secret.
const IMPORTED: (&str, &str) = ("imported", "a secret of a person");

fn put_imported_client(test: &TestApp) {
    let hash = test.app.hasher.hash(IMPORTED.1).unwrap().as_str().to_owned();
    let client = json!({
        "client_id": IMPORTED.0, "enabled": true, "grant_types": ["client_credentials"], "scopes": ["legacy:*"],
        "default_scopes": ["legacy:read"], "secrets": [{"hash": hash}],
    });
    test.cloud.put("ClientsTable", &client).unwrap();
}

/// A request, from this address.
fn from(source: &str, mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(Origin { source: source.to_owned(), ..Origin::default() });
    request
}

/// A request of the application for a token of a user.
fn login(username: &str, password: &str) -> testing::RequestBuilder {
    let params = [("grant_type", "password"), ("username", username), ("password", password), ("scope", SCOPE)];
    form(&params).basic(APPLICATION.0, APPLICATION.1)
}

async fn authenticate(test: &TestApp, secret: &str, source: &str) -> Response {
    test.send(from(source, form(&CLIENT_CREDENTIALS).basic(IMPORTED.0, secret).post())).await
}

#[track_caller]
fn assert_throttled(response: &Response, retry_after: u64) {
    response.assert_error(429, "temporarily_unavailable");
    assert_eq!(response.body["error_description"], "Too many attempts. Try again later.");
    assert_eq!(response.retry_after(), retry_after);
}

/// The stored attempts, which are the only item of their kind.
fn stored_attempts(test: &TestApp) -> Value {
    let is_attempts = |item: &Value| item["id"]["S"].as_str().unwrap().starts_with("attempts#");
    let mut found: Vec<_> = test.items("GrantsTable").into_iter().filter(is_attempts).collect();
    assert_eq!(found.len(), 1);
    found.remove(0)
}
