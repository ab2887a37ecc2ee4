//! Logins by code: their tokens are active as long as consent and browser session permit it.

use countersign::consent::Period;
use countersign::store::ConsentKey;
use serde_json::{Value, json};

use super::introspect::OF_REFRESH_TOKENS;
use testing::{BrowserLogin, CODE_CLIENT, NOW, Response, TestApp, raw_form};

const KEY: ConsentKey<'static> = ConsentKey { user_id: "1042", client_id: CODE_CLIENT.0 };

/// A login by code, with the response to its exchange.
struct Login {
    test: TestApp,
    browser: BrowserLogin,
    exchanged: Response,
}

impl Login {
    async fn begin(scope: &str) -> Self {
        let test = TestApp::start_with_codes().await;
        let browser = test.sign_in(scope, Period::Unlimited).await;
        let exchanged = test.exchange(&test.code_of(&browser, &[("scope", scope)]).await).await;
        Self { test, browser, exchanged }
    }

    fn tokens(&self) -> [String; 2] {
        [self.exchanged.access_token(), self.exchanged.refresh_token()]
    }

    /// Returns `active` of the access token and of the refresh token.
    async fn active(&self) -> [bool; 2] {
        let mut active = [false; 2];
        for (token, active) in self.tokens().iter().zip(&mut active) {
            let response = self.test.introspect(CODE_CLIENT, token).await;
            *active = response.body["active"] == true;
            if !*active {
                response.assert_inactive();
            }
        }
        active
    }

    /// Returns the status of userinfo; `None` if the token is not valid.
    async fn userinfo(&self) -> Option<u16> {
        let bearer = format!("Bearer {}", self.exchanged.access_token());
        let request = raw_form("").header("authorization", &bearer).to("GET", "/oauth/userinfo");
        let response = self.test.send(request).await;
        if response.status == 401 {
            response.assert_bearer_error(401, "invalid_token");
            return None;
        }
        Some(response.status)
    }

    /// Changes what the login depends on.
    async fn change(&self, change: Change) {
        let (test, store) = (&self.test, &self.test.app.store);
        match change {
            Change::ConsentRemoved => assert!(store.remove_consent(KEY, &self.browser.consent).await.unwrap()),
            Change::ConsentGivenAgain => {
                assert!(store.remove_consent(KEY, &self.browser.consent).await.unwrap());
                test.sign_in("openid offline_access", Period::Unlimited).await;
            }
            Change::ConsentEnded => self.limit(NOW).await,
            Change::SignedOut => store.end_session(&self.browser.session.key()).await.unwrap(),
            Change::NoSession => {
                test.delete_item("GrantsTable", &json!({"id": {"S": self.browser.session.key()}}));
            }
            Change::NoCodes => test.put_code_client(&json!({"grant_types": ["refresh_token"]})),
        }
    }

    /// Sets the end date of the consent.
    async fn limit(&self, until: u64) {
        let store = &self.test.app.store;
        let limited = self.browser.consent.limited(Some(until), NOW).unwrap();
        assert!(store.put_consent(KEY, &store.owner(KEY.user_id).await.unwrap(), &limited).await.unwrap());
    }

    fn generation(&self) -> Option<Value> {
        let user = self.test.items("UsersTable").into_iter().find(|user| user["user_id"]["S"] == "1042").unwrap();
        user.get("session_generation").cloned()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    ConsentRemoved,
    ConsentGivenAgain,
    ConsentEnded,
    SignedOut,
    NoSession,
    NoCodes,
}

const CHANGES: [Change; 6] = [
    Change::ConsentRemoved,
    Change::ConsentGivenAgain,
    Change::ConsentEnded,
    Change::SignedOut,
    Change::NoSession,
    Change::NoCodes,
];

#[tokio::test]
async fn s_902_a_login_by_code_that_has_ended_is_inactive() {
    for change in CHANGES {
        for (scope, is_offline) in [("openid", false), ("openid offline_access", true)] {
            let login = Login::begin(scope).await;
            assert_eq!(login.active().await, [true; 2]);
            login.change(change).await;
            let survives = is_offline && [Change::SignedOut, Change::NoSession].contains(&change);
            assert_eq!(login.active().await, [survives; 2], "{change:?}, {scope}");
        }
    }
}

/// Userinfo decides by the same rule as introspection.
#[tokio::test]
async fn s_825_userinfo_ends_with_the_login() {
    for change in CHANGES {
        for (scope, is_offline) in [("openid", false), ("openid offline_access", true)] {
            let login = Login::begin(scope).await;
            assert_eq!(login.userinfo().await, Some(200));
            login.change(change).await;
            let survives = is_offline && [Change::SignedOut, Change::NoSession].contains(&change);
            assert_eq!(login.userinfo().await, survives.then_some(200), "{change:?}, {scope}");
        }
    }
    for (table, changes) in [
        ("users", json!({"enabled": false})),
        ("users", json!({"session_generation": 1})),
        ("users", json!({"user_id": "1043"})),
        ("clients", json!({"enabled": false})),
    ] {
        let login = Login::begin("openid offline_access").await;
        match table {
            "users" => login.test.change_user(&changes),
            _ => login.test.put_code_client(&changes),
        }
        assert_eq!(login.userinfo().await, None, "{table} {changes}");
    }
    let login = Login::begin("openid").await;
    login.test.revoke(CODE_CLIENT, &[("token", &login.exchanged.refresh_token())]).await.assert_revoked();
    assert_eq!(login.userinfo().await, None);
}

#[tokio::test]
async fn s_910_all_sessions_has_no_effect_with_a_login_by_code_that_has_ended() {
    for change in CHANGES {
        let login = Login::begin("openid").await;
        login.change(change).await;
        for token in login.tokens() {
            let params = [("token", &*token), ("all_sessions", "true")];
            login.test.revoke(CODE_CLIENT, &params).await.assert_revoked();
        }
        assert_eq!(login.generation(), None, "{change:?}");
    }
    let login = Login::begin("openid").await;
    let params = [("token", &*login.exchanged.access_token()), ("all_sessions", "true")];
    login.test.revoke(CODE_CLIENT, &params).await.assert_revoked();
    assert_eq!(login.generation(), Some(json!({"N": "1"})));
    assert_eq!(login.active().await, [false; 2]);
}

/// The user shortens the time for which the client has access.
#[tokio::test]
async fn s_821_the_end_of_a_refresh_token_is_not_after_the_end_date() {
    let login = Login::begin("openid").await;
    login.limit(NOW + 600).await;
    let response = login.test.introspect(CODE_CLIENT, &login.exchanged.refresh_token()).await;
    response.assert_active(OF_REFRESH_TOKENS);
    assert_eq!(response.body["exp"], NOW + 600);
    login.test.advance_clock(600);
    assert_eq!(login.active().await, [false; 2]);
}

/// A code is not a token: it is inactive, and its revocation has no effect.
#[tokio::test]
async fn a_code_is_not_a_token() {
    let test = TestApp::start_with_codes().await;
    let code = test.code().await;
    test.introspect(CODE_CLIENT, &code).await.assert_inactive();
    test.revoke(CODE_CLIENT, &[("token", &code)]).await.assert_revoked();
    test.exchange(&code).await.assert_issued(2);
}
