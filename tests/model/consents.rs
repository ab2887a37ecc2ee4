//! An exhaustive model of the consent of a user for a client: grants, end dates, removals, and the logins by code that
//! depend on the consent.
//!
//! The steps follow `src/http/browser/{authorize,issue,account}.rs` and `src/grant/`. The decisions call the functions of
//! the service: `Consent::granted`, `Consent::limited`, `Facts::page_due`, `Family::standing` and `Family::valid_user`. The
//! conditions of the writes are a second time in `state.rs`; `tests/it/store/owners.rs` compares them with the expressions
//! of DynamoDB. A removal by an operator is the same write as that of the user.

mod design;
mod records;
mod service;
mod state;
mod world;

use std::collections::BTreeSet;

use stateright::Model;

use self::design::Design;
pub use self::world::World;
use self::world::{AGAIN, ENDED, Left, ONLY_READ, QUIET, REMOVED, REMOVES, SHOWN, STALE};
use crate::{assert_documented, breaks, explore, print};

const NOTHING: Left = Left { codes: 0, uses: 0, removals: 0, limits: 0, faults: 0, passes: false };

const fn world(has_consent: bool, left: Left) -> World {
    World { design: Design::Built, left, has_consent }
}

/// The explored worlds.
const WORLDS: [(&str, World); 4] = [
    ("a removal", world(false, Left { codes: 2, uses: 1, removals: 1, faults: 1, ..NOTHING })),
    ("a removal of a used consent", world(true, Left { codes: 1, uses: 2, removals: 1, faults: 1, ..NOTHING })),
    ("end dates", world(true, Left { codes: 1, limits: 2, faults: 1, passes: true, ..NOTHING })),
    ("an end date", world(true, Left { codes: 2, uses: 1, limits: 1, passes: true, ..NOTHING })),
];

#[test]
fn s_822_no_order_of_events_gives_a_removed_client_tokens() {
    let states: usize = WORLDS.into_iter().map(|(name, world)| explore(name, world)).sum();
    print(&format!("in total: {states} states of consents\n"));
    assert_documented(states);
}

#[test]
fn each_promise_about_consents_is_broken_by_a_design() {
    let removal = world(false, Left { codes: 2, uses: 1, removals: 1, faults: 1, ..NOTHING });
    let end = world(true, Left { codes: 2, uses: 1, limits: 1, passes: true, ..NOTHING });
    let limits = world(true, Left { codes: 1, uses: 2, limits: 2, faults: 1, ..NOTHING });
    let unseen = world(false, Left { codes: 2, limits: 1, ..NOTHING });
    let mut broken = BTreeSet::new();
    for (design, world, promise) in [
        (Design::ComparesOnlyTheConsent, removal, STALE),
        (Design::ComparesOnlyTheConsent, removal, REMOVED),
        (Design::ComparesOnlyTheConsent, limits, STALE),
        (Design::ComparesOnlyTheId, limits, SHOWN),
        (Design::RemovesAnyConsent, removal, ONLY_READ),
        (Design::RespondsBeforeTheRemoval, removal, REMOVES),
        (Design::RespondsBeforeTheRemoval, removal, REMOVED),
        (Design::KeepsTheIdOfAnEndedConsent, end, ENDED),
        (Design::GrantsTheSameId, removal, AGAIN),
        (Design::IgnoresTheConsent, removal, REMOVED),
        (Design::IgnoresTheConsent, end, ENDED),
        (Design::AcceptsAnyConsent, removal, AGAIN),
        (Design::IgnoresTheEndDate, end, ENDED),
        (Design::UseStoresTheConsent, limits, STALE),
        (Design::SelectsThePeriodOnce, unseen, QUIET),
    ] {
        assert!(breaks(World { design, ..world }, promise), "{design:?} keeps: {promise}");
        broken.insert(promise);
    }
    assert_eq!(broken, removal.properties().iter().map(|property| property.name).collect());
}
