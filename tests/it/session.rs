//! `src/session.rs`: the cookie, the rules of the record, and the proof of forms.

use std::collections::BTreeSet;

use countersign::hmac_keys::HmacKeys;
use countersign::session::{ConfirmKeys, Session, SessionCookie, SessionLifetimes, sid};
use countersign::user::User;
use serde_json::json;

use testing::NOW;

const LIFETIMES: SessionLifetimes = SessionLifetimes { idle: 3_600, max: 43_200, family: 7_776_000 };

fn user() -> User {
    serde_json::from_value(json!({"username": "john", "user_id": "7", "enabled": true, "session_generation": 3}))
        .unwrap()
}

fn begin(cookie: &SessionCookie) -> Session {
    Session::begin(cookie, &user(), NOW, LIFETIMES)
}

#[test]
fn a_cookie_is_64_characters_and_new_each_time() {
    let cookies: Vec<_> = (0..100).map(|_| SessionCookie::generate().to_string()).collect();
    assert!(cookies.iter().all(|cookie| cookie.len() == 64));
    let halves =
        |range: std::ops::Range<usize>| cookies.iter().map(|c| c[range.clone()].to_owned()).collect::<BTreeSet<_>>();
    assert_eq!((halves(0..21).len(), halves(22..64).len()), (100, 100));
    for cookie in cookies {
        assert_eq!(SessionCookie::parse(&cookie).unwrap().to_string(), cookie);
    }
}

#[test]
fn a_value_of_another_form_is_not_a_cookie() {
    let cookie = SessionCookie::generate().to_string();
    let longer = format!("{cookie}AAAA");
    let padded = format!("{}==", &cookie[..62]);
    for value in ["", &cookie[..63], &cookie[..60], &longer, &padded, &cookie.replacen(&cookie[..1], "+", 1)] {
        assert!(SessionCookie::parse(value).is_none(), "{value}");
    }
}

#[test]
fn s_814_the_item_contains_hashes_of_both_parts_and_a_login_changes_the_secret() {
    let cookie = SessionCookie::generate();
    let (value, session) = (cookie.to_string(), begin(&cookie));
    let stored = format!("{}{}", cookie.id().key(), serde_json::to_string(&session).unwrap());
    assert!(!stored.contains(&value[..21]) && !stored.contains(&value[22..]), "{stored}");
    let renewed = SessionCookie::for_session(cookie.id());
    assert!(renewed.id() == cookie.id() && renewed != cookie);
    assert!(session.is_of(&cookie) && !session.is_of(&renewed));
}

#[test]
fn s_815_only_the_cookie_and_the_user_of_a_session_that_has_not_ended_are_signed_in() {
    let cookie = SessionCookie::generate();
    let signed_in = |change: fn(&mut Session, &mut User), at: u64| {
        let (mut session, mut user) = (begin(&cookie), user());
        change(&mut session, &mut user);
        session.is_signed_in(&cookie, &user, at)
    };
    assert!(signed_in(|_, _| {}, NOW));
    assert!(signed_in(|_, _| {}, NOW + 3_599));
    assert!(!signed_in(|_, _| {}, NOW + 3_600), "the idle end");
    assert!(!signed_in(|session, _| session.idle_expires_at = NOW + 50_000, NOW + 43_200), "the absolute end");
    assert!(signed_in(|session, _| session.idle_expires_at = NOW + 50_000, NOW + 43_199));
    assert!(!signed_in(|session, _| session.ended = true, NOW), "signed out");
    assert!(!signed_in(|_, user| user.enabled = false, NOW), "disabled");
    assert!(!signed_in(|_, user| user.session_generation = 4, NOW), "logged out everywhere");
    assert!(!signed_in(|_, user| user.session_generation = 2, NOW), "another generation");
    assert!(!signed_in(|_, user| user.user_id = "8".to_owned(), NOW), "the name of another user");
    let other_secret = SessionCookie::for_session(cookie.id());
    assert!(!begin(&cookie).is_signed_in(&other_secret, &user(), NOW), "another secret");
}

#[test]
fn the_item_stays_until_its_families_have_ended() {
    let session = begin(&SessionCookie::generate());
    assert_eq!(session.absolute_expires_at, NOW + 43_200);
    assert_eq!(session.expires_at, NOW + 43_200 + 7_776_000);
    let short = SessionLifetimes { idle: 100, max: 50, family: 0 };
    let session = Session::begin(&SessionCookie::generate(), &user(), NOW, short);
    assert_eq!((session.idle_expires_at, session.absolute_expires_at), (NOW + 50, NOW + 50));
}

#[test]
fn a_use_is_written_after_300_seconds_and_extends_up_to_the_absolute_end() {
    let session = begin(&SessionCookie::generate());
    for (after, end) in [(0, None), (300, None), (301, Some(3_901)), (3_000, Some(6_600)), (43_000, Some(43_200))] {
        assert_eq!(session.extension(NOW + after, LIFETIMES), end.map(|end| NOW + end), "{after}");
    }
    // The clock was set back.
    assert_eq!(session.extension(NOW - 1_000, LIFETIMES), None);
}

#[test]
fn the_age_of_a_login_is_compared_with_max_age() {
    let session = begin(&SessionCookie::generate());
    assert!(!session.is_older_than(60, NOW + 60) && session.is_older_than(60, NOW + 61));
    assert!(!session.is_older_than(0, NOW - 5));
}

#[test]
fn each_client_has_another_sid_of_the_same_session() {
    let (one, two) = (SessionCookie::generate().id().key(), SessionCookie::generate().id().key());
    assert_eq!(sid(&one, "crm"), sid(&one, "crm"));
    assert_eq!(sid(&one, "crm").len(), 22);
    let sids: BTreeSet<_> = [(&one, "crm"), (&one, "spa"), (&two, "crm")].map(|(key, client)| sid(key, client)).into();
    assert_eq!(sids.len(), 3);
}

#[test]
fn s_813_a_value_of_confirm_counts_for_one_session_and_one_query() {
    let (one, two) = (SessionCookie::generate().id(), SessionCookie::generate().id());
    let keys = ConfirmKeys::new(HmacKeys::new([1; 32], [[2; 32]]));
    let later = ConfirmKeys::new(HmacKeys::new([3; 32], [[1; 32]]));
    let other = ConfirmKeys::new(HmacKeys::new([2; 32], []));
    let value = keys.value(one, "client_id=a");
    assert_eq!(value.len(), 43);
    assert!(keys.accept(&value, one, "client_id=a"));
    assert!(!keys.accept(&value, two, "client_id=a"), "another session");
    assert!(!keys.accept(&value, one, "client_id=b"), "another request");
    assert!(!keys.accept(&value, one, ""), "no request");
    assert!(later.accept(&value, one, "client_id=a"), "a key of before");
    assert!(!other.accept(&value, one, "client_id=a"), "another key");
    for value in ["", &value[1..], &format!("{value}="), "A", "%"] {
        assert!(!keys.accept(value, one, "client_id=a"), "{value}");
    }
}
