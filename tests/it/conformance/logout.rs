//! The modules of RP-Initiated Logout. Each signs a user in first.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use testing::{ISSUER, Response};

use super::{RECORDS, Suite, encoded, params, record};
use crate::browser::{attribute, field, page};

/// A `state` of the characters that the suite uses, which has some that must be encoded.
const STATE: &str = "a\"<>^`|{}%&=#?/[]~!$'()*,-.:@_\\Z9";

fn registered() -> &'static str {
    RECORDS["clients"][0]["post_logout_redirect_uris"][0].as_str().unwrap()
}

/// A signed-in user, whose client sends the browser to the logout endpoint.
struct Logout {
    suite: Suite,
    hint: String,
}

impl Logout {
    async fn start() -> Self {
        let mut suite = Suite::start().await;
        let login = suite.log_in(&params("openid", &[])).await;
        Self { suite, hint: login.response.body["id_token"].as_str().unwrap().to_owned() }
    }

    /// Opens the logout endpoint with these parameters.
    async fn open(&mut self, params: &[(&'static str, &str)]) -> Response {
        let params: Vec<_> = params.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let query = encoded(params.iter().map(|(name, value)| (name, value)));
        let separator = if query.is_empty() { "" } else { "?" };
        self.suite.browser.get(&format!("/oauth/logout{separator}{query}")).await
    }

    /// Opens the logout endpoint with a hint, the registered URI and a `state`.
    async fn open_with(&mut self, hint: &str, uri: &str) -> Response {
        self.open(&[("id_token_hint", hint), ("post_logout_redirect_uri", uri), ("state", STATE)]).await
    }

    /// Asserts that the user is signed out: `prompt=none` is an error.
    async fn assert_signed_out(&mut self) {
        let params = params("openid", &[("prompt", "none")]);
        let callback = self.suite.authorize(&params).await;
        assert_eq!(callback.error(&params), "login_required");
    }

    /// Asserts that a response is the page with the question, and not a redirect.
    fn assert_question(response: &Response) {
        assert_page(response, "sign-out", "Do you want to sign out?");
    }

    /// Clicks the button of the page with the question. Asserts that the user is signed out.
    async fn confirm(&mut self, response: &Response) {
        Self::assert_question(response);
        let (action, confirm) = (attribute(response, "action").unwrap(), field(response, "confirm").unwrap());
        let response = self.suite.browser.post(&action, &[("confirm", &confirm)]).await;
        assert_eq!((response.status, response.header("location")), (303, Some("/oauth/logout")));
        let response = self.suite.browser.get("/oauth/logout").await;
        assert_page(&response, "signed-out", "You are signed out");
        self.assert_signed_out().await;
    }
}

/// Asserts that a response is a page with this text, for which the browser of the suite waits.
#[track_caller]
fn assert_page(response: &Response, name: &str, text: &str) {
    assert_eq!((response.status, response.header("location")), (200, None));
    assert_eq!(page(response).0.as_deref(), Some(name));
    assert!(std::str::from_utf8(&response.bytes).unwrap().contains(text));
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_redirects_with_the_state() {
    let mut logout = Logout::start().await;
    let hint = logout.hint.clone();
    let response = logout.open_with(&hint, registered()).await;
    assert_eq!(response.status, 303);
    let location = response.header("location").unwrap().strip_prefix(&format!("{}?", registered())).unwrap();
    assert_eq!(crate::cases::pairs(location), [("state".to_owned(), STATE.to_owned())].into());
    logout.assert_signed_out().await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_state_redirects_without_parameters() {
    let mut logout = Logout::start().await;
    let hint = logout.hint.clone();
    let response = logout.open(&[("id_token_hint", &hint), ("post_logout_redirect_uri", registered())]).await;
    assert_eq!((response.status, response.header("location")), (303, Some(registered())));
    logout.assert_signed_out().await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri_is_not_used() {
    let mut logout = Logout::start().await;
    let hint = logout.hint.clone();
    let bad = registered().replace("post_logout_redirect", "bad_post_logout_redirect_uri");
    assert_page(&logout.open_with(&hint, &bad).await, "signed-out", "You are signed out");
    logout.assert_signed_out().await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri_is_not_used() {
    let mut logout = Logout::start().await;
    let hint = logout.hint.clone();
    let response = logout.open_with(&hint, &format!("{}?foo=bar", registered())).await;
    assert_page(&response, "signed-out", "You are signed out");
    logout.assert_signed_out().await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_modified_id_token_hint_with_alg_none_does_not_count() {
    let mut logout = Logout::start().await;
    let claims = logout.hint.split('.').nth(1).unwrap();
    let modified = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg": "none"}"#));
    let response = logout.open_with(&modified, registered()).await;
    logout.confirm(&response).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_id_token_hint_of_the_client_does_not_count() {
    let mut logout = Logout::start().await;
    // The client signs it with its secret. The issuer and the audience are in each other's place.
    let client_id = record("clients", 0, "client_id");
    let secret = RECORDS["clients"][0]["secrets"][0]["secret"].as_str().unwrap();
    let now = logout.suite.browser.test.now();
    let claims = json!({
        "iss": client_id, "sub": "SubjectID", "aud": ISSUER, "nonce": "flibble", "iat": now, "exp": now + 300,
    });
    let key = EncodingKey::from_secret(secret.as_bytes());
    let fake = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
    let response = logout.open_with(&fake, registered()).await;
    logout.confirm(&response).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_id_token_hint_shows_the_question() {
    let mut logout = Logout::start().await;
    let response = logout.open(&[("post_logout_redirect_uri", registered()), ("state", STATE)]).await;
    logout.confirm(&response).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_params_signs_the_user_out_after_the_question() {
    let mut logout = Logout::start().await;
    let response = logout.open(&[]).await;
    logout.confirm(&response).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_only_state_signs_the_user_out_after_the_question() {
    let mut logout = Logout::start().await;
    let response = logout.open(&[("state", STATE)]).await;
    logout.confirm(&response).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri_signs_the_user_out() {
    let mut logout = Logout::start().await;
    let hint = logout.hint.clone();
    let response = logout.open(&[("id_token_hint", &hint), ("state", STATE)]).await;
    assert_page(&response, "signed-out", "You are signed out");
    logout.assert_signed_out().await;
}
