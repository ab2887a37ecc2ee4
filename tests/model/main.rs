//! An exhaustive model of logins and refresh tokens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by it"
)]

mod design;
mod service;
mod state;
mod world;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::thread::available_parallelism;

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::design::Design;
use crate::state::{Budget, Copied, Sender, Write};
use crate::world::{
    ACTIVE, Action, CAUSE, CONSUMES, END_IS_FINAL, GOES_ON, NO_ROTATION, NOT_ENDED, OLD, REPLAY_ENDS, SUCCESSOR, World,
};

const GRACE: u32 = 10;
const NOTHING: Budget = Budget { client: 0, thief: 0, faults: 0, passes: 0, back: false, forward: false, ends: 0 };

/// Explores the states of a world until it is done, or the properties are decided.
fn check(world: World, finish: HasDiscoveries) -> impl Checker<World> {
    let threads = available_parallelism().map_or(2, usize::from);
    world.checker().threads(threads).finish_when(finish).spawn_bfs().join()
}

/// Asserts that every state of the built design keeps every promise, and returns the number of states.
fn explore(name: &str, grace: u32, left: Budget) -> usize {
    let checker = check(World { design: Design::Built, grace, left }, HasDiscoveries::AnyFailures);
    checker.assert_properties();
    let states = checker.unique_state_count();
    // `eprintln!` would be captured by the test harness.
    writeln!(std::io::stderr(), "{name}: {states} states").unwrap();
    states
}

#[test]
fn the_built_design_keeps_every_promise() {
    let mut states = 0;
    for (name, grace, left) in [
        ("a client by itself", GRACE, Budget { client: 4, faults: 2, passes: 1, ..NOTHING }),
        ("a client by itself, no grace", 0, Budget { client: 4, faults: 3, passes: 1, ..NOTHING }),
        ("a clock that steps back", GRACE, Budget { client: 4, faults: 2, passes: 1, back: true, ..NOTHING }),
        ("an operator", GRACE, Budget { client: 3, faults: 2, ends: 2, ..NOTHING }),
        ("a thief", GRACE, Budget { client: 2, thief: 2, faults: 2, passes: 1, ..NOTHING }),
        ("everything", GRACE, Budget { client: 2, thief: 1, faults: 2, passes: 1, back: true, forward: true, ends: 1 }),
    ] {
        states += explore(name, grace, left);
    }
    writeln!(std::io::stderr(), "in all: {states} states").unwrap();
}

/// Returns true if the checker finds a state that breaks the promise.
fn breaks(world: World, promise: &'static str) -> bool {
    check(world, HasDiscoveries::AnyOf(BTreeSet::from([promise]))).discovery(promise).is_some()
}

/// Asserts that the steps are possible in the design, and that the last of them breaks the promise.
fn assert_counterexample(world: World, promise: &'static str, story: &[Action]) {
    let start = world.init_states().remove(0);
    let path = Path::from_actions(&world, start, story).expect("the story is not possible");
    let broken = |state| {
        let properties = world.properties();
        let property = properties.iter().find(|property| property.name == promise).unwrap();
        !(property.condition)(&world, state)
    };
    let states = path.into_states();
    let (last, before) = states.split_last().unwrap();
    assert!(broken(last) && !before.iter().any(broken), "{promise}: {last:#?}");
    assert!(breaks(world, promise), "the checker does not find it: {promise}");
}

const LOG_IN: [Action; 4] = [Action::LogIn, Action::ReadUser(1), Action::Write(1), Action::Respond(1)];

/// A slow read of the client, then a read of the user that hangs: the deadline drops the request after its rotation.
#[test]
fn before_an_outage_cost_a_login() {
    let left = Budget { client: 2, faults: 1, passes: 1, ..NOTHING };
    let rest = [
        Action::Refresh(Sender::Client, 0),
        Action::ReadFamily(1),
        Action::Write(1),
        Action::Drop(1),
        Action::Pass,
        Action::Refresh(Sender::Client, 0),
        Action::ReadFamily(1),
        Action::Write(1),
    ];
    let story = [&LOG_IN[..], &rest].concat();
    assert_counterexample(World { design: Design::Before, grace: GRACE, left }, NOT_ENDED, &story);
    // The request consumed the token before it was dropped.
    let consumed = &story[..LOG_IN.len() + 4];
    assert_counterexample(World { design: Design::Before, grace: GRACE, left }, CONSUMES, consumed);
    explore("the same in the built design", GRACE, left);
}

/// The response to a rotation is lost, and its successor is used before the SDK sends the rotation again.
#[test]
fn before_its_own_resend_was_a_replay() {
    let left = Budget { client: 3, faults: 1, ..NOTHING };
    let rotation = Copied { by: 1, write: Write::Rotate { used: 0, now: state::START } };
    let rest = [
        Action::Refresh(Sender::Client, 0),
        Action::ReadFamily(1),
        Action::Delay(1),
        Action::Arrive(rotation),
        // A second tab gets the successor, and uses it.
        Action::Refresh(Sender::Client, 0),
        Action::ReadFamily(2),
        Action::ReadUser(2),
        Action::Respond(2),
        Action::Refresh(Sender::Client, 1),
        Action::ReadFamily(2),
        Action::Write(2),
        // The SDK sends the rotation again: its condition fails, and the family is ended.
        Action::Write(1),
        Action::Write(1),
    ];
    let story = [&LOG_IN[..], &rest].concat();
    assert_counterexample(World { design: Design::Before, grace: GRACE, left }, NOT_ENDED, &story);
    explore("the same in the built design", GRACE, left);
}

#[test]
fn each_promise_is_broken_by_a_design() {
    let client = Budget { client: 3, faults: 2, passes: 1, ..NOTHING };
    let thief = Budget { client: 2, thief: 1, faults: 1, passes: 1, ..NOTHING };
    let operator = Budget { client: 2, faults: 2, ends: 1, ..NOTHING };
    let back = Budget { back: true, ..client };
    let mut broken = BTreeSet::new();
    for (design, grace, left, promise) in [
        (Design::RotatesBeforeTheUserIsRead, GRACE, client, CONSUMES),
        (Design::RotatesBeforeTheUserIsRead, GRACE, client, NOT_ENDED),
        (Design::RotatesBeforeTheUserIsRead, GRACE, client, GOES_ON),
        (Design::EndsTheFamilyAfterALostRotation, GRACE, client, NOT_ENDED),
        (Design::IgnoresItsOwnWrite, 0, client, CAUSE),
        (Design::AcceptsItsOwnRevokedWrite, GRACE, operator, END_IS_FINAL),
        (Design::RotatesRevokedFamilies, GRACE, operator, NO_ROTATION),
        (Design::RotatesAnyGeneration, GRACE, client, ACTIVE),
        (Design::OverwritesTheFamily, GRACE, client, ACTIVE),
        (Design::IgnoresLogOut, GRACE, operator, END_IS_FINAL),
        (Design::IgnoresLogOut, GRACE, operator, NO_ROTATION),
        (Design::OnlyRejectsReplays, GRACE, thief, REPLAY_ENDS),
        (Design::AcceptsEveryUsedToken, GRACE, thief, OLD),
        (Design::IgnoresTheClockBehind, GRACE, back, NOT_ENDED),
        (Design::RotatesForRetries, GRACE, client, SUCCESSOR),
        (Design::RespondsBeforeTheWrite, GRACE, client, SUCCESSOR),
    ] {
        let world = World { design, grace, left };
        assert!(breaks(world, promise), "{design:?} keeps: {promise}");
        broken.insert(promise);
    }
    let world = World { design: Design::Built, grace: GRACE, left: NOTHING };
    assert_eq!(broken, world.properties().iter().map(|property| property.name).collect());
}
