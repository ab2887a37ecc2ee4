//! The request of each flow.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::{Flow, GUESSED_CLIENT, GUESSED_SECRET, GUESSED_USERNAME, UNKNOWN_USERNAME};
use crate::client_key::ClientKeyPair;
use crate::deployment::{
    APPLICATION, CLIENT_CREDENTIALS, IMPORTED_USER, ISSUER, PASSWORD, SCOPE, SERVICE, TestApp, USERNAME, browser_login,
};
use crate::request::{RequestBuilder, form, raw_form};
use crate::response::Response;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The issuer of the tokens of a workload. No request is sent to it.
const PLATFORM: &str = "https://platform.example.test";
/// The subject of the tokens.
const WORKLOAD: &str = "workload";

/// The key of the clients that use assertions, and of the issuer.
static KEY: LazyLock<ClientKeyPair> = LazyLock::new(|| ClientKeyPair::generate("ES256"));

/// Stores the key of a client.
pub(super) fn put_keys(test: &TestApp, client_id: &str) {
    test.change_client(client_id, &json!({"jwks": [KEY.entry("flow")]}));
}

/// Stores that the service trusts a workload of the issuer, with the keys of the issuer.
pub(super) fn put_trust(test: &TestApp) {
    let mut key = KEY.jwk.clone();
    key["kid"] = json!("platform");
    let keys = json!({"keys": [key]}).to_string();
    let entry = json!({"id": "aaaa0001", "issuer": PLATFORM, "subject": WORKLOAD, "jwks": keys});
    test.change_client(SERVICE.0, &json!({"federated": [entry]}));
}

/// Returns a request of the service with a token of the issuer.
fn with_platform_token(test: &TestApp) -> RequestBuilder {
    let now = test.now();
    let claims = json!({"iss": PLATFORM, "sub": WORKLOAD, "aud": ISSUER, "iat": now, "exp": now + 300});
    let token = KEY.sign(&json!({"alg": "ES256", "kid": "platform"}), &claims);
    let own = [("client_id", SERVICE.0), ("client_assertion_type", TYPE), ("client_assertion", token.as_str())];
    form(&[&CLIENT_CREDENTIALS[..], &own].concat())
}

/// Returns a request with a new assertion, as libraries make one for each request.
pub(super) fn with_assertion(test: &TestApp, client_id: &str, params: &[(&str, &str)]) -> RequestBuilder {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let jti = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
    let times = json!({"iat": test.now(), "exp": test.now() + 60});
    let assertion = KEY.assertion(client_id, &jti, &times);
    form(&[params, &[("client_assertion_type", TYPE), ("client_assertion", &assertion)]].concat())
}

impl Flow {
    /// Sends the request of the flow.
    pub(super) async fn send(self, test: &TestApp, token: Option<&str>) -> Response {
        match self {
            Self::ClientCredentials | Self::ColdStart | Self::Reload | Self::Resume | Self::DisabledClient => {
                test.form(SERVICE, &CLIENT_CREDENTIALS).await
            }
            Self::Assertion => test.send(with_assertion(test, SERVICE.0, &CLIENT_CREDENTIALS).post()).await,
            Self::Federated => test.send(with_platform_token(test).post()).await,
            Self::WrongClientSecret | Self::WrongImportedSecret => {
                test.form((GUESSED_CLIENT, "a wrong secret"), &CLIENT_CREDENTIALS).await
            }
            Self::ImportedSecret => test.form((GUESSED_CLIENT, GUESSED_SECRET), &CLIENT_CREDENTIALS).await,
            Self::Password | Self::PasswordOnly => test.password(USERNAME, PASSWORD).await,
            Self::WrongPassword | Self::BlockedGuess => test.password(GUESSED_USERNAME, IMPORTED_USER.1).await,
            Self::NewNetwork => {
                let params =
                    [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
                let request = form(&params).basic(APPLICATION.0, APPLICATION.1);
                test.send(request.header("countersign-user-address", "203.0.113.7").post()).await
            }
            Self::UnknownUser => test.password(UNKNOWN_USERNAME, PASSWORD).await,
            Self::ImportedHash | Self::ResumeImportedHash => test.password(IMPORTED_USER.0, IMPORTED_USER.1).await,
            Self::RefreshForLostScope => test.refresh_for(token.unwrap(), "legacy:autonomy.read").await,
            Self::Exchange | Self::ReplayedCode => test.exchange(token.unwrap()).await,
            Self::CookieLogin => test.send(browser_login(PASSWORD).post()).await,
            Self::CookieLogOut => test.revoke_by_cookie(token.unwrap()).await,
            Self::Revoke | Self::RevokeServiceToken => test.revoke(self.owner(), &[("token", token.unwrap())]).await,
            Self::RevokeAll => test.revoke(self.owner(), &[("token", token.unwrap()), ("all_sessions", "true")]).await,
            Self::Introspect | Self::IntrospectRefreshToken | Self::IntrospectServiceToken => {
                test.introspect(self.owner(), token.unwrap()).await
            }
            Self::UserInfo => {
                let bearer = format!("Bearer {}", token.unwrap());
                test.send(raw_form("").header("authorization", &bearer).to("GET", "/oauth/userinfo")).await
            }
            _ => self.refresh(test, token.unwrap()).await,
        }
    }
}
