//! Key rotation and its conditional write (S-505).

use std::collections::BTreeSet;

use countersign::keys::{
    KeySet, RotationError, RotationPolicy, RotationReport, RotationRequest, Rotator, SigningAlgorithm,
};
use serde_json::{Value, json};

use testing::{CLIENT_CREDENTIALS, NOW, SERVICE, TestApp, key_document, key_record, p256_pem};

/// The seconds for which a key must be public before it signs.
const PUBLIC_FOR: i64 = 10_800;
/// The seconds after which all access tokens of a key have expired.
const ACCESS_TOKENS_EXPIRED: i64 = 7 * 86_400 + 3_600;
/// The seconds after which all refresh tokens of a key have expired.
const REFRESH_TOKENS_EXPIRED: i64 = 90 * 86_400 + 3_600;

async fn rotation(test: &TestApp, algorithm: &str) -> Rotator {
    let policy = RotationPolicy {
        algorithm: SigningAlgorithm::named(algorithm).unwrap(),
        public_for: u32::try_from(PUBLIC_FOR).unwrap(),
        refresh_token_max_ttl: 7_776_000,
    };
    Rotator::new(&test.sdk().await, test.app.config.keys.secret_id.clone(), policy, test.clock())
}

/// Starts a deployment and creates its keys like CloudFormation does.
async fn provided(algorithm: &str) -> (TestApp, Rotator) {
    let test = TestApp::start_without_keys(|_| {}).await;
    let rotation = rotation(&test, algorithm).await;
    assert!(rotation.run(RotationRequest::Provide).await.unwrap().changed);
    (test, rotation)
}

fn document(test: &TestApp) -> Value {
    serde_json::from_str(&test.cloud.secret().unwrap().unwrap()).unwrap()
}

/// Returns the kids of the current, the next and the previous keys.
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
async fn the_first_deployment_creates_keys_and_the_next_one_changes_nothing() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let (test, rotation) = provided(algorithm).await;
        let response = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
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
        test.advance_clock(passed);
        assert_unchanged(&rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
    }
    // The same after the clock is set back.
    test.advance_clock(-PUBLIC_FOR);
    assert_unchanged(&rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
    test.advance_clock(PUBLIC_FOR + 1);
    assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    let (signing, new, previous) = kids(&test);
    assert_eq!((signing, previous), (next.clone(), vec![current.clone()]));
    assert!(new != current && new != next);
    // A repeated event finds the new next key too young.
    assert_unchanged(&rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
}

#[tokio::test]
async fn s_505_a_key_leaves_the_public_set_only_after_its_last_token() {
    let (test, rotation) = provided("ES256").await;
    let first = kids(&test).0;
    test.advance_clock(PUBLIC_FOR);
    rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap();
    let retired = &document(&test)["previous"][0];
    assert_eq!(retired["leaves_at"], json!(NOW + 10_800 + 7 * 86_400 + 3_600));
    assert!(retired.get("private_key").is_none() && retired["public_key"].get("d").is_none());

    let published = async || {
        let set = test.app.keyring.load().await.unwrap();
        set.jwks.contains(&first)
    };
    test.advance_clock(ACCESS_TOKENS_EXPIRED - 1);
    assert!(published().await);
    test.advance_clock(1);
    assert!(!published().await, "at that second, without a rotation");
    rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap();
    assert!(!kids(&test).2.contains(&first));
    assert_eq!(kids(&test).2.len(), 1);
}

#[tokio::test]
async fn an_access_token_expires_before_its_key_leaves_the_public_set() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"access_token_ttl": u32::MAX}));
    let response = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
    assert_eq!(response.body["expires_in"], 7 * 86_400);
    response.assert_issued(2);
}

#[tokio::test]
async fn refresh_tokens_stay_valid_after_rotations_of_their_keys() {
    let (test, rotation) = provided("ES256").await;
    let other = test.another_execution_environment().await;
    let mut token = test.log_in().await;
    for _ in 0..5 {
        test.advance_clock(PUBLIC_FOR);
        other.app.keyring.load().await.unwrap();
        // One execution environment has loaded the new keys and the other has not. Each accepts tokens of the other.
        assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
        test.app.keyring.load().await.unwrap();
        token = test.refresh(&token).await.refresh_token();
        token = other.refresh(&token).await.refresh_token();
        token = test.refresh(&token).await.refresh_token();
    }
    let keys = document(&test)["refresh"].clone();
    assert_eq!(keys["previous"].as_array().unwrap().len(), 5);
    let all: BTreeSet<_> = keys["previous"].as_array().unwrap().iter().map(|key| key["key"].as_str()).collect();
    assert_eq!(all.len(), 5);
    assert!(keys["current"] != keys["next"]);
    // A key is removed when its refresh tokens have expired.
    test.advance_clock(REFRESH_TOKENS_EXPIRED);
    rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap();
    assert_eq!(document(&test)["refresh"]["previous"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_emergency_removes_a_key_immediately() {
    let (test, rotation) = provided("ES256").await;
    let (first, second, _) = kids(&test);
    let token = test.log_in().await;
    assert!(rotation.run(RotationRequest::Emergency(&first)).await.unwrap().changed);
    let (signing, third, previous) = kids(&test);
    assert_eq!((&signing, previous.len()), (&second, 0));
    let mut left = document(&test);
    let dropped = left.as_object_mut().unwrap().remove("dropped").unwrap();
    assert_eq!(dropped[0].as_object().unwrap().len(), 3, "only the id and two times: {dropped}");
    assert!(!left.to_string().contains(&first));
    // A repeated emergency changes nothing.
    assert_unchanged(&rotation.run(RotationRequest::Emergency(&first)).await.unwrap(), "no key with that kid");
    test.app.keyring.load().await.unwrap();
    assert_eq!(test.refresh(&token).await.status, 200);

    assert!(rotation.run(RotationRequest::Emergency(&third)).await.unwrap().changed);
    assert_eq!(kids(&test).0, second);
    assert_ne!(kids(&test).1, third);
    test.advance_clock(PUBLIC_FOR);
    rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap();
    assert_eq!(kids(&test).2, [second.as_str()]);
    assert!(rotation.run(RotationRequest::Emergency(&second)).await.unwrap().changed);
    assert!(kids(&test).2.is_empty());
}

#[tokio::test]
async fn another_algorithm_applies_to_the_next_key_first() {
    let (test, _) = provided("ES256").await;
    let (current, ..) = kids(&test);
    let changed = rotation(&test, "EdDSA").await;
    test.advance_clock(PUBLIC_FOR);
    assert!(changed.run(RotationRequest::Provide).await.unwrap().changed);
    assert_eq!(kids(&test).0, current, "the current key continues to sign");
    assert_eq!(document(&test)["next"]["alg"], "EdDSA");
    assert_unchanged(&changed.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
    test.advance_clock(PUBLIC_FOR);
    assert!(changed.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    assert_eq!(document(&test)["current"]["alg"], "EdDSA");
    test.app.keyring.load().await.unwrap();
    assert_eq!(test.form(SERVICE, &CLIENT_CREDENTIALS).await.status, 200);
}

#[tokio::test]
async fn of_concurrent_rotations_one_is_written() {
    let (test, _) = provided("ES256").await;
    let (_, next, _) = kids(&test);
    test.advance_clock(PUBLIC_FOR);
    test.interceptor.hold();
    let mut rotations = Vec::new();
    for _ in 0..8 {
        let rotation = rotation(&test, "ES256").await;
        rotations.push(tokio::spawn(async move { rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap() }));
    }
    // All rotations read before the first write.
    test.interceptor.let_through(8).await;
    assert_eq!(test.interceptor.let_through(8).await, ["PutSecretValue"; 8]);
    // The other rotations read again, and find the result of the first.
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
async fn the_successor_of_a_version_is_written_once() {
    let (test, rotation) = provided("ES256").await;
    let (id, text) = test.cloud.secret_version().unwrap().unwrap();
    test.advance_clock(PUBLIC_FOR);
    rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap();
    // Secrets Manager can return the previous version for a short time. Its successor already exists.
    test.cloud.put_secret_version(&id, &text).unwrap();
    assert!(matches!(rotation.run(RotationRequest::Rotate { after: 0 }).await, Err(RotationError::Busy)));
    // An operator restores the text as a new version.
    test.cloud.put_secret(&text).unwrap();
    assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    KeySet::parse(&test.cloud.secret().unwrap().unwrap(), NOW).unwrap();
}

#[tokio::test]
async fn the_daily_schedule_rotates_after_the_interval() {
    let (test, rotation) = provided("ES256").await;
    let after = 30 * 86_400;
    for _ in 0..29 {
        test.advance_clock(86_400);
        assert_unchanged(
            &rotation.run(RotationRequest::Rotate { after }).await.unwrap(),
            "has not signed for long enough",
        );
    }
    test.advance_clock(86_400);
    assert!(rotation.run(RotationRequest::Rotate { after }).await.unwrap().changed);
    assert_unchanged(&rotation.run(RotationRequest::Rotate { after }).await.unwrap(), "has not signed for long enough");
}

#[tokio::test]
async fn an_invalid_secret_is_never_overwritten() {
    let test = TestApp::start_without_keys(|_| {}).await;
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
async fn a_document_that_an_operator_wrote_is_rotated() {
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
    // The next key has an early creation time. The rotation still waits until it has been public for long enough.
    assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    assert_unchanged(&rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
    let next = kids(&test).1;
    test.advance_clock(PUBLIC_FOR);
    assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    assert_eq!(kids(&test).0, next);
    let previous = kids(&test).2;
    assert_eq!(previous, [written["current"]["kid"].as_str().unwrap(), old["kid"].as_str().unwrap()]);
    assert!(!document(&test)["previous"].to_string().contains("private_key"));
    test.app.keyring.load().await.unwrap();
    assert_eq!(test.refresh(&token).await.status, 200);
}

#[tokio::test]
async fn a_lost_response_leaves_one_rotation() {
    let (test, rotation) = provided("ES256").await;
    let (_, next, _) = kids(&test);
    test.advance_clock(PUBLIC_FOR);
    test.interceptor.lose_response("PutSecretValue");
    // The SDK repeats the write with the same version id and text, so it succeeds.
    assert!(rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap().changed);
    assert_eq!(kids(&test).0, next);
    assert_unchanged(&rotation.run(RotationRequest::Rotate { after: 0 }).await.unwrap(), "public for long enough");
    assert_eq!(kids(&test).2.len(), 1);
}
