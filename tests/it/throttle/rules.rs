//! The pure rules of the throttle.

use std::collections::BTreeMap;
use std::net::IpAddr;

use countersign::throttle::{Attempts, Budget, Count, Lane, MAX_NETWORKS, Network, Subject, begin};

use testing::{NOW, TestApp};

const DAY: u64 = 86_400;

fn lane(failures: u64, last_at: u64) -> Lane {
    Lane { failures, last_at }
}

fn known(name: &str, lane: Lane) -> Attempts {
    Attempts { networks: BTreeMap::from([(name.to_owned(), lane)]), ..Attempts::default() }
}

#[test]
fn the_delay_doubles_after_the_free_attempts_up_to_the_longest() {
    let delays = |budget: Budget| (0..16).map(|failures| budget.delay(failures)).collect::<Vec<_>>();
    let by_default = [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600, 3_600];
    assert_eq!(delays(Budget::default()), by_default);
    assert_eq!(Budget::default().delay(u64::MAX), 3_600);
    assert_eq!(delays(Budget { free_attempts: 1, max_delay: 60 })[..4], [0, 30, 60, 60]);
    let longest = Budget { free_attempts: 20, max_delay: 86_400 };
    assert_eq!((longest.delay(19), longest.delay(20), longest.delay(31), longest.delay(32)), (0, 30, 61_440, 86_400));
    for budget in [Budget::default(), longest, Budget { free_attempts: 1, max_delay: 60 }] {
        let steps = budget.delays();
        assert!(steps.iter().all(|(failures, delay)| budget.delay(*failures) == *delay));
        assert_eq!(steps[0].0, u64::from(budget.free_attempts));
        assert_eq!(steps.iter().filter(|(_, delay)| *delay == u64::from(budget.max_delay)).count(), 1);
    }
}

/// The attacker guesses whenever a guess is allowed.
#[test]
fn an_attacker_gets_11_results_in_the_first_hour_34_in_the_first_day_and_then_24_a_day() {
    let (mut item, mut now, mut results) = (Attempts::default(), NOW, Vec::new());
    while now < NOW + 366 * DAY {
        match item.judge(None, Budget::default(), now) {
            Ok(place) => {
                item.common = Some(lane(place.failures() + 1, now));
                results.push(now - NOW);
            }
            Err(blocked) => now = blocked.until,
        }
    }
    let within = |from: u64, to: u64| results.iter().filter(|at| (from..to).contains(*at)).count();
    assert_eq!((within(0, 3_600), within(0, DAY)), (11, 34));
    assert_eq!((within(DAY, 2 * DAY), within(100 * DAY, 101 * DAY)), (24, 24));
    assert_eq!(within(0, 365 * DAY), 34 + 364 * 24);
}

#[test]
fn a_lane_counts_unless_it_is_quiet_or_ahead_of_the_clock() {
    for (last_at, is_blocked) in [
        (NOW, true),
        (NOW + 60, true),
        (NOW + 61, false),
        (NOW - 3_599, true),
        (NOW - 3_600, false),
        (NOW - DAY, false),
        (0, false),
        (u64::MAX, false),
    ] {
        let item = Attempts { common: Some(lane(100, last_at)), ..Attempts::default() };
        assert_eq!(item.judge(None, Budget::default(), NOW).is_err(), is_blocked, "{last_at}");
    }
    let place = |last_at| Attempts { common: Some(lane(4, last_at)), ..Attempts::default() }.place(None, NOW);
    assert_eq!(place(NOW - DAY + 1).failures(), 4);
    assert_eq!(place(NOW - DAY).failures(), 0);
}

#[test]
fn a_network_is_known_for_90_days_unless_it_fails_10_times() {
    for (failures, last_at, is_known) in [
        (0, NOW, true),
        (9, NOW, true),
        (10, NOW, false),
        (0, NOW - 90 * DAY + 1, true),
        (0, NOW - 90 * DAY, false),
        (9, NOW - 2 * DAY, true),
        (10, NOW - 2 * DAY, false),
        (0, NOW + 61, false),
    ] {
        let item = known("n:1", lane(failures, last_at));
        assert_eq!(item.place(Some("n:1"), NOW).name() == "known", is_known, "{failures} {last_at}");
        assert_eq!(item.place(Some("n:2"), NOW).name(), "common");
        assert_eq!(item.place(None, NOW).name(), "common");
    }
}

#[test]
fn s_307_a_known_network_has_a_budget_of_its_own() {
    let mut item = known("n:1", lane(0, NOW));
    item.common = Some(lane(50, NOW));
    assert!(item.judge(None, Budget::default(), NOW).is_err());
    assert!(item.judge(Some("n:2"), Budget::default(), NOW).is_err());
    assert!(item.judge(Some("n:1"), Budget::default(), NOW).is_ok());
    item.networks.insert("n:1".to_owned(), lane(5, NOW));
    assert_eq!(item.judge(Some("n:1"), Budget::default(), NOW).unwrap_err().until, NOW + 30);
}

#[test]
fn s_607_an_item_has_at_most_eight_networks() {
    let mut item = Attempts::default();
    for number in 0..20 {
        let name = format!("n:{number:02}");
        let place = item.place(Some(&name), NOW + number);
        let count = Count::of(&item, place, (Some(&name), true), NOW + number);
        assert_eq!(count.new_network.as_deref(), Some(name.as_str()));
        assert_eq!(count.expires_at, NOW + number + 90 * DAY);
        for removed in &count.removed {
            item.networks.remove(removed).unwrap();
        }
        item.networks.insert(name, lane(0, NOW + number));
        assert!(item.networks.len() <= MAX_NETWORKS);
    }
    assert_eq!(item.networks.keys().next().unwrap(), "n:12", "the oldest are removed");

    // Simultaneous logins may have added more. A network that is not known any more is removed before the others.
    item.networks.insert("n:98".to_owned(), lane(10, NOW + 30));
    item.networks.insert("n:99".to_owned(), lane(0, NOW + 30));
    let count = Count::of(&item, item.place(None, NOW + 30), (None, false), NOW + 30);
    assert_eq!(count.removed, ["n:98", "n:12"]);
    let own = item.place(Some("n:12"), NOW + 30);
    assert_eq!(Count::of(&item, own, (Some("n:12"), false), NOW + 30).removed, ["n:98", "n:13"]);
}

#[test]
fn an_item_without_networks_expires_after_a_day() {
    let item = Attempts::default();
    let wrong = Count::of(&item, item.place(Some("n:1"), NOW), (Some("n:1"), false), NOW);
    assert_eq!((wrong.new_network, wrong.expires_at), (None, NOW + DAY));
    let other = Count::of(&item, item.place(None, NOW), (None, false), NOW);
    assert_ne!(wrong.by, other.by);
}

#[test]
fn a_network_is_the_24_of_an_ipv4_address_or_the_64_of_an_ipv6_address() {
    let network = |address: &str| Network::from(address.parse::<IpAddr>().unwrap());
    assert_eq!(network("203.0.113.7"), network("203.0.113.255"));
    assert_eq!(network("203.0.113.7"), network("::ffff:203.0.113.99"));
    assert_ne!(network("203.0.113.7"), network("203.0.112.7"));
    assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff::2"));
    assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
    let name = network("203.0.113.7").attribute("attempts#a");
    assert!(name.len() == 18 && name.starts_with("n:") && name[2..].bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_ne!(name, network("203.0.113.7").attribute("attempts#b"));
}

#[test]
fn the_key_of_an_item_is_a_hash_of_its_subject() {
    assert_eq!(Subject::account("a").item_id().len(), "attempts#".len() + 43);
    assert_ne!(Subject::account("a").item_id(), Subject::client("a").item_id());
    assert_ne!(Subject::account("a").item_id(), Subject::account("b").item_id());
}

#[tokio::test]
async fn s_607_a_process_remembers_at_most_1024_blocks() {
    let test = TestApp::start().await;
    let blocked = Attempts { common: Some(lane(5, NOW)), ..Attempts::default() };
    let subjects: Vec<_> = (0..10_000).map(|number| Subject::account(&format!("user-{number}"))).collect();
    for subject in &subjects {
        assert!(begin(&test.app, subject.clone(), None, Ok(blocked.clone())).is_err());
    }
    let remembered: Vec<_> = subjects.iter().map(|subject| test.app.throttle.remembers(subject, NOW)).collect();
    assert_eq!(remembered.iter().filter(|is_remembered| **is_remembered).count(), 1_024);
    assert!(remembered[10_000 - 1_024..].iter().all(|is_remembered| *is_remembered), "the oldest are forgotten");
    let last = subjects.last().unwrap();
    assert!(test.app.throttle.remembers(last, NOW + 29) && !test.app.throttle.remembers(last, NOW + 30));
    assert!(!test.app.throttle.remembers(last, NOW - 86_400), "an entry from before a clock step does not count");
}
