//! The rules of key rotation: one table for each decision.

use countersign::keys::{Document, KeySet, Rotated, RotationPolicy, SigningAlgorithm, Stage};
use serde_json::{Value, json};

use testing::{NOW, key_document, key_record, p256_pem};

const ALGORITHM_CHANGED: &str = "RS256";
const PUBLIC_FOR: u64 = 10_800;
/// The seconds for which a key signs before a scheduled rotation.
const AFTER: u64 = 86_400;

fn policy(algorithm: &str) -> RotationPolicy {
    let public_for = PUBLIC_FOR.try_into().unwrap();
    let algorithm = SigningAlgorithm::named(algorithm).unwrap();
    RotationPolicy { algorithm, public_for, refresh_token_max_ttl: 7_776_000 }
}

/// Returns a document whose current key signs since one time, and whose next key is public since another time.
fn document(signs_since: Option<u64>, public_since: Option<u64>) -> Document {
    let mut document = key_document(&p256_pem());
    document["current"]["signs_since"] = json!(signs_since);
    document["next"] = key_record(&p256_pem());
    document["next"]["public_since"] = json!(public_since);
    Document::parse(&document.to_string()).unwrap()
}

/// Returns the current and the next kid after a change, or the reason why nothing changes.
fn result(rotated: Rotated) -> Result<(String, String), &'static str> {
    match rotated {
        Rotated::Changed(document) => {
            let (current, next, _) = document.kids();
            Ok((current.to_owned(), next.unwrap().to_owned()))
        }
        Rotated::Unchanged(reason) => Err(reason),
    }
}

#[test]
fn s_505_the_next_key_signs_if_both_keys_are_old_enough() {
    let too_young = Some("the next key has not been public for long enough");
    let too_early = Some("the current key has not signed for long enough");
    for (signs_since, public_since, after, reason) in [
        (Some(NOW - AFTER), NOW - PUBLIC_FOR, AFTER, None),
        (Some(NOW - AFTER), NOW - PUBLIC_FOR, 0, None),
        (None, NOW - PUBLIC_FOR, AFTER, None),
        (Some(NOW - AFTER), NOW - PUBLIC_FOR + 1, AFTER, too_young),
        (Some(NOW), NOW - PUBLIC_FOR + 1, 0, too_young),
        (Some(NOW - AFTER + 1), NOW - PUBLIC_FOR, AFTER, too_early),
        // The clock was set back.
        (Some(NOW + 1), NOW - PUBLIC_FOR, AFTER, too_early),
        (Some(NOW - AFTER), NOW + 1, AFTER, too_young),
    ] {
        let document = document(signs_since, Some(public_since));
        let (_, next, _) = document.kids();
        let rotated = result(document.rotate(&policy("ES256"), after, NOW).unwrap());
        let what = format!("{signs_since:?}, {public_since}, {after}");
        assert_eq!(rotated.as_ref().err().copied(), reason, "{what}");
        if let Ok((current, new)) = rotated {
            assert_eq!(current, next.unwrap(), "{what}");
            assert_ne!(new, current, "{what}");
        }
    }
}

#[test]
fn s_505_a_next_key_that_an_operator_wrote_is_public_from_the_next_rotation_on() {
    let written = document(None, None);
    let Rotated::Changed(dated) = written.rotate(&policy("ES256"), 0, NOW).unwrap() else { panic!("no change") };
    assert_eq!(dated.kids(), written.kids());
    assert!(result(dated.rotate(&policy("ES256"), 0, NOW + PUBLIC_FOR - 1).unwrap()).is_err());
    let (current, _) = result(dated.rotate(&policy("ES256"), 0, NOW + PUBLIC_FOR).unwrap()).unwrap();
    assert_eq!(Some(current.as_str()), written.kids().1);
}

#[test]
fn a_change_of_the_algorithm_replaces_only_the_next_key() {
    let document = document(None, Some(NOW));
    let unchanged = result(document.align(&policy("ES256"), NOW).unwrap());
    assert_eq!(unchanged, Err("the keys match the settings"));
    let (current, next) = result(document.align(&policy(ALGORITHM_CHANGED), NOW).unwrap()).unwrap();
    let (before, replaced, _) = document.kids();
    assert_eq!(current, before);
    assert_ne!(Some(next.as_str()), replaced);
}

#[test]
fn a_compromised_key_is_dropped_from_its_place() {
    let mut text = key_document(&p256_pem());
    text["next"] = key_record(&p256_pem());
    text["next"]["public_since"] = json!(NOW - PUBLIC_FOR);
    text["previous"] = json!([key_record(&p256_pem())]);
    let document = Document::parse(&text.to_string()).unwrap();
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    let (current, next, previous) = (kid(&text["current"]), kid(&text["next"]), kid(&text["previous"][0]));
    // The dropped key, and the current key after it.
    for (dropped, signs) in [(&current, &next), (&next, &current), (&previous, &current)] {
        let rotated = document.drop_compromised(dropped, &policy("ES256"), NOW).unwrap();
        let Rotated::Changed(after) = rotated else { panic!("no change") };
        let (current, next, previous) = after.kids();
        assert_eq!(current, signs);
        assert!(next.is_some_and(|next| next != dropped) && !previous.contains(&dropped.as_str()));
        let week = 7 * 24 * 3_600 + 3_600;
        let listed = |document: &Document| -> Value {
            serde_json::from_str::<Value>(&document.to_text().unwrap()).unwrap()["dropped"].clone()
        };
        assert_eq!(listed(&after), json!([{"kid": dropped, "dropped_at": NOW, "leaves_at": NOW + week}]));
        // A rotation forgets the key once its last token has expired.
        for (later, is_listed) in [(week - 1, true), (week, false)] {
            let rotated = after.rotate(&policy("ES256"), 0, NOW + later).unwrap();
            let Rotated::Changed(rotated) = rotated else { panic!("no rotation") };
            assert_eq!(listed(&rotated).is_array(), is_listed, "{later}");
        }
    }
    let unknown = result(document.drop_compromised("unknown", &policy("ES256"), NOW).unwrap());
    assert_eq!(unknown, Err("the secret has no key with that kid"));
}

#[test]
fn the_kind_of_a_previous_public_key_decides_its_listed_algorithm() {
    let mut key = KeySet::parse(&p256_pem(), NOW).unwrap().current.jwk().clone();
    key.common.key_algorithm = None;
    let mut text = key_document(&p256_pem());
    text["previous"] = json!({"public_key": key, "leaves_at": NOW + 1});
    let states = Document::parse(&text.to_string()).unwrap().states(NOW);
    let previous: Vec<_> = states.iter().filter(|key| key.stage == Stage::Previous).collect();
    assert_eq!(previous.iter().map(|key| key.algorithm).collect::<Vec<_>>(), [SigningAlgorithm::Es256]);
    assert_eq!(Some(&previous[0].kid), key.common.key_id.as_ref());
}
