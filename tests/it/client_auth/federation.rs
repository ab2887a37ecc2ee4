//! Federated clients: authentication by a token of another issuer (S-1012 to S-1017).

use axum::http::header::RETRY_AFTER;
use countersign::client_auth::assertion;
use serde_json::{Value, json};

use testing::{ClientKeyPair, FakeIssuer, NOW, Response, TestApp, form, with_changes};

mod keys;
mod outages;
mod platforms;
mod record;
mod trust;
mod untrusted;

/// The client.
const WORKLOAD: &str = "workload";
/// The issuer of the deployment. A local one may use local issuers.
const OWN_ISSUER: &str = "http://localhost:8080";
/// The subject that the client trusts.
const SUBJECT: &str = "system:serviceaccount:jobs:report";

/// A deployment with a federated client, and the issuer that it trusts.
struct Federation {
    test: TestApp,
    issuer: FakeIssuer,
    key: ClientKeyPair,
}

impl Federation {
    async fn start() -> Self {
        let key = ClientKeyPair::generate("ES256");
        let issuer = FakeIssuer::start(&[published(&key, "1")]).await;
        let test = TestApp::start_with(|config| OWN_ISSUER.clone_into(&mut config.issuer)).await;
        let federation = Self { test, issuer, key };
        federation.trust(&json!({}));
        federation
    }

    /// Stores the client with one trust entry: the issuer and the subject, with these changes; `null` removes a member.
    fn trust(&self, changes: &Value) {
        put_client(&self.test, &json!({"federated": [with_changes(self.entry(), changes)]}));
    }

    fn entry(&self) -> Value {
        json!({"id": "aaaa0001", "created_at": NOW, "issuer": self.issuer.url, "subject": SUBJECT})
    }

    /// Returns a token of the issuer, with these changes of the claims.
    fn token(&self, changes: &Value) -> String {
        self.token_with(&json!({"alg": "ES256", "kid": "1", "typ": "JWT"}), changes)
    }

    fn token_with(&self, header: &Value, changes: &Value) -> String {
        let now = self.test.now();
        let claims = json!({
            "iss": self.issuer.url, "sub": SUBJECT, "aud": OWN_ISSUER, "iat": now, "nbf": now, "exp": now + 300,
        });
        self.key.sign(header, &with_changes(claims, changes))
    }

    async fn send(&self, token: &str) -> Response {
        send(&self.test, token).await
    }

    /// Asserts that a new token of the issuer gets this status.
    async fn assert_status(&self, status: u16) {
        let response = self.send(&self.token(&json!({}))).await;
        assert_status(&response, status);
    }
}

fn assert_status(response: &Response, status: u16) {
    match status {
        // The issuer of the deployment is not the usual one.
        200 => drop(response.access_token()),
        401 => response.assert_error(401, "invalid_client"),
        _ => {
            response.assert_error(503, "temporarily_unavailable");
            let seconds: u16 = response.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((2..=5).contains(&seconds));
        }
    }
}

/// Stores the client with these attributes.
fn put_client(test: &TestApp, changes: &Value) {
    let client = json!({
        "client_id": WORKLOAD, "enabled": true, "grant_types": ["client_credentials"],
        "scopes": ["demo:read"], "default_scopes": ["demo:read"],
    });
    test.cloud.put("ClientsTable", &with_changes(client, changes)).unwrap();
}

/// Sends a token for the client.
async fn send(test: &TestApp, token: &str) -> Response {
    test.send(request(token, &[("client_id", WORKLOAD)])).await
}

fn request(token: &str, more: &[(&str, &str)]) -> axum::http::Request<axum::body::Body> {
    let params = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", assertion::TYPES[0]),
        ("client_assertion", token),
    ];
    form(&[&params, more].concat()).post()
}

/// Returns a public key as issuers publish it.
fn published(key: &ClientKeyPair, kid: &str) -> Value {
    with_changes(key.jwk.clone(), &json!({"kid": kid, "use": "sig", "alg": key.algorithm}))
}
