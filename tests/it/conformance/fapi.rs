//! The modules of FAPI 2.0 for client credentials, with `private_key_jwt` and DPoP (S-1027), and their requests to a resource.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use countersign::random::random_id;
use serde_json::{Value, json};
use tower::ServiceExt;

use testing::{ClientKeyPair, ISSUER, Response, TestApp, access_token_hash, form, with_changes};

use super::discovery::{KNOWN, lists};

#[path = "../../../examples/local/demo_api.rs"]
mod demo_api;
mod modules;
mod proofs;

/// The clients, and the algorithms of their keys.
const CLIENTS: [(&str, &str); 2] = [("fapi-1", "PS256"), ("fapi-2", "ES256")];
const SCOPE: &str = "demo:read";
const API: &str = "/demo/vehicles";

/// A deployment with two clients, and the keys of the suite: one of each client for assertions, and one for proofs.
struct Fapi {
    test: TestApp,
    api: Router,
    keys: [ClientKeyPair; 2],
    proof_keys: [ClientKeyPair; 2],
}

impl Fapi {
    async fn start() -> Self {
        let test = TestApp::start().await;
        let keys = CLIENTS.map(|(_, algorithm)| ClientKeyPair::generate(algorithm));
        for ((client_id, _), key) in CLIENTS.iter().zip(&keys) {
            let client = json!({
                "client_id": client_id, "enabled": true, "grant_types": ["client_credentials"], "scopes": [SCOPE],
                "token_endpoint_auth_method": "private_key_jwt", "dpop_bound_access_tokens": true,
                "jwks": [key.entry(client_id)],
            });
            test.cloud.put("ClientsTable", &client).unwrap();
        }
        let api = demo_api::routes(ISSUER, test.app.clone());
        Self { test, api, keys, proof_keys: ["ES256", "ES256"].map(ClientKeyPair::generate) }
    }

    /// Signs an assertion of a client with changed claims.
    fn assertion(&self, client: usize, changes: &Value) -> String {
        let ((id, algorithm), now) = (CLIENTS[client], self.test.now());
        let claims = json!({
            "iss": id, "sub": id, "aud": ISSUER, "jti": random_id(), "nbf": now, "iat": now, "exp": now + 60,
        });
        self.keys[client].sign(&json!({"alg": algorithm, "kid": id}), &with_changes(claims, changes))
    }

    /// Sends a token request with a proof, and with these parameters for the authentication of the client.
    async fn send(&self, proof: Option<&str>, credentials: &[(&str, &str)]) -> Response {
        let params = [&[("grant_type", "client_credentials"), ("scope", SCOPE)], credentials].concat();
        let request = form(&params).header("accept", "application/json");
        self.test.send(proof.into_iter().fold(request, |request, proof| request.header("dpop", proof)).post()).await
    }

    /// Sends a token request with a proof and an assertion.
    async fn send_assertion(&self, proof: Option<&str>, assertion: &str) -> Response {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        self.send(proof, &[("client_assertion", assertion), ("client_assertion_type", kind)]).await
    }

    /// Returns a valid proof of a client for the token endpoint.
    fn proof(&self, client: usize) -> String {
        self.proof_keys[client].proof(&self.test)
    }

    /// Gets a token with a proof that has these claims: first without a nonce, then with that of the response.
    async fn token(&self, client: usize, changes: &Value) -> String {
        let mut claims = with_changes(self.test.proof_claims(), changes);
        claims.as_object_mut().unwrap().remove("nonce");
        let key = &self.proof_keys[client];
        let first = self.send_assertion(Some(&key.proof_of(&claims)), &self.assertion(client, &json!({}))).await;
        first.assert_error(400, "use_dpop_nonce");
        claims["nonce"] = first.header("dpop-nonce").unwrap().into();
        claims["jti"] = random_id().into();
        let response = self.send_assertion(Some(&key.proof_of(&claims)), &self.assertion(client, &json!({}))).await;
        let issued = response.assert_issued(2);
        assert_eq!(response.body["token_type"], "DPoP");
        assert_eq!((&issued.0["cnf"]["jkt"], &issued.0["scope"]), (&key.thumbprint().into(), &SCOPE.into()));
        assert_eq!((&response.body["refresh_token"], &response.body["id_token"]), (&Value::Null, &Value::Null));
        response.access_token()
    }

    /// Returns the claims of a proof for the API.
    fn api_claims(&self, token: &str) -> Value {
        let changes = json!({"htm": "GET", "htu": format!("{ISSUER}{API}"), "ath": access_token_hash(token)});
        with_changes(self.test.proof_claims(), &changes)
    }

    /// Sends a request to the API. Returns the status and the nonce of the response.
    async fn request(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        let response = self.api.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let nonce = response.headers()["dpop-nonce"].to_str().unwrap().to_owned();
        (response.status().as_u16(), nonce)
    }

    /// Sends a request to the API with a proof of a client. Returns the status.
    async fn call(&self, client: usize, authorization: &str, changes: &Value) -> u16 {
        let token = authorization.split(' ').nth(1).unwrap();
        let proof = self.proof_keys[client].proof_of(&with_changes(self.api_claims(token), changes));
        self.request(API, &[("authorization", authorization), ("dpop", &proof)]).await.0
    }

    /// Gets a token and uses it, with changed claims in both proofs.
    async fn succeed(&self, client: usize, changes: &Value) -> String {
        let token = self.token(client, changes).await;
        assert_eq!(self.call(client, &format!("DPoP {token}"), changes).await, 200, "{changes}");
        token
    }
}
