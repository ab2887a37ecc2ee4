//! An exhaustive model of guesses at one account, in two processes.
//!
//! Every read and every count is a step, in the order of `src/throttle/attempt.rs`. [`Attempts::judge`] and [`Budget`] are
//! the functions of the service. The condition of the count is `Attempts::judge`, too; `tests/it/throttle/condition.rs`
//! compares it with the expression of DynamoDB. The memory of blocks is written a second time.
//!
//! [`Attempts::judge`]: countersign::throttle::Attempts::judge

mod design;
mod state;
mod world;

use std::collections::BTreeSet;

use countersign::throttle::Budget;

use self::design::Design;
pub use self::world::World;
use self::world::{BUDGET, CAUSE, COUNTED, Left, ONCE};
use crate::{assert_documented, breaks, explore, print};

const BUILT: World = World {
    design: Design::Built,
    budget: Budget { free_attempts: 1, max_delay: 60 },
    left: Left { guesses: 3, right: 1, home: 0, faults: 0, delays: 0, unlocks: 0 },
};

const fn world(free_attempts: u32, left: Left) -> World {
    World { budget: Budget { free_attempts, ..BUILT.budget }, left, ..BUILT }
}

/// The explored worlds.
const WORLDS: [(&str, World); 5] = [
    ("guesses and faults, one free attempt", world(1, Left { faults: 2, ..BUILT.left })),
    ("guesses and faults, two free attempts", world(2, Left { faults: 2, ..BUILT.left })),
    ("guesses and delays", world(1, Left { guesses: 4, right: 2, delays: 3, ..BUILT.left })),
    ("guesses, and logins from a known network", world(1, Left { home: 1, delays: 1, ..BUILT.left })),
    ("guesses and an operator", world(2, Left { faults: 1, delays: 1, unlocks: 1, ..BUILT.left })),
];

#[test]
fn s_305_no_order_of_events_gives_more_results_than_the_budget() {
    let states: usize = WORLDS.into_iter().map(|(name, world)| explore(name, world)).sum();
    print(&format!("in total: {states} states of guesses\n"));
    assert_documented(states);
}

#[test]
fn each_promise_about_guesses_is_broken_by_a_design() {
    let faults = Left { faults: 1, ..BUILT.left };
    let delays = Left { delays: 3, ..BUILT.left };
    let home = Left { home: 1, ..BUILT.left };
    let mut broken = BTreeSet::new();
    for (design, free_attempts, left, promise) in [
        (Design::OnlyReadsAgainIfRight, 1, BUILT.left, COUNTED),
        (Design::OnlyReadsAgainIfRight, 2, BUILT.left, BUDGET),
        (Design::RespondsBeforeTheCount, 1, BUILT.left, COUNTED),
        (Design::RespondsBeforeTheCount, 1, BUILT.left, BUDGET),
        (Design::CountsWithoutACondition, 1, BUILT.left, BUDGET),
        (Design::StoresWhatItRead, 2, BUILT.left, BUDGET),
        (Design::RespondsIfTheCountFails, 1, faults, COUNTED),
        (Design::RespondsIfTheCountFails, 1, faults, BUDGET),
        (Design::RespondsIfRightAndRejected, 1, BUILT.left, COUNTED),
        (Design::RespondsIfRightAndRejected, 1, BUILT.left, BUDGET),
        (Design::IgnoresItsOwnCount, 2, faults, ONCE),
        (Design::IgnoresItsOwnCount, 1, faults, ONCE),
        (Design::RemembersBlocksTooLong, 1, delays, CAUSE),
        (Design::KnowsNoNetwork, 1, home, CAUSE),
        (Design::SuccessEndsEveryBlock, 1, home, BUDGET),
    ] {
        let world = World { design, ..world(free_attempts, left) };
        assert!(breaks(world, promise), "{design:?} keeps: {promise}");
        broken.insert(promise);
    }
    assert_eq!(broken, BTreeSet::from([BUDGET, CAUSE, COUNTED, ONCE]));
}
