//! `src/consent.rs`: consents, and the rules of the consent page.

use countersign::consent::{Consent, Facts, Grant, MAX_CONSENTS, Owner, PageDue, Period};
use countersign::scope::Scope;

use testing::NOW;

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn consent(scopes: &str, until: Option<u64>) -> Consent {
    Consent {
        id: "id".to_owned(),
        name: "Old".to_owned(),
        scopes: scope(scopes),
        since: 5,
        until,
        used_on: Some(7),
        unseen: false,
    }
}

fn grant(found: Option<&Consent>, scopes: &str, period: Period) -> Option<Consent> {
    Consent::granted(found, Grant { name: "New", scope: &scope(scopes), period, is_seen: true }, NOW)
}

#[test]
fn s_818_each_rule_requires_the_page() {
    let (some, ended) = (consent("a b", Some(NOW + 1)), consent("a b", Some(NOW)));
    let unseen = Consent { unseen: true, ..some.clone() };
    // prompt=consent, first party, requested scope, native redirect, consent
    for (prompts, first_party, requested, native, found, due) in [
        (false, false, "a", false, Some(&some), None),
        (true, false, "a", false, Some(&some), Some(PageDue::Consent)),
        (true, true, "a", false, Some(&some), Some(PageDue::Consent)),
        (false, false, "a", false, Some(&ended), Some(PageDue::Consent)),
        (false, true, "a", false, Some(&ended), Some(PageDue::Consent)),
        (false, false, "a c", false, Some(&some), Some(PageDue::Consent)),
        (false, true, "a c", false, Some(&some), None),
        (false, false, "a", false, None, Some(PageDue::Consent)),
        (false, true, "a", false, None, None),
        (false, false, "a", false, Some(&unseen), Some(PageDue::Consent)),
        (false, true, "a", false, Some(&unseen), None),
        (false, false, "a", true, Some(&some), Some(PageDue::Interaction)),
        (false, true, "a", true, None, Some(PageDue::Interaction)),
        (false, false, "a c", true, Some(&some), Some(PageDue::Consent)),
    ] {
        let scope = scope(requested);
        let facts = Facts { prompts_consent: prompts, first_party, scope: &scope, is_native: native };
        assert_eq!(facts.page_due(found, NOW), due, "{prompts} {first_party} {requested} {native} {found:?}");
    }
}

#[test]
fn a_grant_unites_the_scopes_of_a_consent_that_has_not_ended() {
    let found = consent("a b", Some(NOW + 1));
    for (period, until) in
        [(Period::Keep, Some(NOW + 1)), (Period::Unlimited, None), (Period::Seconds(3_600), Some(NOW + 3_600))]
    {
        let granted = grant(Some(&found), "c b", period).unwrap();
        let expected = Consent { name: "New".to_owned(), scopes: scope("a b c"), until, ..found.clone() };
        assert_eq!(granted, expected);
    }
    assert_eq!(grant(Some(&found), "b", Period::Keep), Some(found), "nothing changes");
}

#[test]
fn s_818_a_consent_that_the_page_did_not_show_is_unseen_until_it_does() {
    let of = |found: Option<&Consent>, scopes: &str, is_seen: bool| {
        let period = Period::preselected(found, NOW);
        Consent::granted(found, Grant { name: "New", scope: &scope(scopes), period, is_seen }, NOW).unwrap()
    };
    let unseen = of(None, "a", false);
    assert!(unseen.unseen);
    assert_eq!(of(Some(&unseen), "a", false), unseen);
    let seen = of(Some(&unseen), "a", true);
    assert_eq!(seen, Consent { unseen: false, ..unseen.clone() });
    assert!(seen.is_revision_of(Some(&unseen)) && !seen.is_equivalent(&unseen));
    assert_eq!(of(Some(&seen), "a", false), seen);
    assert!(of(Some(&seen), "a b", false).unseen);
    assert!(!of(Some(&seen), "a b", true).unseen);
}

#[test]
fn s_821_a_grant_after_the_end_has_a_new_id_and_only_the_new_scopes() {
    let ended = consent("a b", Some(NOW));
    for found in [None, Some(&ended)] {
        let granted = grant(found, "c", Period::Unlimited).unwrap();
        assert!(granted.id != "id" && granted.id.len() == 11, "{}", granted.id);
        let expected =
            Consent { id: granted.id.clone(), since: NOW, used_on: None, name: "New".to_owned(), ..consent("c", None) };
        assert_eq!(granted, expected);
        assert_eq!(grant(found, "c", Period::Keep), None, "nothing to keep");
        assert_eq!(Period::preselected(found, NOW), Period::Unlimited);
    }
    assert_eq!(Period::preselected(Some(&consent("a", None)), NOW), Period::Keep);
    assert_eq!(ended.limited(Some(NOW + 100), NOW), None);
    assert_eq!(ended.limited(None, NOW), None);
    let limited = consent("a", None).limited(Some(NOW + 9), NOW);
    assert_eq!(limited, Some(consent("a", Some(NOW + 9))));
}

#[test]
fn a_consent_permits_logins_that_began_with_it_until_its_end() {
    let consent = consent("a", Some(NOW + 1));
    assert!(consent.permits("id", NOW) && !consent.permits("id", NOW + 1) && !consent.permits("other", NOW));
}

#[test]
fn the_page_offers_these_periods_only() {
    let values: Vec<_> = Period::OFFERED.iter().map(|period| period.value()).collect();
    assert_eq!(values, ["none", "3600", "86400", "2592000", "31536000"]);
    for value in values {
        assert_eq!(Period::parse(&value).unwrap().value(), value);
    }
    assert_eq!(Period::parse("keep"), Some(Period::Keep));
    for value in ["", "0", "3601", "03600", "+3600", "NONE", "keep "] {
        assert_eq!(Period::parse(value), None, "{value}");
    }
}

#[test]
fn a_use_is_written_once_a_day() {
    let day = NOW - NOW % 86_400;
    let mut consent = consent("a", None);
    assert_eq!(consent.use_to_write(NOW), Some(day));
    consent.used_on = Some(day);
    assert_eq!((consent.use_to_write(day), consent.use_to_write(day + 86_399)), (None, None));
    assert_eq!(consent.use_to_write(day + 86_400), Some(day + 86_400));
}

#[test]
fn a_user_allows_at_most_100_clients() {
    let mut owner = Owner::default();
    for number in 0..MAX_CONSENTS {
        assert!(!owner.is_full());
        owner.consents.insert(number.to_string(), consent("a", None));
    }
    assert!(owner.is_full());
}
