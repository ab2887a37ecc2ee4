//! A browser application: a client whose refresh token travels in a cookie.

use serde_json::{Value, json};

use super::{PASSWORD, TestApp, USERNAME};
use crate::request::{RequestBuilder, form};
use crate::response::Response;
use crate::with_changes;

/// The id of the client that [`TestApp::put_browser_app`] stores.
pub const BROWSER_APP: &str = "spa";
/// The origin of the pages of the client.
pub const BROWSER_ORIGIN: &str = "https://app.example.test";
/// The name of the client's cookie.
pub const COOKIE: &str = "__Host-Http-countersign-spa";

impl TestApp {
    /// Stores the client [`BROWSER_APP`].
    pub fn put_browser_app(&self) {
        self.put_browser_app_with(&json!({}));
    }

    /// Stores the client [`BROWSER_APP`] with changed attributes; `null` removes an attribute.
    pub fn put_browser_app_with(&self, changes: &Value) {
        let client = json!({
            "client_id": BROWSER_APP, "enabled": true, "token_endpoint_auth_method": "none",
            "refresh_token_cookie": true, "allowed_origins": [BROWSER_ORIGIN],
            "grant_types": ["password", "refresh_token"], "scopes": ["legacy:*"],
            "default_scopes": ["legacy:autonomy.read"],
        });
        self.cloud.put("ClientsTable", &with_changes(client, changes)).unwrap();
    }

    /// Logs the user [`USERNAME`] in through the client [`BROWSER_APP`]. Returns the value of the cookie.
    pub async fn log_in_by_browser(&self) -> String {
        self.send(browser_login(PASSWORD).post()).await.issued_refresh_token().unwrap()
    }

    /// Sends a revocation with a cookie.
    pub async fn revoke_by_cookie(&self, cookie: &str) -> Response {
        self.send(with_cookie(browser(&[]), cookie).to("POST", "/oauth/revoke")).await
    }

    /// Sends a refresh request with a cookie.
    pub async fn refresh_by_cookie(&self, cookie: &str) -> Response {
        self.send(browser_refresh(cookie).post()).await
    }
}

/// Returns a request of a page of the client.
pub fn browser(params: &[(&str, &str)]) -> RequestBuilder {
    form(&[&[("client_id", BROWSER_APP)], params].concat()).header("origin", BROWSER_ORIGIN)
}

/// Returns a login of the user [`USERNAME`] from a page of the client.
pub fn browser_login(password: &str) -> RequestBuilder {
    browser(&[("grant_type", "password"), ("username", USERNAME), ("password", password)])
}

/// Returns a refresh request from a page of the client, with a cookie.
pub fn browser_refresh(cookie: &str) -> RequestBuilder {
    with_cookie(browser(&[("grant_type", "refresh_token")]), cookie)
}

/// Returns the request with the cookie of the client.
pub fn with_cookie(request: RequestBuilder, cookie: &str) -> RequestBuilder {
    request.header("cookie", &format!("{COOKIE}={cookie}"))
}
