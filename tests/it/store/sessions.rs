//! `src/store/sessions.rs`: the conditional writes of browser sessions.

use countersign::session::{Session, SessionCookie, SessionLifetimes};
use countersign::store::StoreError;
use countersign::user::User;
use serde_json::json;

use testing::{NOW, TestApp};

const LIFETIMES: SessionLifetimes = SessionLifetimes { idle: 3_600, max: 43_200, family: 100 };

fn begin(cookie: &SessionCookie, now: u64) -> Session {
    let user: User = serde_json::from_value(json!({"username": "john", "user_id": "7", "enabled": true})).unwrap();
    Session::begin(cookie, &user, now, LIFETIMES)
}

#[tokio::test]
async fn a_session_is_stored_under_a_hash_of_its_id_and_only_once() {
    let test = TestApp::start().await;
    let (store, cookie) = (&test.app.store, SessionCookie::generate());
    let (key, session) = (cookie.id().key(), begin(&cookie, NOW));
    assert_eq!(store.session(&key).await.unwrap(), None);
    store.begin_session(&key, &session).await.unwrap();
    assert_eq!(
        test.cloud.item("GrantsTable", &json!({"id": key})).unwrap().unwrap(),
        json!({
            "id": {"S": key}, "secret_hash": {"S": session.secret_hash}, "username": {"S": "john"}, "user_id": {"S": "7"},
            "session_generation": {"N": "0"}, "auth_time": {"N": NOW.to_string()}, "amr": {"L": [{"S": "pwd"}]},
            "seen_at": {"N": NOW.to_string()}, "idle_expires_at": {"N": (NOW + 3_600).to_string()},
            "absolute_expires_at": {"N": (NOW + 43_200).to_string()}, "ended": {"BOOL": false},
            "expires_at": {"N": (NOW + 43_300).to_string()},
        })
    );
    // The SDK sends the write again after the session was ended.
    store.end_session(&key).await.unwrap();
    store.begin_session(&key, &session).await.unwrap();
    assert_eq!(store.session(&key).await.unwrap(), Some(Session { ended: true, ..session }));
}

#[tokio::test]
async fn a_renewal_needs_the_secret_that_was_read_and_a_session_that_was_not_ended() {
    let test = TestApp::start().await;
    let (store, cookie) = (&test.app.store, SessionCookie::generate());
    let (key, read) = (cookie.id().key(), begin(&cookie, NOW));
    let later = |at| Session { session_generation: 5, ..begin(&SessionCookie::for_session(cookie.id()), at) };
    let (next, other) = (later(NOW + 50), later(NOW + 60));
    assert!(!store.renew_session(&key, &read, &next).await.unwrap(), "no session");
    assert_eq!(store.session(&key).await.unwrap(), None);
    store.begin_session(&key, &read).await.unwrap();
    assert!(store.renew_session(&key, &read, &next).await.unwrap());
    assert_eq!(store.session(&key).await.unwrap().as_ref(), Some(&next));
    assert!(store.renew_session(&key, &read, &next).await.unwrap(), "the same write, sent again");
    assert!(!store.renew_session(&key, &read, &other).await.unwrap(), "another login was first");
    assert_eq!(store.session(&key).await.unwrap().as_ref(), Some(&next));

    store.end_session(&key).await.unwrap();
    assert!(!store.renew_session(&key, &next, &other).await.unwrap(), "signed out");
    assert!(!store.renew_session(&key, &read, &next).await.unwrap(), "sent again after the session was ended");
    assert_eq!(store.session(&key).await.unwrap(), Some(Session { ended: true, ..next }));
}

#[tokio::test]
async fn an_ended_session_is_not_extended_and_a_missing_one_is_not_stored() {
    let test = TestApp::start().await;
    let (store, cookie) = (&test.app.store, SessionCookie::generate());
    let (key, session) = (cookie.id().key(), begin(&cookie, NOW));
    store.extend_session(&key, 1, 2).await.unwrap();
    store.end_session(&key).await.unwrap();
    assert_eq!(store.session(&key).await.unwrap(), None);
    store.begin_session(&key, &session).await.unwrap();
    store.extend_session(&key, NOW + 301, NOW + 3_901).await.unwrap();
    let extended = Session { seen_at: NOW + 301, idle_expires_at: NOW + 3_901, ..session };
    assert_eq!(store.session(&key).await.unwrap().as_ref(), Some(&extended));
    store.end_session(&key).await.unwrap();
    store.extend_session(&key, NOW + 900, NOW + 4_500).await.unwrap();
    assert_eq!(store.session(&key).await.unwrap(), Some(Session { ended: true, ..extended }));
}

#[tokio::test]
async fn s_709_a_malformed_session_is_an_error_with_its_attribute() {
    let test = TestApp::start().await;
    let cookie = SessionCookie::generate();
    let (key, session) = (cookie.id().key(), serde_json::to_value(begin(&cookie, NOW)).unwrap());
    for (attribute, value) in [("ended", json!("no")), ("idle_expires_at", json!("x")), ("auth_time", json!(-1))] {
        let mut item = session.clone();
        item[attribute] = value;
        item["id"] = json!(key);
        test.cloud.put("GrantsTable", &item).unwrap();
        let read = test.app.store.session(&key).await;
        let is_reported =
            matches!(&read, Err(StoreError::Malformed { table: "grants", problem }) if problem == attribute);
        assert!(is_reported, "{read:?}");
    }
}
