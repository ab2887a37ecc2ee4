//! An exhaustive model of logins and refresh tokens: every order of events, within bounds, explored by `stateright`.
//!
//! | file | contents |
//! |---|---|
//! | `world.rs` | the events, and the properties that must hold in every state |
//! | `service.rs` | the steps of a request |
//! | `state.rs` | the state, and the store with its conditional writes |
//! | `design.rs` | the built design, the design before it, and mutants |
//!
//! Each call to the store is a step. Up to three requests run simultaneously, each in an execution environment of its own.
//! `docs/security.md` says what the model proves and what it does not.
//!
//! # How the model is bound to the code
//!
//! - Every judgement is the service's: `Family::standing` and `Family::after_lost_rotation`.
//! - The condition of the rotation is `Family::standing`, too. `tests/it/conditional_writes.rs` compares it, and the effect
//!   of each write, with what DynamoDB's expressions do.
//! - The order of the steps is written a second time, in `service.rs`. It has to follow `src/grant/`.
//!
//! # What the client does
//!
//! It keeps the newest token, which its tabs share, and may send it in several requests. A request reaches the function
//! before the client uses a newer token. If a response is lost, the client tries again within the grace.
//!
//! # How to extend it
//!
//! - A new call to the store is a new [`Write`](state::Write), or a new [`Phase`](state::Phase) if it is a read. If the
//!   write has a condition, put the judgement into a pure function of the service, call that function here, and compare it
//!   with the expression in `tests/it/conditional_writes.rs`.
//! - A new promise is a property in `world.rs` and at least one mutant in `design.rs` that breaks it: a promise without a
//!   mutant fails `each_promise_is_broken_by_a_design`.
//! - Counted guesses: the item is one more part of the state, its conditional update one more write. The promise is that
//!   no more guesses get a result than the budget allows.
//! - Authorization codes: a code is a token that begins the family. Its second use ends the family.
//! - The revocation endpoint: a request with the phases read and write. `Action::Revoke` then is its write.
//! - Add a world to [`WORLDS`] instead of adding to "everything": the number of states multiplies.

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

/// Prints a line. The test harness would capture it from `eprintln!`.
fn print(line: &str) {
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Asserts that every state of the built design keeps every promise, and returns the number of states.
fn explore(name: &str, grace: u32, left: Budget) -> usize {
    let checker = check(World { design: Design::Built, grace, left }, HasDiscoveries::AnyFailures);
    checker.assert_properties();
    let states = checker.unique_state_count();
    print(&format!("{name}: {states} states\n"));
    states
}

/// The worlds that are explored: their names, the grace in seconds, and what may happen.
const WORLDS: [(&str, u32, Budget); 6] = [
    ("a client by itself", GRACE, Budget { client: 4, faults: 2, passes: 1, ..NOTHING }),
    ("a client by itself, no grace", 0, Budget { client: 4, faults: 3, passes: 1, ..NOTHING }),
    ("a clock that steps back", GRACE, Budget { client: 4, faults: 2, passes: 1, back: true, ..NOTHING }),
    ("an operator", GRACE, Budget { client: 3, faults: 2, ends: 2, ..NOTHING }),
    ("a thief", GRACE, Budget { client: 2, thief: 2, faults: 2, passes: 1, ..NOTHING }),
    ("everything", GRACE, Budget { client: 2, thief: 1, faults: 2, passes: 1, back: true, forward: true, ends: 1 }),
];

#[test]
fn the_built_design_keeps_every_promise() {
    let states: usize = WORLDS.into_iter().map(|(name, grace, left)| explore(name, grace, left)).sum();
    print(&format!("in all: {states} states\n"));
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md");
    let page = std::fs::read_to_string(page).unwrap().replace(',', "");
    let words: Vec<_> = page.split_whitespace().collect();
    let quoted = words.windows(2).any(|pair| pair == [states.to_string().as_str(), "states"]);
    assert!(quoted, "docs/security.md names another number of states than {states}");
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
