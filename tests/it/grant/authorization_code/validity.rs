//! A login by code depends on its user, its consent and its browser session, at the exchange and at every refresh.

use countersign::consent::Period;
use countersign::store::ConsentKey;
use serde_json::json;

use testing::{BrowserLogin, CODE_CLIENT, NOW, Response, TestApp};

const KEY: ConsentKey<'static> = ConsentKey { user_id: "1042", client_id: CODE_CLIENT.0 };

/// A login and two uses of it: a code, and the refresh token of another code.
struct Uses {
    test: TestApp,
    login: BrowserLogin,
    code: String,
    refresh_token: String,
}

impl Uses {
    async fn begin(scope: &str, period: Period) -> Self {
        let test = TestApp::start_with_codes().await;
        let login = test.sign_in(scope, period).await;
        let scope = [("scope", scope)];
        let refresh_token = test.exchange(&test.code_of(&login, &scope).await).await.refresh_token();
        let code = test.code_of(&login, &scope).await;
        Self { test, login, code, refresh_token }
    }

    async fn responses(&self) -> [Response; 2] {
        [self.test.exchange(&self.code).await, self.test.refresh_code_login(&self.refresh_token).await]
    }

    async fn assert_rejected(&self) {
        for response in self.responses().await {
            response.assert_error(400, "invalid_grant");
        }
    }

    async fn assert_issued(&self) {
        for response in self.responses().await {
            response.assert_issued(2);
        }
    }
}

#[tokio::test]
async fn s_822_a_removed_client_is_rejected_even_if_it_is_allowed_again() {
    let uses = Uses::begin("openid offline_access", Period::Unlimited).await;
    uses.test.app.store.remove_consent(KEY, &uses.login.consent).await.unwrap();
    uses.assert_rejected().await;
    let again = uses.test.sign_in("openid offline_access", Period::Unlimited).await;
    assert_ne!(again.consent.id, uses.login.consent.id);
    uses.assert_rejected().await;
    test_exchange(&uses.test, &again).await;
}

async fn test_exchange(test: &TestApp, login: &BrowserLogin) {
    test.exchange(&test.code_of(login, &[("scope", "openid")]).await).await.assert_issued(2);
}

#[tokio::test]
async fn s_823_a_sign_out_ends_the_logins_of_the_session_without_offline_access() {
    let uses = Uses::begin("openid", Period::Unlimited).await;
    uses.test.app.store.end_session(&uses.login.session.key()).await.unwrap();
    uses.assert_rejected().await;

    let offline = Uses::begin("openid offline_access", Period::Unlimited).await;
    offline.test.app.store.end_session(&offline.login.session.key()).await.unwrap();
    offline.assert_issued().await;
}

/// A session that expires ends no login, but a missing item does: it may have been ended.
#[tokio::test]
async fn s_823_an_expired_session_ends_no_login() {
    let uses = Uses::begin("openid", Period::Unlimited).await;
    uses.test.advance_clock(50_000);
    uses.test.refresh_code_login(&uses.refresh_token).await.assert_issued(2);

    let uses = Uses::begin("openid", Period::Unlimited).await;
    uses.test.delete_item("GrantsTable", &json!({"id": {"S": uses.login.session.key()}}));
    uses.assert_rejected().await;
}

#[tokio::test]
async fn s_821_nothing_is_issued_past_the_end_date() {
    let uses = Uses::begin("openid offline_access", Period::Seconds(3_600)).await;
    assert_eq!(uses.test.family(&uses.refresh_token)["absolute_expires_at"]["N"], (NOW + 3_600).to_string());
    uses.test.advance_clock(50);
    let [exchanged, refreshed] = uses.responses().await;
    for response in [&exchanged, &refreshed] {
        assert_eq!(response.assert_issued(2).number("exp"), NOW + 3_600);
    }
    uses.test.advance_clock(3_550);
    uses.test.refresh_code_login(&refreshed.refresh_token()).await.assert_error(400, "invalid_grant");
}

/// The user shortens the time for which the client has access.
#[tokio::test]
async fn s_821_an_earlier_end_date_counts_for_logins_that_exist() {
    let uses = Uses::begin("openid offline_access", Period::Unlimited).await;
    let limited = uses.login.consent.limited(Some(NOW + 600), NOW).unwrap();
    let store = &uses.test.app.store;
    assert!(store.put_consent(KEY, &store.owner(KEY.user_id).await.unwrap(), &limited).await.unwrap());
    let [exchanged, refreshed] = uses.responses().await;
    for response in [&exchanged, &refreshed] {
        assert_eq!(response.assert_issued(2).number("exp"), NOW + 600);
    }
    uses.test.advance_clock(600);
    uses.test.refresh_code_login(&refreshed.refresh_token()).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_406_a_login_by_code_depends_on_its_user_and_its_client() {
    for (change, is_of_user) in [
        (json!({"enabled": false}), true),
        (json!({"user_id": "7"}), true),
        (json!({"session_generation": 1}), true),
        (json!({"grant_types": ["refresh_token"]}), false),
    ] {
        let uses = Uses::begin("openid", Period::Unlimited).await;
        if is_of_user {
            uses.test.change_user(&change);
            uses.assert_rejected().await;
        } else {
            uses.test.put_code_client(&change);
            uses.test.exchange(&uses.code).await.assert_error(400, "unauthorized_client");
            uses.test.refresh_code_login(&uses.refresh_token).await.assert_error(400, "invalid_grant");
            // The login does not end: an operator may have changed the grants by mistake.
            uses.test.put_code_client(&json!({}));
            uses.test.refresh_code_login(&uses.refresh_token).await.assert_issued(2);
        }
    }
}

#[tokio::test]
async fn the_use_of_a_consent_is_written_once_a_day() {
    let test = TestApp::start_with_codes().await;
    let login = test.sign_in("openid", Period::Unlimited).await;
    let used_on = async || test.app.store.owner("1042").await.unwrap().consent(CODE_CLIENT.0).unwrap().used_on;
    let mut token = test.exchange(&test.code_of(&login, &[("scope", "openid")]).await).await.refresh_token();
    assert_eq!(used_on().await, None);
    for (seconds, writes) in [(0, true), (60, false), (86_400, true)] {
        test.advance_clock(seconds);
        test.interceptor.clear_calls();
        token = test.refresh_code_login(&token).await.refresh_token();
        let updates = test.interceptor.calls().iter().filter(|call| *call == "UpdateItem GrantsTable").count();
        assert_eq!(updates, 1 + usize::from(writes), "after {seconds} s");
        assert_eq!(used_on().await, Some(test.now() - test.now() % 86_400));
    }
}
