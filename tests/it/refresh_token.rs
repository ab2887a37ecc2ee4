//! The rules of refresh tokens, one table for each decision.

use countersign::client::Client;
use countersign::consent::Consent;
use countersign::refresh_token::{
    Authorization, CLOCK_IS_BEHIND, Family, LostRotation, NextGeneration, Presented, Records, Standing,
};
use countersign::scope::Scope;
use countersign::session::Session;
use countersign::user::{User, Username};
use serde_json::{Value, json};

const CLIENT: &str = "client";
const GRACE: u32 = 10;
/// The time at which the active generation was made.
const ROTATED_AT: u64 = 1_000;

/// A family whose generation 5 is active.
fn family() -> Family {
    Family {
        client_id: CLIENT.to_owned(),
        username: Username::parse("user").unwrap(),
        user_id: "1".to_owned(),
        session_generation: Some(0),
        scopes: Scope::parse("a").unwrap(),
        version: 2,
        auth_time: 500,
        generation: 5,
        rotated_at: ROTATED_AT,
        rotated_by: "another request".to_owned(),
        revoked: false,
        absolute_expires_at: 9_000,
        expires_at: 5_000,
        resource: None,
        cnf: None,
        authorization: None,
    }
}

fn family_with(change: impl FnOnce(&mut Family)) -> Family {
    let mut family = family();
    change(&mut family);
    family
}

#[test]
fn s_404_the_family_decides_the_standing_of_a_generation() {
    const REVOKED: Standing = Standing::Invalid("the login was revoked");
    const EXPIRED: Standing = Standing::Invalid("the login has expired");
    let revoked = || family_with(|family| family.revoked = true);
    let table = [
        // generation, now, state, standing
        (5, ROTATED_AT, family(), Standing::Active),
        (5, 4_999, family(), Standing::Active),
        (5, 0, family(), Standing::Active),
        (6, ROTATED_AT, family(), Standing::RolledBack),
        (u32::MAX, ROTATED_AT, family(), Standing::RolledBack),
        // The predecessor: a retry within the grace, a replay after it. Clocks may differ by the grace.
        (4, ROTATED_AT - 11, family(), Standing::Undecided),
        (4, ROTATED_AT - 10, family(), Standing::Retried),
        (4, ROTATED_AT, family(), Standing::Retried),
        (4, ROTATED_AT + 10, family(), Standing::Retried),
        (4, ROTATED_AT + 11, family(), Standing::Replayed),
        (4, 4_999, family(), Standing::Replayed),
        // Older generations: their successor was used, too.
        (3, ROTATED_AT, family(), Standing::Replayed),
        (0, ROTATED_AT, family(), Standing::Replayed),
        (3, ROTATED_AT - 11, family(), Standing::Replayed),
        // The login has ended.
        (5, 5_000, family(), EXPIRED),
        (4, 5_000, family(), EXPIRED),
        (5, 4_000, family_with(|family| family.absolute_expires_at = 4_000), EXPIRED),
        (5, ROTATED_AT, revoked(), REVOKED),
        (3, ROTATED_AT, revoked(), REVOKED),
        (6, 9_999, revoked(), REVOKED),
        // The client is checked first.
        (5, ROTATED_AT, family_with(|family| family.client_id = "another".to_owned()), Standing::Foreign),
        (
            3,
            9_999,
            family_with(|family| (family.client_id, family.revoked) = ("another".to_owned(), true)),
            Standing::Foreign,
        ),
    ];
    for (generation, now, family, standing) in table {
        assert_eq!(
            family.standing(Presented { generation, client_id: CLIENT, at: now }, GRACE),
            standing,
            "{generation} at {now}: {family:?}"
        );
    }
}

#[test]
fn without_a_grace_every_used_generation_is_a_replay() {
    for now in [0, ROTATED_AT - 1, ROTATED_AT, ROTATED_AT + 1] {
        assert_eq!(
            family().standing(Presented { generation: 4, client_id: CLIENT, at: now }, 0),
            Standing::Replayed,
            "at {now}"
        );
        assert_eq!(
            family().standing(Presented { generation: 5, client_id: CLIENT, at: now }, 0),
            Standing::Active,
            "at {now}"
        );
    }
}

#[test]
fn the_state_that_a_lost_rotation_finds_decides_its_result() {
    const USED_MEANWHILE: LostRotation = LostRotation::Rejected("another request used the refresh token meanwhile");
    // This request used generation 4, and lost to the write of the family.
    let next = |now| NextGeneration {
        client_id: CLIENT,
        rotated_at: now,
        rotated_by: "this request".to_owned(),
        expires_at: 5_000,
        cnf: None,
    };
    let own_write =
        |revoked| family_with(|family| (family.rotated_by, family.revoked) = ("this request".to_owned(), revoked));
    let later = |generation| family_with(|family| family.generation = generation);
    let table = [
        // state, now, result
        (own_write(false), ROTATED_AT, LostRotation::SuccessorIsActive),
        (own_write(false), ROTATED_AT + 100, LostRotation::SuccessorIsActive),
        (own_write(true), ROTATED_AT, LostRotation::Rejected("the login was revoked")),
        (family(), ROTATED_AT, LostRotation::SuccessorIsActive),
        (family(), ROTATED_AT + 10, LostRotation::SuccessorIsActive),
        (family(), ROTATED_AT + 11, USED_MEANWHILE),
        (family(), ROTATED_AT - 11, LostRotation::Undecided(CLOCK_IS_BEHIND)),
        (later(6), ROTATED_AT, USED_MEANWHILE),
        (later(3), ROTATED_AT, USED_MEANWHILE),
        (later(4), ROTATED_AT, LostRotation::Undecided("the condition failed for the active refresh token")),
        (family(), 5_000, LostRotation::Rejected("the login has expired")),
        (family_with(|family| family.revoked = true), ROTATED_AT, LostRotation::Rejected("the login was revoked")),
        (
            family_with(|family| family.client_id = "another".to_owned()),
            ROTATED_AT,
            LostRotation::Rejected("the refresh token was issued to another client"),
        ),
    ];
    for (found, now, result) in table {
        assert_eq!(found.after_lost_rotation(4, &next(now), GRACE), result, "at {now}: {found:?}");
    }
    assert_eq!(family().after_lost_rotation(4, &next(ROTATED_AT), 0), USED_MEANWHILE, "without a grace");
}

#[test]
fn s_406_a_login_is_valid_only_with_its_client_and_its_user() {
    const NOW: u64 = 2_000;
    let client =
        |changes: &[(&str, Value)]| Some(record::<Client>(json!({"client_id": CLIENT, "enabled": true}), changes));
    let user = |changes: &[(&str, Value)]| {
        Some(record::<User>(json!({"username": "user", "user_id": "1", "enabled": true}), changes))
    };
    let another = Some("the login belongs to another client");
    let logged_out = Some("the user was logged out everywhere");
    let revoked = family_with(|family| family.revoked = true);
    let earlier_build = family_with(|family| family.session_generation = None);
    let second_session = family_with(|family| family.session_generation = Some(1));
    let table = [
        // state, client, user, reason
        (family(), client(&[]), user(&[]), None),
        (second_session, client(&[]), user(&[("session_generation", json!(1))]), None),
        (revoked, client(&[]), user(&[]), Some("the login was revoked")),
        (family_with(|family| family.expires_at = NOW), client(&[]), user(&[]), Some("the login has expired")),
        (family_with(|family| family.absolute_expires_at = NOW), client(&[]), user(&[]), Some("the login has expired")),
        (family(), None, user(&[]), Some("the client does not exist any more")),
        (family(), client(&[("client_id", json!("another"))]), user(&[]), another),
        (family(), client(&[("enabled", json!(false))]), user(&[]), Some("disabled client")),
        (family(), client(&[]), None, Some("the user does not exist any more")),
        (family(), client(&[]), user(&[("user_id", json!("2"))]), Some("the username belongs to another user now")),
        (family(), client(&[]), user(&[("enabled", json!(false))]), Some("disabled user")),
        (family(), client(&[]), user(&[("session_generation", json!(1))]), logged_out),
        (earlier_build, client(&[]), user(&[]), logged_out),
    ];
    for (family, client, user, reason) in table {
        let records = Records { client: client.as_ref(), user: user.as_ref(), consent: None, session: None };
        assert_eq!(family.valid_user(records, NOW).err(), reason, "{family:?}, {client:?}, {user:?}");
    }
}

#[test]
fn s_406_a_login_by_code_is_valid_only_with_its_consent_and_its_session() {
    const NOW: u64 = 2_000;
    let client_with = |grant_types: &[&str], scopes: &[&str]| {
        let client = json!({"client_id": CLIENT, "enabled": true, "grant_types": grant_types, "scopes": scopes});
        record::<Client>(client, &[])
    };
    let grants = ["authorization_code", "refresh_token"];
    let client = client_with(&grants, &["a", "offline_access"]);
    let narrowed = client_with(&grants, &["a"]);
    let other = client_with(&["refresh_token"], &["a"]);
    let user = record::<User>(json!({"username": "user", "user_id": "1", "enabled": true}), &[]);
    let consent = |changes: &[(&str, Value)]| {
        let consent = json!({"id": "consent", "name": "n", "scopes": ["a"], "since": 1});
        Some(record::<Consent>(consent, changes))
    };
    let session = |ended: bool| {
        let session = json!({"secret_hash": "h", "username": "user", "user_id": "1", "session_generation": 0,
            "auth_time": 1, "amr": ["pwd"], "seen_at": 1, "idle_expires_at": 2, "absolute_expires_at": 3,
            "ended": ended, "expires_at": 4});
        Some(record::<Session>(session, &[]))
    };
    let by_code = |scope: &str| {
        let authorization = Authorization {
            redirect_uri: "https://app.example/cb".to_owned(),
            code_challenge: None,
            nonce: None,
            consent: "consent".to_owned(),
            session: "session#1".to_owned(),
        };
        let scopes = Scope::parse(scope).unwrap();
        family_with(|family| (family.authorization, family.scopes) = (Some(Box::new(authorization)), scopes))
    };
    let (ended, removed) = (Some("the consent of the login has ended"), Some("the user removed the client"));
    let signed_out = Some("the user signed out");
    let no_session = Some("the browser session of the login does not exist any more");
    let table = [
        // scope, client, consent, session, reason
        ("a", &client, consent(&[]), session(false), None),
        ("a", &client, consent(&[("until", json!(NOW + 1))]), session(false), None),
        ("a", &client, consent(&[("until", json!(NOW))]), session(false), ended),
        ("a", &client, consent(&[("id", json!("another"))]), session(false), ended),
        ("a", &client, None, session(false), removed),
        ("a", &client, consent(&[]), session(true), signed_out),
        ("a", &client, consent(&[]), None, no_session),
        ("a offline_access", &client, consent(&[]), session(true), None),
        ("a offline_access", &client, consent(&[]), None, None),
        ("a offline_access", &narrowed, consent(&[]), session(true), signed_out),
        ("a offline_access", &narrowed, consent(&[]), session(false), None),
        ("a offline_access", &client, None, session(false), removed),
        ("a", &other, consent(&[]), session(false), Some("the client may not use codes any more")),
    ];
    for (scope, client, consent, session, reason) in table {
        let records =
            Records { client: Some(client), user: Some(&user), consent: consent.as_ref(), session: session.as_ref() };
        assert_eq!(by_code(scope).valid_user(records, NOW).err(), reason, "{scope}: {consent:?}, {session:?}");
        // A login by password depends on none of them.
        assert_eq!(family().valid_user(records, NOW).err(), None);
    }
}

/// Returns a record with changed attributes.
fn record<T: serde::de::DeserializeOwned>(mut attributes: Value, changes: &[(&str, Value)]) -> T {
    for (name, value) in changes {
        attributes[name] = value.clone();
    }
    serde_json::from_value(attributes).unwrap()
}
