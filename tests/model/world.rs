//! The events, which happen in any order, and the properties of every state.

use countersign::refresh_token::Standing;
use stateright::{Model, Property};

use crate::design::Design;
use crate::state::{
    Budget, Copied, ENVIRONMENTS, Endpoint, LATE, LONG, Phase, Promise, Request, START, STEP, Sender, State, Write,
};

// The names are short because the checker hashes them for every state.
/// At most one refresh token is active, and none becomes active again.
pub const ACTIVE: &str = "one active token";
/// A request gets no token if it begins after the end of the login or finds the login revoked.
pub const END_IS_FINAL: &str = "end is final";
/// A revoked login is not rotated, and a request that begins after the end of the login sends no rotation.
pub const NO_ROTATION: &str = "no rotation after end";
/// A request that is rejected or dropped has not used its token, unless its rotation is in flight.
pub const CONSUMES: &str = "error consumes nothing";
/// A replay is rejected only after the login has ended.
pub const REPLAY_ENDS: &str = "replay ends login";
/// A token that was used before the grace, or whose successor was used, gets no token.
pub const OLD: &str = "old token is useless";
/// All responses for a token contain the same successor, and the store has it.
pub const SUCCESSOR: &str = "same successor";
/// An introspection that begins after the end of the login, or after the response to a revocation, finds it inactive.
pub const INACTIVE: &str = "ended is inactive";
/// Without an attacker and with a correct clock, an error has a cause: a fault, a newer token or the end of the login.
pub const CAUSE: &str = "error has a cause";
/// Without an attacker, an operator and a clock that steps forward, the login never ends.
pub const NOT_ENDED: &str = "no false replay";
/// The client can refresh if only faults happen: its token is active, or a retry within the grace.
pub const CONTINUES: &str = "client continues";

/// The service and its store, the client, the attacker and the operator.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub design: Design,
    pub grace: u32,
    pub left: Budget,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The client sends its password.
    LogIn,
    /// A request with a refresh token arrives.
    Refresh(Sender, u8),
    /// A revocation or an introspection arrives.
    Present(Endpoint),
    /// The request reads the family.
    ReadFamily(u8),
    /// The request reads the user.
    ReadUser(u8),
    /// The store responds to the write of the request.
    Write(u8),
    /// The response reaches the client.
    Respond(u8),
    /// A late copy of a write reaches the store.
    Arrive(Copied),
    /// Fault: the SDK repeats the write, because the response is late. The first copy arrives later, or never. This covers a
    /// lost write, a lost response and a duplicate.
    Delay(u8),
    /// Fault: the deadline drops the request, or a read fails.
    Drop(u8),
    /// Fault: the user cannot be read. Only in [`Design::Before`], which writes after that.
    FailUserRead(u8),
    /// Fault: the response does not reach the client.
    LoseResponse(u8),
    /// More than the grace passes. The deadline ends every request before that.
    PassGrace,
    StepBack,
    StepForward,
    /// An operator logs the user out everywhere.
    LogOut,
    /// An operator revokes the login.
    Revoke,
}

impl World {
    /// Returns true if only the client has a token, and the clock is correct.
    pub fn has_no_attacker_and_a_correct_clock(&self) -> bool {
        self.left.attacker == 0 && !self.left.forward && !self.left.back
    }

    /// Returns true if only faults happen.
    fn only_faults_happen(&self) -> bool {
        self.has_no_attacker_and_a_correct_clock() && self.nobody_ends_the_login()
    }

    /// Returns true if there is no reason to end the login. A clock that steps back is not a reason.
    fn client_is_innocent(&self) -> bool {
        self.left.attacker == 0 && !self.left.forward && self.nobody_ends_the_login()
    }

    fn nobody_ends_the_login(&self) -> bool {
        self.left.ends == 0 && self.left.revocations == 0
    }

    fn request_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let faults = state.left.faults > 0;
        for (index, request) in state.requests().enumerate() {
            // Requests that differ only in their id are interchangeable, so only the first of them moves.
            let alike = |other: &&Request| Request { id: request.id, ..**other } == *request;
            let mut before = state.requests().take(index);
            if before.any(|other| alike(&other) && !state.is_referenced(other.id) && !state.is_referenced(request.id)) {
                continue;
            }
            let id = request.id;
            let step = match request.phase {
                Phase::Arrived => Action::ReadFamily(id),
                Phase::UserNext(_) => Action::ReadUser(id),
                Phase::WritingBeforeUser(_) | Phase::Writing(_) => Action::Write(id),
                Phase::Responding(_) => Action::Respond(id),
            };
            actions.push(step);
            if !faults {
                continue;
            }
            match step {
                Action::Respond(_) => actions.push(Action::LoseResponse(id)),
                Action::Write(_) => actions.extend([Action::Delay(id), Action::Drop(id)]),
                Action::ReadUser(_) if self.design == Design::Before => {
                    actions.extend([Action::FailUserRead(id), Action::Drop(id)]);
                }
                _ => actions.push(Action::Drop(id)),
            }
        }
    }

    fn client_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let free = state.requests().count() < ENVIRONMENTS;
        let is_own = |request: &&Request| request.sender == Sender::Client && request.endpoint == Endpoint::Token;
        let mut own = state.requests().filter(is_own);
        let late_login = state.late.iter().flatten().any(|copy| matches!(copy.write, Write::Begin { .. }));
        let Some(token) = state.token else {
            if own.next().is_none() && state.family.is_none() && !late_login {
                actions.push(Action::LogIn);
            }
            return;
        };
        if free && state.left.attacker > 0 {
            actions.push(Action::Refresh(Sender::Attacker, 0));
            if state.stolen > 0 {
                actions.push(Action::Refresh(Sender::Attacker, state.stolen));
            }
        }
        for (endpoint, left) in
            [(Endpoint::Revocation, state.left.revocations), (Endpoint::Introspection, state.left.introspections)]
        {
            if free && left > 0 {
                actions.push(Action::Present(endpoint));
            }
        }
        // Without a grace a client uses its tokens one after the other, and logs in again after a lost response.
        let may = if self.grace == 0 {
            own.next().is_none() && !state.unsure
        } else {
            // A request reaches the function before the client uses a newer token.
            own.all(|request| request.phase != Phase::Arrived || request.token >= Some(token))
        };
        if free && state.left.client > 0 && may {
            actions.push(Action::Refresh(Sender::Client, token));
        }
    }

    fn begin(&self, state: &mut State, sender: Sender, token: Option<u8>) {
        let stale = |token: u8| {
            let Some(family) = state.family else { return false };
            let used_before = |grace| !self.left.back && !self.left.forward && state.time - family.rotated_at > grace;
            let grace = u8::try_from(self.grace).unwrap();
            family.generation > token + 1 || family.generation == token + 1 && (grace == 0 || used_before(grace))
        };
        let request = Request {
            id: 0,
            sender,
            endpoint: Endpoint::Token,
            token,
            phase: if token.is_some() { Phase::Arrived } else { Phase::UserNext(None) },
            applied: false,
            after_end: state.over,
            stale: token.is_some_and(stale),
            replay: false,
        };
        match (sender, token) {
            (_, None) => state.over = false,
            (Sender::Client, _) => state.left.client -= 1,
            (Sender::Attacker, _) => state.left.attacker -= 1,
        }
        state.begin(request);
    }

    /// Begins a revocation or an introspection. Any token of the login has the same effect.
    fn present(state: &mut State, endpoint: Endpoint) {
        match endpoint {
            Endpoint::Revocation => state.left.revocations -= 1,
            _ => state.left.introspections -= 1,
        }
        state.begin(Request {
            id: 0,
            sender: Sender::Client,
            endpoint,
            token: Some(0),
            phase: Phase::Arrived,
            applied: false,
            after_end: state.over,
            stale: false,
            replay: false,
        });
    }

    fn fault(&self, state: &mut State, action: Action) {
        state.left.faults -= 1;
        match action {
            Action::Delay(id) => {
                if let Phase::Writing(write) | Phase::WritingBeforeUser(write) = state.request(id).phase {
                    state.send_late(id, write);
                }
            }
            Action::Drop(id) => self.drop_request(state, state.request(id)),
            Action::FailUserRead(id) => self.fail_user_read(state, state.request(id)),
            Action::LoseResponse(id) => {
                if let Phase::Responding(token) = state.request(id).phase {
                    state.deliver(state.request(id), (token, true));
                }
            }
            _ => unreachable!(),
        }
    }

    /// Passes the grace, or steps the clock.
    fn pass(state: &mut State, action: Action) {
        let left = &mut state.left;
        if action == Action::PassGrace {
            left.graces -= 1;
            state.time += LONG;
            // Messages are late by less than the grace.
            state.late = [None; LATE];
        } else {
            (left.back, left.forward) = (false, false);
            state.clock = if action == Action::StepBack { -STEP } else { STEP };
        }
    }

    fn progress(&self, state: &mut State, id: u8) {
        let request = state.request(id);
        match request.phase {
            Phase::Arrived => self.read_family(state, request),
            Phase::UserNext(write) => self.read_user(state, request, write),
            Phase::WritingBeforeUser(write) | Phase::Writing(write) => self.write(state, request, write),
            Phase::Responding(token) => state.deliver(request, (token, false)),
        }
    }

    fn continues(&self, state: &State) -> bool {
        let (true, Some(token), Some(family)) = (self.only_faults_happen(), state.token, state.family) else {
            return true;
        };
        let standing = family.standing(self, token, state.now());
        let known = state.requests().next().is_none() && !state.unsure;
        match standing {
            Standing::Active => true,
            Standing::Retried => !known,
            _ => !known && self.grace == 0,
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            family: None,
            session: 0,
            time: START,
            clock: 0,
            requests: [None; ENVIRONMENTS],
            late: [None; LATE],
            token: None,
            unsure: false,
            stolen: 0,
            left: self.left,
            highest: 0,
            over: false,
            given: [0; 6],
            broken: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.request_actions(state, actions);
        self.client_actions(state, actions);
        let mut copies: Vec<_> = state.late.iter().flatten().copied().collect();
        copies.dedup();
        actions.extend(copies.into_iter().map(Action::Arrive));
        let left = state.left;
        let quiet = state.requests().next().is_none() && state.family.is_some();
        if left.graces > 0 && quiet && !(self.client_is_innocent() && state.unsure) {
            actions.push(Action::PassGrace);
        }
        for (may, action) in [(left.back, Action::StepBack), (left.forward, Action::StepForward)] {
            if may {
                actions.push(action);
            }
        }
        if left.ends > 0 && state.family.is_some_and(|family| !family.revoked) {
            actions.push(Action::Revoke);
        }
        if left.ends > 0 {
            actions.push(Action::LogOut);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::LogIn => self.begin(&mut next, Sender::Client, None),
            Action::Refresh(sender, token) => self.begin(&mut next, sender, Some(token)),
            Action::Present(endpoint) => Self::present(&mut next, endpoint),
            Action::ReadFamily(id) | Action::ReadUser(id) | Action::Write(id) | Action::Respond(id) => {
                self.progress(&mut next, id);
            }
            Action::Arrive(copy) => {
                let slot = next.late.iter_mut().find(|slot| **slot == Some(copy))?;
                *slot = None;
                next.apply(self.design, copy.write, copy.by);
            }
            Action::Delay(_) | Action::Drop(_) | Action::FailUserRead(_) | Action::LoseResponse(_) => {
                self.fault(&mut next, action);
            }
            Action::PassGrace | Action::StepBack | Action::StepForward => Self::pass(&mut next, action),
            Action::LogOut => {
                next.left.ends -= 1;
                next.over |= next.is_login_begun();
                next.session += 1;
            }
            Action::Revoke => {
                next.left.ends -= 1;
                next.apply(self.design, Write::Revoke, 0);
            }
        }
        next.sort();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ACTIVE, |_, state: &State| state.keeps(Promise::OneIsActive)),
            Property::always(END_IS_FINAL, |_, state: &State| state.keeps(Promise::EndIsFinal)),
            Property::always(NO_ROTATION, |_, state: &State| state.keeps(Promise::NothingRotatesAfterTheEnd)),
            Property::always(CONSUMES, |_, state: &State| state.keeps(Promise::RejectedConsumesNothing)),
            Property::always(REPLAY_ENDS, |_, state: &State| state.keeps(Promise::ReplayEnds)),
            Property::always(OLD, |_, state: &State| state.keeps(Promise::OldTokenYieldsNothing)),
            Property::always(SUCCESSOR, |_, state: &State| state.keeps(Promise::SameSuccessor)),
            Property::always(INACTIVE, |_, state: &State| state.keeps(Promise::EndedIsInactive)),
            Property::always(CAUSE, |_, state: &State| state.keeps(Promise::ErrorHasACause)),
            Property::always(NOT_ENDED, |world: &World, state: &State| {
                !world.client_is_innocent() || state.family.is_none_or(|family| !family.revoked)
            }),
            Property::always(CONTINUES, |world: &World, state: &State| world.continues(state)),
        ]
    }
}
