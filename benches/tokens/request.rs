//! Token requests, and the router that responds to them.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use countersign::app::App;
use countersign::http::{Origin, router};
use serde_json::{Value, json};
use testing::{basic, form_body};
use tower::ServiceExt;

use crate::deployment::{client, password, username};

/// The header that requests token version 2.
const ACCEPTED: &str = "application/json; version=2";
const SCOPE: &str = "legacy:autonomy.read";
const EVENT: &str = include_str!("../../events/client_credentials.json");

/// Returns the origin of every request, as the gateway states it.
pub fn origin() -> Origin {
    Origin { request_id: "CNgK9GUIxgFse6Q=".to_owned(), source: "203.0.113.7".to_owned() }
}

/// A token request, already encoded.
#[derive(Clone)]
pub struct TokenRequest {
    authorization: String,
    /// The body.
    pub form: String,
}

impl TokenRequest {
    fn new((id, secret): (&str, &str), params: &[(&str, &str)]) -> Self {
        Self { authorization: basic(id, secret), form: form_body(params) }
    }

    /// Returns a client credentials request of the demo's service, or of another client with the same secret.
    pub fn client_credentials(client_id: Option<&str>) -> Self {
        let (id, secret) = client(0);
        Self::new((client_id.unwrap_or(id), secret), &[("grant_type", "client_credentials"), ("scope", SCOPE)])
    }

    /// Returns a login of the demo's user through the demo's application, or of another user with the same password.
    pub fn password(username: Option<&str>) -> Self {
        let username = username.unwrap_or(self::username());
        let params = [("grant_type", "password"), ("username", username), ("password", password()), ("scope", SCOPE)];
        Self::new(client(1), &params)
    }

    /// Returns a refresh by the demo's application.
    pub fn refresh_token(token: &str) -> Self {
        Self::new(client(1), &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// Returns true if the request uses a refresh token.
    pub fn is_refresh(&self) -> bool {
        self.form.starts_with("grant_type=refresh_token")
    }

    /// Returns the request over HTTP. `url` is the issuer's, or empty for a request to the router.
    pub fn to_http(&self, url: &str) -> Request<Body> {
        Request::post(format!("{url}/oauth/token"))
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, ACCEPTED)
            .extension(origin())
            .body(self.form.clone().into())
            .unwrap()
    }

    /// Returns the request as an event of the gateway.
    pub fn to_event(&self) -> Value {
        let mut event: Value = serde_json::from_str(EVENT).unwrap();
        event["headers"]["accept"] = json!(ACCEPTED);
        event["headers"]["authorization"] = json!(self.authorization);
        event["headers"]["content-length"] = json!(self.form.len().to_string());
        event["body"] = json!(self.form);
        event
    }
}

/// The router of a deployment in this process.
#[derive(Clone)]
pub struct Routes(Router);

impl Routes {
    /// Returns the routes of a deployment.
    pub fn new(app: &Arc<App>) -> Self {
        Self(router(app.clone()))
    }

    /// Sends a token request, which must succeed. Returns the body of the response.
    pub async fn send(&self, request: &TokenRequest) -> Bytes {
        let (status, body) = self.respond(request.to_http("")).await;
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        body
    }

    /// Sends a request to a path that has no route.
    pub async fn send_to_unknown_path(&self, request: &TokenRequest) {
        assert_eq!(self.respond(request.to_http("/nowhere")).await.0, StatusCode::NOT_FOUND);
    }

    /// Sends any request. Returns the status and the body of the response.
    pub async fn respond(&self, request: Request<Body>) -> (StatusCode, Bytes) {
        let response = self.0.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (status, to_bytes(response.into_body(), usize::MAX).await.unwrap())
    }
}

/// Returns the refresh token in the body of a response.
pub fn refresh_token(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["refresh_token"].as_str().unwrap().to_owned()
}
