//! S-505: how keys come and go; and the one write by which they do.

use std::collections::BTreeSet;

use countersign::keys::{KeySet, RotationError, RotationPolicy, RotationReport, RotationRequest, Rotator};
use serde_json::{Value, json};

use testing::p256_pem;
use testing::{NOW, SERVICE, TestApp, key_document, key_record};

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];
/// How long a key must have been public, and what else must pass.
const PUBLIC_FOR: i64 = 10_800;
const TOKENS_GONE: i64 = 7 * 86_400 + 3_600;
const REFERENCES_GONE: i64 = 90 * 86_400 + 3_600;

async fn rotation(test: &TestApp, algorithm: &str) -> Rotator {
    let policy = RotationPolicy {
        algorithm: algorithm.parse().unwrap(),
        public_for: u32::try_from(PUBLIC_FOR).unwrap(),
        refresh_token_max_ttl: 7_776_000,
    };
    Rotator::new(&test.sdk().await, test.app.config.keys.secret_id.clone(), policy, test.clock())
}

/// A deployment whose keys were made by its deployment.
async fn provided(algorithm: &str) -> (TestApp, Rotator) {
    let test = TestApp::start_cold(|_| {}).await;
    let rotation = rotation(&test, algorithm).await;
    assert!(rotation.run(RotationRequest::Provide).await.unwrap().changed);
    (test, rotation)
}

fn document(test: &TestApp) -> Value {
    serde_json::from_str(&test.cloud.secret().unwrap().unwrap()).unwrap()
}

fn kids(test: &TestApp) -> (String, String, Vec<String>) {
    let document = document(test);
    let kid = |key: &Value| key["kid"].as_str().or(key["public_key"]["kid"].as_str()).unwrap().to_owned();
    let previous = document["previous"].as_array().unwrap().iter().map(kid).collect();
    (kid(&document["current"]), kid(&document["next"]), previous)
}

fn assert_unchanged(report: &RotationReport, reason: &str) {
    assert!(!report.changed && report.reason.unwrap().contains(reason), "{report:?}");
}

#[tokio::test]
async fn deploying_makes_a_set_that_signs_at_once_and_deploying_again_changes_nothing() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let (test, rotation) = provided(algorithm).await;
        let response = test.form(SERVICE, &GRANT).await;
        assert_eq!(response.status, 200);
        let document = document(&test);
        for name in ["current", "next"] {
            assert_eq!((&document[name]["alg"], &document[name]["created_at"]), (&json!(algorithm), &json!(NOW)));
        }
        assert_ne!(document["current"]["kid"], document["next"]["kid"]);
        assert_unchanged(&rotation.run(RotationRequest::Provide).await.unwrap(), "match the settings");
        assert_eq!(super::rotation::document(&test), document);
    }
}

#[tokio::test]
async fn s_505_a_key_signs_only_after_it_was_public_for_long_enough() {
    let (test, rotation) = provided("ES256").await;
    let (current, next, _) = kids(&test);
    for passed in [0, PUBLIC_FOR - 1] {
        test.pass(passed);
        assert_unchanged(&rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
    }
    // Nor if the clock is set back.
    test.pass(-PUBLIC_FOR);
    assert_unchanged(&rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
    test.pass(PUBLIC_FOR + 1);
    assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    let (signs, fresh, previous) = kids(&test);
    assert_eq!((signs, previous), (next.clone(), vec![current.clone()]));
    assert!(fresh != current && fresh != next);
    // A repeated event finds the fresh one too young.
    assert_unchanged(&rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
}

#[tokio::test]
async fn s_505_a_key_leaves_the_public_set_only_after_its_last_token() {
    let (test, rotation) = provided("ES256").await;
    let first = kids(&test).0;
    test.pass(PUBLIC_FOR);
    rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap();
    let retired = &document(&test)["previous"][0];
    assert_eq!(retired["leaves_at"], json!(NOW + 10_800 + 7 * 86_400 + 3_600));
    assert!(retired.get("private_key").is_none() && retired["public_key"].get("d").is_none());

    let published = async || {
        let set = test.app.keyring.load().await.unwrap();
        set.jwks.contains(&first)
    };
    test.pass(TOKENS_GONE - 1);
    assert!(published().await);
    test.pass(1);
    assert!(!published().await, "to the second, without a rotation");
    rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap();
    assert!(!kids(&test).2.contains(&first));
    assert_eq!(kids(&test).2.len(), 1);
}

#[tokio::test]
async fn no_token_outlives_its_key() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"access_token_ttl": u32::MAX}));
    let response = test.form(SERVICE, &GRANT).await;
    assert_eq!(response.body["expires_in"], 7 * 86_400);
    response.assert_issued(2);
}

#[tokio::test]
async fn refresh_tokens_live_through_rotations_and_their_keys_are_staged_too() {
    let (test, rotation) = provided("ES256").await;
    let other = test.another_environment().await;
    let mut token = test.log_in().await;
    for _ in 0..5 {
        test.pass(PUBLIC_FOR);
        other.app.keyring.load().await.unwrap();
        // One environment has seen the rotation and the other has not looked yet: each knows what the other makes.
        assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
        test.app.keyring.load().await.unwrap();
        token = test.refresh(&token).await.refresh_token();
        token = other.refresh(&token).await.refresh_token();
        token = test.refresh(&token).await.refresh_token();
    }
    let references = document(&test)["refresh"].clone();
    assert_eq!(references["previous"].as_array().unwrap().len(), 5);
    let all: BTreeSet<_> = references["previous"].as_array().unwrap().iter().map(|key| key["key"].as_str()).collect();
    assert_eq!(all.len(), 5);
    assert!(references["current"] != references["next"]);
    // When no reference under it can be alive, a key goes.
    test.pass(REFERENCES_GONE);
    rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap();
    assert_eq!(document(&test)["refresh"]["previous"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_emergency_drops_a_key_at_once() {
    let (test, rotation) = provided("ES256").await;
    let (first, second, _) = kids(&test);
    let token = test.log_in().await;
    assert!(rotation.run(RotationRequest::Emergency(&first)).await.unwrap().changed);
    let (signs, third, previous) = kids(&test);
    assert_eq!((&signs, previous.len()), (&second, 0));
    assert!(!document(&test).to_string().contains(&first));
    // Once is enough.
    assert_unchanged(&rotation.run(RotationRequest::Emergency(&first)).await.unwrap(), "no key with that kid");
    test.app.keyring.load().await.unwrap();
    assert_eq!(test.refresh(&token).await.status, 200);

    assert!(rotation.run(RotationRequest::Emergency(&third)).await.unwrap().changed);
    assert_eq!(kids(&test).0, second);
    assert_ne!(kids(&test).1, third);
    test.pass(PUBLIC_FOR);
    rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap();
    assert_eq!(kids(&test).2, [second.as_str()]);
    assert!(rotation.run(RotationRequest::Emergency(&second)).await.unwrap().changed);
    assert!(kids(&test).2.is_empty());
}

#[tokio::test]
async fn another_algorithm_becomes_the_next_key_first() {
    let (test, _) = provided("ES256").await;
    let (current, ..) = kids(&test);
    let changed = rotation(&test, "EdDSA").await;
    test.pass(PUBLIC_FOR);
    assert!(changed.run(RotationRequest::Provide).await.unwrap().changed);
    assert_eq!(kids(&test).0, current, "what signs goes on signing");
    assert_eq!(document(&test)["next"]["alg"], "EdDSA");
    assert_unchanged(&changed.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
    test.pass(PUBLIC_FOR);
    assert!(changed.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    assert_eq!(document(&test)["current"]["alg"], "EdDSA");
    test.app.keyring.load().await.unwrap();
    assert_eq!(test.form(SERVICE, &GRANT).await.status, 200);
}

#[tokio::test]
async fn of_rotations_at_once_one_happens() {
    let (test, _) = provided("ES256").await;
    let (_, next, _) = kids(&test);
    test.pass(PUBLIC_FOR);
    test.interceptor.hold();
    let mut rotations = Vec::new();
    for _ in 0..8 {
        let rotation = rotation(&test, "ES256").await;
        rotations.push(tokio::spawn(async move { rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap() }));
    }
    // All have read before any has written.
    test.interceptor.let_through(8).await;
    assert_eq!(test.interceptor.let_through(8).await, ["PutSecretValue"; 8]);
    // Those that were too late look again, and find that it is done.
    assert_eq!(test.interceptor.let_through(7).await, ["GetSecretValue"; 7]);
    let mut changed = 0;
    for rotation in rotations {
        changed += u8::from(rotation.await.unwrap().changed);
    }
    assert_eq!(changed, 1);
    assert_eq!(kids(&test).0, next);
    assert_eq!(kids(&test).2.len(), 1);
}

#[tokio::test]
async fn what_follows_from_a_version_is_written_once() {
    let (test, rotation) = provided("ES256").await;
    let (id, text) = test.cloud.secret_version().unwrap().unwrap();
    test.pass(PUBLIC_FOR);
    rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap();
    // Whoever still sees the version before, as Secrets Manager may show it for a moment, cannot write over this one.
    test.cloud.put_secret_version(&id, &text).unwrap();
    assert!(matches!(rotation.run(RotationRequest::Rotate { after: 0 }).await, Err(RotationError::Busy)));
    // A person puts it back as a version of its own.
    test.cloud.put_secret(&text).unwrap();
    assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    KeySet::parse(&test.cloud.secret().unwrap().unwrap(), NOW).unwrap();
}

#[tokio::test]
async fn the_schedule_asks_daily_and_rotates_when_it_is_time() {
    let (test, rotation) = provided("ES256").await;
    let after = 30 * 86_400;
    for _ in 0..29 {
        test.pass(86_400);
        assert_unchanged(
            &rotation.run(RotationRequest::Rotate { after }).await.unwrap(),
            "has not signed for long enough",
        );
    }
    test.pass(86_400);
    assert!(rotation.run(RotationRequest::Rotate { after }).await.unwrap().changed);
    assert_unchanged(&rotation.run(RotationRequest::Rotate { after }).await.unwrap(), "has not signed for long enough");
}

#[tokio::test]
async fn what_cannot_be_used_is_never_written_over() {
    let test = TestApp::start_cold(|_| {}).await;
    let rotation = rotation(&test, "ES256").await;
    let mut broken = key_document(&p256_pem());
    broken["next"] = json!({"kid": "x", "alg": "ES256", "private_key": p256_pem()});
    for secret in ["junk".to_owned(), "{}".to_owned(), broken.to_string()] {
        test.cloud.put_secret(&secret).unwrap();
        for request in [RotationRequest::Provide, RotationRequest::Rotate { after: 0 }, RotationRequest::Emergency("x")]
        {
            let Err(RotationError::Keys(error)) = rotation.run(request).await else { panic!("{secret}") };
            assert!(!error.to_string().contains("junk"));
        }
        assert_eq!(test.cloud.secret().unwrap().unwrap(), secret);
    }
    let pem = p256_pem();
    test.cloud.put_secret(&pem).unwrap();
    for request in [RotationRequest::Provide, RotationRequest::Rotate { after: 0 }] {
        assert_unchanged(&rotation.run(request).await.unwrap(), "externally managed key");
    }
    assert!(rotation.run(RotationRequest::Emergency("x")).await.is_err());
    assert_eq!(test.cloud.secret().unwrap().unwrap(), pem);
}

#[tokio::test]
async fn a_document_that_a_person_wrote_is_taken_up() {
    let test = TestApp::start().await;
    let rotation = rotation(&test, "ES256").await;
    let old = key_record(&p256_pem());
    let mut written = document(&test);
    written["previous"] = json!([old]);
    written["next"] = key_record(&p256_pem());
    written["next"]["created_at"] = json!(1);
    written["refresh"] = json!({"current": written["refresh"]["current"], "previous": written["refresh"]["current"]});
    test.cloud.put_secret(&written.to_string()).unwrap();
    let token = test.log_in().await;
    // Its next key says that it is old, but only the rotation knows since when it is public: it waits its time.
    assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    assert_unchanged(&rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
    let next = kids(&test).1;
    test.pass(PUBLIC_FOR);
    assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    assert_eq!(kids(&test).0, next);
    let previous = kids(&test).2;
    assert_eq!(previous, [written["current"]["kid"].as_str().unwrap(), old["kid"].as_str().unwrap()]);
    assert!(!document(&test)["previous"].to_string().contains("private_key"));
    test.app.keyring.load().await.unwrap();
    assert_eq!(test.refresh(&token).await.status, 200);
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_one_rotation() {
    let (test, rotation) = provided("ES256").await;
    let (_, next, _) = kids(&test);
    test.pass(PUBLIC_FOR);
    test.interceptor.lose_response("PutSecretValue");
    // The SDK sends it again: the same name, the same content, so that it is our own.
    assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    assert_eq!(kids(&test).0, next);
    assert_unchanged(&rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
    assert_eq!(kids(&test).2.len(), 1);
}
