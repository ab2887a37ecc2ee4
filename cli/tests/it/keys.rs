//! `countersign key`: `tests/it/keys/rotation.rs` tests the rotation itself.

use countersign::clock::Clock;
use countersign::keys::{RotationPolicy, RotationRequest, Rotator, SigningAlgorithm};
use serde_json::{Value, json};

use crate::command_line;
use testing::{CLIENT_CREDENTIALS, SERVICE, TestApp, p256_pem};

/// Starts a deployment whose keys were created this number of seconds ago.
pub async fn made(seconds: i64) -> TestApp {
    let test = TestApp::start_without_keys(|_| {}).await;
    test.use_system_time().await;
    test.advance_clock(-seconds);
    let policy =
        RotationPolicy { algorithm: SigningAlgorithm::Es256, public_for: 10_800, refresh_token_max_ttl: 7_776_000 };
    let secret_id = test.app.config.keys.secret_id.clone();
    let rotation = Rotator::new(&test.sdk().await, secret_id, policy, test.clock());
    assert!(rotation.run(RotationRequest::Provide).await.unwrap().changed);
    test.use_system_time().await;
    test
}

fn kid(test: &TestApp, stage: &str) -> String {
    let document: Value = serde_json::from_str(&test.cloud.secret().unwrap().unwrap()).unwrap();
    document[stage]["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn key_list_shows_the_next_change_of_each_key_but_no_private_key() {
    let test = made(5 * 86_400).await;
    let line = command_line(&test);
    let keys = line.json(&["key", "list"]).await;
    assert_eq!((&keys[0]["kid"], &keys[0]["stage"]), (&json!(kid(&test, "current")), &json!("current")));
    assert_eq!((&keys[1]["kid"], &keys[1]["stage"]), (&json!(kid(&test, "next")), &json!("next")));
    let listed = line.run(&["key", "list"]).await;
    listed.assert(0, "retires at the next rotation").assert(0, "may sign from 20").assert(0, "5d");
    assert!(!listed.out.contains("PRIVATE"));
    let mut of_stack = line.bare(&["--stack", "countersign", "key", "list"]);
    testing::CommandOutput::of(of_stack.spawn().unwrap(), "").await.assert(0, "retires on 20");

    test.cloud.put_secret(&p256_pem()).unwrap();
    line.run(&["key", "list"]).await.assert(0, "externally managed");
    line.run(&["key", "rotate"]).await.assert(3, "an externally managed key, which is not rotated");
    line.run(&["key", "rotate", "--emergency", "--yes"])
        .await
        .assert(1, "an externally managed key; replace the key in the secret");
    test.cloud.put_secret("{").unwrap();
    line.run(&["key", "list"]).await.assert(1, "replace it with a valid one");
}

#[tokio::test]
async fn a_rotation_waits_until_verifiers_can_have_the_key_and_an_emergency_does_not() {
    let young = made(60).await;
    let (current, next) = (kid(&young, "current"), kid(&young, "next"));
    command_line(&young)
        .run(&["key", "rotate"])
        .await
        .assert(3, "no: the next key has not been public for long enough");
    assert_eq!(kid(&young, "current"), current);
    let line = command_line(&young);
    line.run(&["key", "rotate", "--emergency"]).await.assert(1, "confirm with --yes");
    line.run(&["key", "rotate", "--emergency=-missing", "--yes"]).await.assert(1, "key -missing not found");
    assert_eq!(kid(&young, "current"), current);
    line.run(&["key", "rotate", "--emergency", "--yes"]).await.assert(0, &next);
    assert_eq!(kid(&young, "current"), next);

    let old = made(10_801).await;
    let (current, next) = (kid(&old, "current"), kid(&old, "next"));
    let report = command_line(&old).json(&["key", "rotate"]).await;
    assert_eq!(
        (&report["changed"], &report["current"], &report["previous"]),
        (&json!(true), &json!(next), &json!([current]))
    );
    command_line(&old).run(&["key", "list"]).await.assert(0, "leaves on 20");
    let emergency = format!("--emergency={current}");
    let named = ["key", "rotate", &emergency, "--yes"];
    command_line(&old).run(&named).await.assert(0, "yes");
    assert_eq!(kid(&old, "current"), next, "the current key stays");
}

/// Execution environments load the keys every `KeysMaxAge` seconds, and caches of verifiers keep them as long.
#[tokio::test]
async fn an_emergency_says_until_when_the_dropped_key_has_an_effect() {
    let test = made(10_801).await;
    let url = test.serve().await;
    let token = test.form(SERVICE, &CLIENT_CREDENTIALS).await.body["access_token"].as_str().unwrap().to_owned();
    let (line, dropped, next) = (command_line(&test), kid(&test, "current"), kid(&test, "next"));
    let max_age = u64::from(test.app.config.keys.max_age);
    let report = line.json(&["key", "rotate", "--emergency", "--yes"]).await;
    let signs_until = report["signs_until"].as_u64().unwrap();
    let now = Clock::System.now();
    assert!((now + max_age - 30..=now + max_age).contains(&signs_until), "{report}");
    assert_eq!(report["dropped"], dropped);
    assert_eq!(report["verifies_until"], signs_until + max_age);
    assert_eq!(report["verifies_until_without_reload"], signs_until + max_age + 7_200);

    let said = "The key was dropped in an emergency at 20";
    line.run_with(&["token", "inspect", "--live"], &token).await.assert(3, said);
    test.app.keyring.load().await.unwrap();
    line.run_with(&["token", "inspect", "--url", &url], &token).await.assert(3, said);

    let other = line.json(&["key", "rotate", &format!("--emergency={}", kid(&test, "next")), "--yes"]).await;
    assert_eq!((&other["current"], &other["signs_until"]), (&json!(next), &Value::Null), "the next key never signed");
}

/// The settings of the rotation are not guessed, and the creation of a next key does not count as a rotation.
#[tokio::test]
async fn a_rotation_with_unknown_settings_is_rejected() {
    let test = made(10_801).await;
    let before = test.cloud.secret().unwrap();
    for missing in ["SIGNING_ALGORITHM", "KEY_PUBLIC_FOR"] {
        let mut command = command_line(&test).bare(&["key", "rotate"]);
        command.envs(testing::cloud::environment(testing::ISSUER)).env_remove(missing);
        let ran = testing::CommandOutput::of(command.spawn().unwrap(), "").await;
        ran.assert(1, &format!("are not known (environment variable {missing} is missing); add --stack NAME"));
    }
    assert_eq!(test.cloud.secret().unwrap(), before);
    let mut document: Value = serde_json::from_str(&before.unwrap()).unwrap();
    document["next"] = Value::Null;
    test.cloud.put_secret(&document.to_string()).unwrap();
    command_line(&test).run(&["key", "rotate"]).await.assert(3, "no: the next key had to be published first");
}
