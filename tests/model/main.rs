//! Exhaustive models of logins, refresh tokens, consents and guesses. `stateright` explores every order of events, within bounds.
//!
//! | file | contents |
//! |---|---|
//! | `world.rs` | the events, and the properties that must hold in every state |
//! | `service.rs` | the steps of a request |
//! | `state.rs` | the state, and the store with its conditional writes |
//! | `design.rs` | the built design, the design before it, and mutants |
//! | `guesses.rs` | a model of guesses, which has a state of its own |
//! | `codes.rs` | a model of exchanges of one code |
//! | `consents.rs` | a model of grants, end dates and removals of a consent |
//!
//! Each call to the store is a step. Up to three requests run simultaneously, each in a separate execution environment.
//! `docs/security.md` says what the model proves and what it does not.
//!
//! # How the model is bound to the code
//!
//! - Every decision calls a function of the service: `Family::standing`, `Family::end` or `Family::after_lost_rotation`.
//! - The condition of the rotation is `Family::standing`, too. `tests/it/store/conditional_writes.rs` compares it, and the
//!   effect of each write, with the expressions of DynamoDB.
//! - The order of the steps is written a second time, in `service.rs`. It has to follow `src/grant/`
//!   and `src/http/oauth/`.
//!
//! # The client
//!
//! It keeps the newest token, which its tabs share, and may send it in several requests. A request reaches the function
//! before the client uses a newer token. If a response is lost, the client tries again within the grace.
//!
//! # How to extend it
//!
//! - A new call to the store is a new [`Write`](state::Write), or a new [`Phase`](state::Phase) if it is a read. If the
//!   write has a condition, put the decision into a pure function of the service, call that function here, and compare it
//!   with the expression in `tests/it/store/conditional_writes.rs`.
//! - A new promise is a property in `world.rs` and at least one mutant in `design.rs` that breaks it: a promise without a
//!   mutant fails `each_promise_is_broken_by_a_design`.
//! - Add a world to [`WORLDS`] instead of adding to "everything": the number of states multiplies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a panic fails the test"
)]

mod codes;
mod consents;
mod design;
mod guesses;
mod service;
mod state;
mod world;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::io::Write as _;
use std::thread::available_parallelism;

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::design::Design;
use crate::state::{Budget, Copied, Sender, Write};
use crate::world::{
    ACTIVE, Action, CAUSE, CONSUMES, CONTINUES, END_IS_FINAL, INACTIVE, NO_ROTATION, NOT_ENDED, OLD, REPLAY_ENDS,
    SUCCESSOR, World,
};

const GRACE: u32 = 10;
const NOTHING: Budget = Budget {
    client: 0,
    attacker: 0,
    revocations: 0,
    introspections: 0,
    faults: 0,
    graces: 0,
    back: false,
    forward: false,
    ends: 0,
};

/// A model that the checker can explore in several threads.
trait Explorable:
    Model<Action: Clone + Debug + PartialEq, State: Clone + Debug + Hash + PartialEq + Send + Sync> + Send + Sync + 'static
{
}

impl Explorable for World {}
impl Explorable for consents::World {}
impl Explorable for guesses::World {}

/// Explores all states of a world, or fewer if the properties are decided earlier.
fn check<W: Explorable>(world: W, finish: HasDiscoveries) -> impl Checker<W> {
    let threads = available_parallelism().map_or(2, usize::from);
    world.checker().threads(threads).finish_when(finish).spawn_bfs().join()
}

/// Prints a line. The test harness would capture it from `eprintln!`.
fn print(line: &str) {
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Asserts that every state of a world keeps every promise, and returns the number of states.
fn explore<W: Explorable>(name: &str, world: W) -> usize {
    let checker = check(world, HasDiscoveries::AnyFailures);
    checker.assert_properties();
    let states = checker.unique_state_count();
    print(&format!("{name}: {states} states\n"));
    states
}

/// The explored worlds: their names, the grace in seconds, and the number of events.
const WORLDS: &[(&str, u32, Budget)] = &[
    ("only faults", GRACE, Budget { client: 4, faults: 2, graces: 1, ..NOTHING }),
    ("only faults, no grace", 0, Budget { client: 4, faults: 3, graces: 1, ..NOTHING }),
    ("a clock that steps back", GRACE, Budget { client: 4, faults: 2, graces: 1, back: true, ..NOTHING }),
    ("an operator", GRACE, Budget { client: 3, faults: 2, ends: 2, ..NOTHING }),
    ("revocations", GRACE, Budget { client: 2, revocations: 2, introspections: 1, faults: 2, ..NOTHING }),
    (
        "a revocation and an operator",
        GRACE,
        Budget { client: 1, revocations: 1, introspections: 2, faults: 1, ends: 1, ..NOTHING },
    ),
    ("an attacker", GRACE, Budget { client: 2, attacker: 2, faults: 2, graces: 1, ..NOTHING }),
    (
        "everything",
        GRACE,
        Budget { client: 2, attacker: 1, faults: 2, graces: 1, back: true, forward: true, ends: 1, ..NOTHING },
    ),
];

#[test]
fn the_built_design_keeps_every_promise() {
    let explore = |(name, grace, left)| explore(name, World { design: Design::Built, grace, left });
    let states: usize = WORLDS.iter().copied().map(explore).sum();
    print(&format!("in total: {states} states\n"));
    assert_documented(states);
}

/// Asserts that `docs/security.md` contains this number of states.
fn assert_documented(states: usize) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md");
    let page = std::fs::read_to_string(page).unwrap().replace(',', "");
    let words: Vec<_> = page.split_whitespace().collect();
    let is_documented = words.windows(2).any(|pair| pair == [states.to_string().as_str(), "states"]);
    assert!(is_documented, "docs/security.md must contain the number of states: {states}");
}

/// Returns true if the checker finds a state that breaks the promise.
fn breaks<W: Explorable>(world: W, promise: &'static str) -> bool {
    check(world, HasDiscoveries::AnyOf(BTreeSet::from([promise]))).discovery(promise).is_some()
}

/// Asserts that the steps are possible in the design, and that the last step breaks the promise.
fn assert_counterexample(world: World, promise: &'static str, steps: &[Action]) {
    let start = world.init_states().remove(0);
    let path = Path::from_actions(&world, start, steps).expect("a possible sequence of steps");
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
fn in_the_previous_design_an_outage_ended_a_login() {
    let left = Budget { client: 2, faults: 1, graces: 1, ..NOTHING };
    let rest = [
        Action::Refresh(Sender::Client, 0),
        Action::ReadFamily(1),
        Action::Write(1),
        Action::Drop(1),
        Action::PassGrace,
        Action::Refresh(Sender::Client, 0),
        Action::ReadFamily(1),
        Action::Write(1),
    ];
    let steps = [&LOG_IN[..], &rest].concat();
    assert_counterexample(World { design: Design::Before, grace: GRACE, left }, NOT_ENDED, &steps);
    // The request consumed the token before it was dropped.
    let consumed = &steps[..LOG_IN.len() + 4];
    assert_counterexample(World { design: Design::Before, grace: GRACE, left }, CONSUMES, consumed);
    explore("the same events in the built design", World { design: Design::Built, grace: GRACE, left });
}

/// The response to a rotation is lost, and its successor is used before the SDK repeats the rotation.
#[test]
fn in_the_previous_design_a_repeated_rotation_was_a_replay() {
    let left = Budget { client: 3, faults: 1, ..NOTHING };
    let rotation = Copied { by: 1, write: Write::Rotate { used: 0, now: state::START } };
    let rest = [
        Action::Refresh(Sender::Client, 0),
        Action::ReadFamily(1),
        Action::Delay(1),
        Action::Arrive(rotation),
        // Another tab gets the successor, and uses it.
        Action::Refresh(Sender::Client, 0),
        Action::ReadFamily(2),
        Action::ReadUser(2),
        Action::Respond(2),
        Action::Refresh(Sender::Client, 1),
        Action::ReadFamily(2),
        Action::Write(2),
        // The SDK repeats the rotation. The condition fails, and the request revokes the family.
        Action::Write(1),
        Action::Write(1),
    ];
    let steps = [&LOG_IN[..], &rest].concat();
    assert_counterexample(World { design: Design::Before, grace: GRACE, left }, NOT_ENDED, &steps);
    explore("the same events in the built design", World { design: Design::Built, grace: GRACE, left });
}

#[test]
fn each_promise_is_broken_by_a_design() {
    let client = Budget { client: 3, faults: 2, graces: 1, ..NOTHING };
    let attacker = Budget { client: 2, attacker: 1, faults: 1, graces: 1, ..NOTHING };
    let operator = Budget { client: 2, faults: 2, ends: 1, ..NOTHING };
    let back = Budget { back: true, ..client };
    let revocation = Budget { client: 1, revocations: 1, introspections: 1, ..NOTHING };
    let log_out = Budget { introspections: 1, ends: 1, ..NOTHING };
    let mut broken = BTreeSet::new();
    for (design, grace, left, promise) in [
        (Design::RotatesBeforeTheUserIsRead, GRACE, client, CONSUMES),
        (Design::RotatesBeforeTheUserIsRead, GRACE, client, NOT_ENDED),
        (Design::RotatesBeforeTheUserIsRead, GRACE, client, CONTINUES),
        (Design::EndsTheFamilyAfterALostRotation, GRACE, client, NOT_ENDED),
        (Design::IgnoresItsOwnWrite, 0, client, CAUSE),
        (Design::AcceptsItsOwnRevokedWrite, GRACE, operator, END_IS_FINAL),
        (Design::RotatesRevokedFamilies, GRACE, operator, NO_ROTATION),
        (Design::RotatesAnyGeneration, GRACE, client, ACTIVE),
        (Design::OverwritesTheFamily, GRACE, client, ACTIVE),
        (Design::IgnoresLogOut, GRACE, operator, END_IS_FINAL),
        (Design::IgnoresLogOut, GRACE, operator, NO_ROTATION),
        (Design::OnlyRejectsReplays, GRACE, attacker, REPLAY_ENDS),
        (Design::AcceptsEveryUsedToken, GRACE, attacker, OLD),
        (Design::IgnoresTheClockBehind, GRACE, back, NOT_ENDED),
        (Design::RotatesForRetries, GRACE, client, SUCCESSOR),
        (Design::RespondsBeforeTheWrite, GRACE, client, SUCCESSOR),
        (Design::RevokesAfterTheResponse, GRACE, revocation, END_IS_FINAL),
        (Design::RevokesAfterTheResponse, GRACE, revocation, INACTIVE),
        (Design::IntrospectsRevokedFamilies, GRACE, revocation, INACTIVE),
        (Design::IntrospectsLoggedOutFamilies, GRACE, log_out, INACTIVE),
    ] {
        let world = World { design, grace, left };
        assert!(breaks(world, promise), "{design:?} keeps: {promise}");
        broken.insert(promise);
    }
    let world = World { design: Design::Built, grace: GRACE, left: NOTHING };
    assert_eq!(broken, world.properties().iter().map(|property| property.name).collect());
}
