//! The events, which happen in any order, and the properties of every state.

use countersign::refresh_token::Standing;
use stateright::{Model, Property};

use super::state::{LATE, Phase, Promise, REQUESTS, State, Write};
use crate::state::{START, Stored};

/// One code gets tokens at most once.
pub const ONE: &str = "one exchange";
/// A replay is rejected only after the login has ended.
pub const REPLAY: &str = "replay ends login";
/// A single request never ends the login, even if its write is sent twice.
pub const OWN: &str = "own write is not a replay";
/// A request that fails before its write leaves the code usable.
pub const CONSUMES: &str = "error consumes nothing";
/// A login that has ended is not exchanged, and gets no tokens.
pub const FINAL: &str = "end is final";

/// A design of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// The design of `src/grant/authorization_code.rs`.
    Built,
    /// Treats a used code as a retry.
    AcceptsRetries,
    /// The condition of the exchange does not contain `generation`.
    ExchangesAnyGeneration,
    /// Rejects a used code without revoking the family.
    OnlyRejectsReplays,
    /// Rejects an exchange that lost a race without revoking the family.
    OnlyRejectsLostExchanges,
    /// Does not compare `rotated_by`.
    IgnoresItsOwnWrite,
    /// Reads the records after the exchange.
    ExchangesBeforeTheRecordsAreRead,
    /// The condition of the exchange does not contain `revoked`.
    ExchangesRevokedFamilies,
    /// Ignores `revoked` when it compares `rotated_by`.
    AcceptsItsOwnRevokedWrite,
}

/// The events that may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// Requests with the code.
    pub exchanges: u8,
    /// Lost, duplicated and late writes, and dropped requests.
    pub faults: u8,
    /// Revocations by an operator.
    pub ends: u8,
}

/// The service and its store, the callers and the operator.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub design: Design,
    pub left: Left,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A request with the code arrives.
    Exchange,
    /// The store responds to the call of the request.
    Progress(u8),
    /// Fault: the SDK repeats the write, because the response is late. The first copy arrives later, or never.
    Delay(u8),
    /// Fault: the deadline drops the request. Its write may arrive later.
    Drop(u8),
    /// A late copy of a write reaches the store.
    Arrive(u8, Write),
    /// An operator revokes the login.
    Revoke,
}

impl World {
    fn progress(self, state: &mut State, id: u8) {
        let phase = state.requests().find(|request| request.id == id).unwrap().phase;
        let exchange = Phase::Writing(Write::Exchange);
        match phase {
            Phase::Arrived => match state.standing() {
                Standing::Active if self.design == Design::ExchangesBeforeTheRecordsAreRead => state.go(id, exchange),
                Standing::Active => state.go(id, Phase::Proven),
                Standing::Invalid(_) => state.end(id),
                _ if self.design == Design::AcceptsRetries => Self::issue(state, id),
                _ => self.replayed(state, id, Design::OnlyRejectsReplays),
            },
            Phase::Proven => state.go(id, exchange),
            Phase::Exchanged => Self::issue(state, id),
            Phase::Writing(Write::Revoke) => {
                state.apply(self.design, id, Write::Revoke);
                state.end(id);
            }
            Phase::Writing(Write::Exchange) => {
                let applied = state.apply(self.design, id, Write::Exchange);
                if applied || self.is_own(state, id) {
                    if self.design == Design::ExchangesBeforeTheRecordsAreRead {
                        return state.go(id, Phase::Exchanged);
                    }
                    return Self::issue(state, id);
                }
                match state.standing() {
                    // Active: 503, which cannot happen with one clock.
                    Standing::Active | Standing::Invalid(_) => state.end(id),
                    _ => self.replayed(state, id, Design::OnlyRejectsLostExchanges),
                }
            }
        }
    }

    fn is_own(self, state: &State, id: u8) -> bool {
        match self.design {
            Design::IgnoresItsOwnWrite => false,
            Design::AcceptsItsOwnRevokedWrite => {
                State { family: Stored { revoked: false, ..state.family }, ..*state }.is_written_by(id)
            }
            _ => state.is_written_by(id),
        }
    }

    /// Handles a replay. `lenient` is the design that rejects it only.
    fn replayed(self, state: &mut State, id: u8, lenient: Design) {
        if self.design == lenient {
            state.break_if(!state.family.revoked, Promise::Replay);
            state.end(id);
        } else {
            state.go(id, Phase::Writing(Write::Revoke));
        }
    }

    fn issue(state: &mut State, id: u8) {
        state.issued += 1;
        state.break_if(state.family.revoked, Promise::Final);
        state.end(id);
    }

    /// Drops a request. Its write may still arrive.
    fn drop_request(state: &mut State, id: u8) {
        let phase = state.requests().find(|request| request.id == id).unwrap().phase;
        if let Phase::Writing(write) = phase {
            state.send_late(id, write);
        }
        state.break_if(phase == Phase::Exchanged, Promise::Consumes);
        state.end(id);
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let family =
            Stored { session: 0, generation: 0, rotated_at: START, rotated_by: 0, revoked: false, retry_until: 0 };
        vec![State {
            family,
            requests: [None; REQUESTS],
            late: [None; LATE],
            left: self.left,
            begun: 0,
            issued: 0,
            is_ended: false,
            broken: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.left.exchanges > 0 && state.requests().count() < REQUESTS {
            actions.push(Action::Exchange);
        }
        for request in state.requests() {
            actions.push(Action::Progress(request.id));
            if state.left.faults > 0 {
                actions.push(Action::Drop(request.id));
                if matches!(request.phase, Phase::Writing(_)) {
                    actions.push(Action::Delay(request.id));
                }
            }
        }
        actions.extend(state.late.iter().flatten().map(|(id, write)| Action::Arrive(*id, *write)));
        if state.left.ends > 0 {
            actions.push(Action::Revoke);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::Exchange => {
                next.left.exchanges -= 1;
                next.begin();
            }
            Action::Progress(id) => self.progress(&mut next, id),
            Action::Delay(id) => {
                next.left.faults -= 1;
                let request = next.requests().find(|request| request.id == id)?;
                if let Phase::Writing(write) = request.phase {
                    next.send_late(id, write);
                }
            }
            Action::Drop(id) => {
                next.left.faults -= 1;
                Self::drop_request(&mut next, id);
            }
            Action::Arrive(id, write) => {
                *next.late.iter_mut().find(|slot| **slot == Some((id, write)))? = None;
                next.apply(self.design, id, write);
            }
            Action::Revoke => {
                next.left.ends -= 1;
                next.is_ended = true;
                next.family.revoked = true;
            }
        }
        next.requests.sort_unstable();
        next.late.sort_unstable();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE, |_, state: &State| state.issued <= 1),
            Property::always(REPLAY, |_, state: &State| state.keeps(Promise::Replay)),
            Property::always(OWN, |_, state: &State| state.begun > 1 || state.is_ended || !state.family.revoked),
            Property::always(CONSUMES, |_, state: &State| state.keeps(Promise::Consumes)),
            Property::always(FINAL, |_, state: &State| state.keeps(Promise::Final)),
        ]
    }
}
