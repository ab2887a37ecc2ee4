//! Logins by code: a user who signed in and allowed access, without the pages.

use countersign::authorization::{AuthorizationRequest, DEFINED};
use countersign::config::{Config, Pages};
use countersign::consent::{Consent, Grant, Period};
use countersign::grant::authorization_code::{Granted, begin};
use countersign::http::request::form;
use countersign::password_hash::hash_client_secret;
use countersign::session::{Session, SessionCookie, SessionId, SessionLifetimes};
use countersign::store::ConsentKey;
use countersign::user::{User, Username};
use serde_json::{Value, json};

use super::{ISSUER, TestApp, USERNAME};
use crate::request::form_body;
use crate::response::Response;
use crate::with_changes;

/// A client with codes: its id and secret. [`TestApp::put_code_client`] stores it.
pub const CODE_CLIENT: (&str, &str) = ("crm", "cs_crm-secret-0000000000000000000000000000000000011");
/// The redirect URI of the client.
pub const CALLBACK: &str = "https://crm.example/cb";
/// A code verifier and its challenge (RFC 7636 appendix B).
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The consent of every code, its user and its browser session.
pub struct BrowserLogin {
    pub user: User,
    pub session: SessionId,
    pub consent: Consent,
}

/// Switches the login pages on.
pub fn with_pages(config: &mut Config) {
    config.pages = Some(Pages::default());
}

impl TestApp {
    /// Starts a deployment with login pages and the client [`CODE_CLIENT`].
    pub async fn start_with_codes() -> Self {
        let test = Self::start_with(with_pages).await;
        test.put_code_client(&json!({}));
        test
    }

    /// Stores the client [`CODE_CLIENT`] with changed attributes; `null` removes an attribute.
    pub fn put_code_client(&self, changes: &Value) {
        let client = json!({
            "client_id": CODE_CLIENT.0, "enabled": true, "secrets": [{"hash": hash_client_secret(CODE_CLIENT.1)}],
            "grant_types": ["authorization_code", "refresh_token"], "redirect_uris": [CALLBACK],
            "scopes": ["openid", "offline_access", "legacy:*"], "default_scopes": ["legacy:autonomy.read"],
        });
        self.cloud.put("ClientsTable", &with_changes(client, changes)).unwrap();
    }

    /// Signs the user [`USERNAME`] in and stores the consent for the client of [`CODE_CLIENT`].
    pub async fn sign_in(&self, scope: &str, period: Period) -> BrowserLogin {
        let (store, now) = (&self.app.store, self.now());
        let user = store.user(&Username::parse(USERNAME).unwrap()).await.unwrap().unwrap();
        let cookie = SessionCookie::generate();
        let lifetimes = SessionLifetimes { idle: 3_600, max: 43_200, family: 7_776_000 };
        let session = Session::begin(&cookie, &user, now, lifetimes);
        store.begin_session(&cookie.id().key(), &session).await.unwrap();
        let key = ConsentKey { user_id: &user.user_id, client_id: CODE_CLIENT.0 };
        let owner = store.owner(key.user_id).await.unwrap();
        let found = owner.consent(CODE_CLIENT.0);
        let scope = countersign::scope::Scope::parse(scope).unwrap();
        let consent =
            Consent::granted(found, Grant { name: "CRM", scope: &scope, period, is_seen: true }, now).unwrap();
        assert!(store.put_consent(key, &owner, &consent).await.unwrap());
        BrowserLogin { user, session: cookie.id(), consent }
    }

    /// Writes the use of the consent for [`CODE_CLIENT`], as the first refresh of a day does.
    pub async fn use_consent(&self) {
        let owner = self.app.store.owner("1042").await.unwrap();
        let consent = owner.consent(CODE_CLIENT.0).unwrap();
        let key = ConsentKey { user_id: "1042", client_id: CODE_CLIENT.0 };
        let used_on = consent.use_to_write(self.now()).unwrap();
        self.app.store.use_consent(key, consent, used_on).await.unwrap();
    }

    /// Issues a code for a request of [`CODE_CLIENT`] with these parameters, which replace the usual ones. An empty value
    /// removes one.
    pub async fn code_of(&self, login: &BrowserLogin, params: &[(&str, &str)]) -> String {
        let usual = [
            ("client_id", CODE_CLIENT.0),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid legacy:autonomy.read"),
            ("nonce", "n-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let kept = usual.iter().filter(|(name, _)| params.iter().all(|(other, _)| name != other));
        let params: Vec<_> = kept.chain(params).copied().filter(|(_, value)| !value.is_empty()).collect();
        let received = form::receive(form_body(&params).as_bytes(), DEFINED).unwrap();
        let client = self.app.store.client(CODE_CLIENT.0).await.unwrap();
        let request = AuthorizationRequest::check(&received, client.as_ref(), ISSUER).unwrap();
        let session = self.app.store.session(&login.session.key()).await.unwrap().unwrap();
        let granted = Granted {
            client_id: CODE_CLIENT.0,
            scope: request.scope.clone(),
            request: &request,
            user: &login.user,
            session: (login.session, &session),
            consent: &login.consent,
        };
        begin(&self.app, granted).await.unwrap()
    }

    /// Signs the user in, who allows access without an end, and issues a code.
    pub async fn code(&self) -> String {
        self.code_of(&self.sign_in("openid legacy:autonomy.read", Period::Unlimited).await, &[]).await
    }

    /// Exchanges a code as the client does it.
    pub async fn exchange(&self, code: &str) -> Response {
        self.exchange_with(&[("code", code)]).await
    }

    /// Sends an exchange with these parameters, which replace the usual ones. An empty value removes one.
    pub async fn exchange_with(&self, params: &[(&str, &str)]) -> Response {
        self.form(CODE_CLIENT, &exchange(params)).await
    }

    /// Sends a refresh request of the client.
    pub async fn refresh_code_login(&self, refresh_token: &str) -> Response {
        self.form(CODE_CLIENT, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }
}

/// Returns the parameters of an exchange.
pub fn exchange<'a>(params: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual = [("grant_type", "authorization_code"), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let kept = usual.into_iter().filter(|(name, _)| params.iter().all(|(other, _)| name != other));
    kept.chain(params.iter().copied()).filter(|(_, value)| !value.is_empty()).collect()
}
