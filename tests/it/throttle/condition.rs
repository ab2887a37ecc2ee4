//! The condition of the count in DynamoDB accepts an attempt if and only if the pure function does.

use std::collections::BTreeMap;

use countersign::store::Counted;
use countersign::throttle::{Attempts, Budget, Count, Lane, NETWORK_FAILURES, Place};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::properties::check;
use testing::{NOW, TestApp};

const ID: &str = "attempts#a";
const NETWORK: &str = "n:0123456789abcdef";

/// Returns lanes at and around all limits.
fn lanes() -> impl Strategy<Value = Option<Lane>> {
    let failures = prop_oneof![0..15_u64, 18..22_u64, Just((1 << 53) - 1)];
    let ages = prop::sample::select(vec![
        -86_400,
        -61,
        -60,
        -1,
        0,
        1,
        29,
        30,
        31,
        59,
        60,
        61,
        120,
        240,
        480,
        960,
        1_919,
        1_920,
        3_599,
        3_600,
        86_399,
        86_400,
        90 * 86_400 - 1,
        90 * 86_400,
    ]);
    let ages = prop_oneof![ages, -100..100_000_i64];
    let lane =
        (failures, ages).prop_map(|(failures, age)| Lane { failures, last_at: NOW.checked_add_signed(-age).unwrap() });
    prop::option::weighted(0.9, lane)
}

fn put(test: &TestApp, item: &Attempts) {
    let plain = |lane: &Lane| json!({"failures": lane.failures, "last_at": lane.last_at});
    let mut stored = item.common.as_ref().map_or(json!({}), plain);
    for (name, lane) in &item.networks {
        stored[name] = plain(lane);
    }
    stored["id"] = json!(ID);
    test.cloud.put("GrantsTable", &stored).unwrap();
}

/// Returns true if DynamoDB counts an attempt in this lane. The item is as before afterwards.
async fn counts(test: &TestApp, item: &Attempts, place: Place, (is_right, budget): (bool, Budget)) -> bool {
    put(test, item);
    let network = place.network.clone();
    let count = Count::of(item, place, (network.as_deref(), is_right), NOW);
    match test.app.store.count_attempt(ID, &count, budget).await.unwrap() {
        Counted::Changed(found) => {
            assert_eq!(found, *item);
            false
        }
        Counted::Counted { failures } => {
            let before = count.place.failures();
            assert_eq!(failures, if is_right { 0 } else { before + 1 });
            let stored = test.app.store.attempts(ID).await.unwrap();
            let lane = Lane { failures, last_at: NOW };
            let expected = match network {
                Some(name) => Attempts { networks: BTreeMap::from([(name, lane)]), ..item.clone() },
                None => Attempts { common: Some(lane), ..item.clone() },
            };
            assert_eq!(stored, Attempts { by: Some(count.by), ..expected });
            true
        }
    }
}

#[test]
fn the_condition_accepts_what_the_pure_function_allows() {
    let budgets = prop::sample::select(vec![(5, 3_600), (1, 60), (20, 86_400), (3, 1_000)]);
    check(600, (lanes(), lanes(), any::<(bool, bool)>(), budgets), async |test, input| {
        let (common, network, (is_right, from_network), (free_attempts, max_delay)) = input;
        let budget = Budget { free_attempts, max_delay };
        let networks = network.map(|lane| (NETWORK.to_owned(), lane)).into_iter().collect();
        let item = Attempts { common, networks, by: None };
        let attribute = from_network.then_some(NETWORK);
        let place = item.place(attribute, NOW);
        let allowed = item.judge(attribute, budget, NOW).ok();
        // The count of a guess by a process that has read another state: a current lane, or none.
        let lane = if place.network.is_some() { network } else { common };
        let stale = Place { lane: None, ..place.clone() };
        let current = Place { lane, ..place.clone() };
        let is_current = place.lane.is_some();
        let (by_current, by_stale) = match lane {
            Some(_) => (
                counts(test, &item, current, (is_right, budget)).await,
                counts(test, &item, stale, (is_right, budget)).await,
            ),
            None => (false, counts(test, &item, stale, (is_right, budget)).await),
        };
        prop_assert_eq!(by_stale, !is_current);
        if is_current {
            prop_assert_eq!(by_current, allowed.is_some());
        } else {
            prop_assert!(allowed.is_some());
        }
        Ok(())
    });
}

/// Between the read and the count, other processes changed the item in any way.
#[test]
fn s_305_a_count_never_counts_in_a_lane_that_is_blocked_meanwhile() {
    check(200, ([lanes(), lanes()], [lanes(), lanes()], any::<(bool, bool)>()), async |test, input| {
        let ([read, read_network], [found, found_network], (is_right, from_network)) = input;
        let item = |common, network: Option<Lane>| {
            let networks = network.map(|lane| (NETWORK.to_owned(), lane)).into_iter().collect();
            Attempts { common, networks, by: None }
        };
        let (read, attribute) = (item(read, read_network), from_network.then_some(NETWORK));
        let Ok(place) = read.judge(attribute, Budget::default(), NOW) else { return Ok(()) };
        let (lane, is_known) = match &place.network {
            Some(_) => (found_network, found_network.is_some_and(|lane| lane.failures < NETWORK_FAILURES)),
            None => (found, true),
        };
        let is_blocked = item(lane, None).judge(None, Budget::default(), NOW).is_err();
        put(test, &item(found, found_network));
        let count = Count::of(&read, place, (attribute, is_right), NOW);
        let counted = test.app.store.count_attempt(ID, &count, Budget::default()).await.unwrap();
        prop_assert!(matches!(counted, Counted::Changed(_)) || is_known && !is_blocked, "{:?}", counted);
        Ok(())
    });
}

#[tokio::test]
async fn s_706_a_count_that_is_sent_twice_counts_once() {
    let test = TestApp::start().await;
    for (is_right, failures) in [(false, 1), (false, 2), (true, 0), (true, 0)] {
        let item = test.app.store.attempts(ID).await.unwrap();
        let count = Count::of(&item, item.place(None, NOW), (None, is_right), NOW);
        for _ in 0..2 {
            let counted = test.app.store.count_attempt(ID, &count, Budget::default()).await.unwrap();
            assert!(matches!(counted, Counted::Counted { failures: found } if found == failures), "{counted:?}");
        }
    }
}

#[tokio::test]
async fn an_item_is_stored_with_its_lanes_and_its_expiry() {
    let test = TestApp::start().await;
    let stored = || test.cloud.item("GrantsTable", &json!({"id": ID})).unwrap().unwrap();
    let item = Attempts::default();
    let wrong = Count::of(&item, item.place(Some(NETWORK), NOW), (Some(NETWORK), false), NOW);
    test.app.store.count_attempt(ID, &wrong, Budget::default()).await.unwrap();
    let number = |number: u64| json!({"N": number.to_string()});
    let mut expected = json!({
        "id": {"S": ID}, "failures": number(1), "last_at": number(NOW), "by": {"S": wrong.by},
        "expires_at": number(NOW + 86_400),
    });
    assert_eq!(stored(), expected);

    let item = test.app.store.attempts(ID).await.unwrap();
    let right = Count::of(&item, item.place(Some(NETWORK), NOW + 1), (Some(NETWORK), true), NOW + 1);
    test.app.store.count_attempt(ID, &right, Budget::default()).await.unwrap();
    let changes = json!({
        "failures": number(0), "last_at": number(NOW + 1), "by": {"S": right.by},
        "expires_at": number(NOW + 1 + 90 * 86_400),
        NETWORK: {"M": {"failures": number(0), "last_at": number(NOW + 1)}},
    });
    for (name, value) in changes.as_object().unwrap() {
        expected[name] = Value::clone(value);
    }
    assert_eq!(stored(), expected);
}

/// The longest condition that the settings allow.
#[tokio::test]
async fn the_expressions_stay_within_the_limit_of_dynamodb() {
    let test = TestApp::start().await;
    let budget = Budget { free_attempts: 1, max_delay: 86_400 };
    assert!(budget.delays().len() < 16, "each delay adds at most 60 bytes to the condition, whose limit is 4 KB");
    let networks = (0..30).map(|number| (format!("n:{number:016}"), Lane { failures: 0, last_at: NOW })).collect();
    let item = Attempts { common: Some(Lane { failures: 0, last_at: NOW }), networks, by: None };
    put(&test, &item);
    let count = Count::of(&item, item.place(None, NOW), (Some(NETWORK), true), NOW);
    test.app.store.count_attempt(ID, &count, budget).await.unwrap();
    assert_eq!(test.app.store.attempts(ID).await.unwrap().networks.len(), 8);
}
