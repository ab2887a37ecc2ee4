//! An exhaustive model of exchanges of one code: proven requests that run simultaneously, lost and late writes, and an
//! operator who revokes the login.
//!
//! The steps follow `src/grant/authorization_code.rs`. The decisions are [`Family::standing`] without a grace and
//! [`Family::is_written_by`], the functions of the service. The condition of the exchange is that of a rotation, which
//! `tests/it/store/conditional_writes.rs` compares with the expression of DynamoDB. A request that proves nothing reads the
//! family and ends, so the model leaves it out.
//!
//! [`Family::standing`]: countersign::refresh_token::Family::standing
//! [`Family::is_written_by`]: countersign::refresh_token::Family::is_written_by

mod state;
mod world;

use std::collections::BTreeSet;
use std::thread::available_parallelism;

use stateright::{Checker, HasDiscoveries, Model};

use self::world::{CONSUMES, Design, FINAL, Left, ONE, OWN, REPLAY, World};
use crate::print;

const BUILT: World = World { design: Design::Built, left: Left { exchanges: 4, faults: 2, ends: 1 } };

fn check(world: World, finish: HasDiscoveries) -> impl Checker<World> {
    let threads = available_parallelism().map_or(2, usize::from);
    world.checker().threads(threads).finish_when(finish).spawn_bfs().join()
}

#[test]
fn s_806_no_order_of_events_gives_tokens_for_one_code_twice() {
    let checker = check(BUILT, HasDiscoveries::AnyFailures);
    checker.assert_properties();
    let states = checker.unique_state_count();
    print(&format!("exchanges of a code: {states} states\n"));
    assert!(states > 1_000, "{states}");
}

#[test]
fn each_promise_about_codes_is_broken_by_a_design() {
    let mut broken = BTreeSet::new();
    for (design, promise) in [
        (Design::AcceptsRetries, ONE),
        (Design::ExchangesAnyGeneration, ONE),
        (Design::OnlyRejectsReplays, REPLAY),
        (Design::OnlyRejectsLostExchanges, REPLAY),
        (Design::IgnoresItsOwnWrite, OWN),
        (Design::ExchangesBeforeTheRecordsAreRead, CONSUMES),
        (Design::ExchangesRevokedFamilies, FINAL),
        (Design::AcceptsItsOwnRevokedWrite, FINAL),
    ] {
        let found = check(World { design, ..BUILT }, HasDiscoveries::AnyOf(BTreeSet::from([promise])));
        assert!(found.discovery(promise).is_some(), "{design:?} keeps: {promise}");
        broken.insert(promise);
    }
    assert_eq!(broken, BUILT.properties().iter().map(|property| property.name).collect());
}
