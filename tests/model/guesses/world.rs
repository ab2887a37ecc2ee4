//! The events, which happen in any order, and the properties of every state.

use countersign::throttle::Budget;
use stateright::{Model, Property};

use super::design::Design;
use super::state::{Copied, Count, GUESSES, Guess, Item, LATE, Lane, PROCESSES, Phase, Promise, Results, START, State};

/// In each lane no more guesses get a result than the budget allows, until one is right.
pub const BUDGET: &str = "budget";
/// A guess that gets a result was counted before.
pub const COUNTED: &str = "counted";
/// A count that is sent twice counts once, and its guess is not rejected because of it.
pub const ONCE: &str = "once";
/// A guess is rejected only while its lane is blocked, or after an operator has deleted the item.
pub const CAUSE: &str = "cause";

/// The maximum number of times that an item is judged again.
const MAX_REJUDGEMENTS: u8 = 3;
/// A time that passes, in seconds: the first delay.
const DELAY: u8 = 30;

/// The events that may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// Guesses from networks that are not known.
    pub guesses: u8,
    /// The number of these guesses that may be right.
    pub right: u8,
    /// Right guesses from a known network.
    pub home: u8,
    /// Late counts, and dropped requests.
    pub faults: u8,
    /// The number of times that [`DELAY`] passes.
    pub delays: u8,
    /// The number of times that an operator deletes the item.
    pub unlocks: u8,
}

/// A design, the budget of a lane, and the possible events.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub design: Design,
    pub budget: Budget,
    pub left: Left,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A guess arrives at a process, which reads the item unless it remembers a block.
    Begin { process: usize, is_home: bool, is_right: bool },
    /// The process judges the item that it has read.
    Judge(Guess),
    /// The store responds to the count.
    Count(Guess),
    /// A late copy of a count reaches the store.
    Arrive(Copied),
    /// Fault: the SDK repeats the count, because the response is late. The first copy arrives later, or never.
    Delay(Guess),
    /// Fault: the deadline drops the request, or its call fails.
    Drop(Guess),
    /// The first delay passes. The deadline ends every request before that.
    PassTime,
    /// An operator deletes the item.
    Unlock,
}

impl World {
    fn begin(&self, state: &mut State, guess: Guess) {
        let left = if guess.is_home { &mut state.left.home } else { &mut state.left.guesses };
        *left -= 1;
        state.left.right -= u8::from(guess.is_right && !guess.is_home);
        if is_remembered(state, guess) {
            self.reject(state, guess);
        } else {
            state.begin(guess);
        }
    }

    fn judge(&self, state: &mut State, guess: Guess, (item, before): (Item, u8)) {
        if before == 0 && is_remembered(state, guess) {
            return self.reject(state, guess);
        }
        let is_home = guess.is_home && self.design != Design::KnowsNoNetwork;
        if let Some(until) = item.blocked_until(is_home, self.budget, state.now) {
            state.break_if(item.by == guess.id, Promise::Once);
            state.remember(self, guess, until);
            return self.reject(state, guess);
        }
        if before > MAX_REJUDGEMENTS {
            return self.reject(state, guess);
        }
        let read = item.lane(is_home).map(|lane| lane.failures);
        let count = Count { is_home, is_right: guess.is_right, read, now: state.now };
        if self.design == Design::RespondsBeforeTheCount {
            state.send_late(guess.id, count);
            return self.respond(state, guess);
        }
        state.change(Guess { phase: Phase::Counting(count, before), ..guess });
    }

    fn count(&self, state: &mut State, guess: Guess, (count, before): (Count, u8)) {
        if self.design == Design::OnlyReadsAgainIfRight && guess.is_right {
            return match state.item.blocked_until(count.is_home, self.budget, state.now) {
                None => self.respond(state, guess),
                Some(_) => self.reject(state, guess),
            };
        }
        let is_counted = state.apply(self, Copied { by: guess.id, count });
        let guess = state.guesses().find(|other| other.id == guess.id).unwrap();
        if is_counted || self.design == Design::RespondsIfRightAndRejected && guess.is_right {
            return self.respond(state, guess);
        }
        state.change(Guess { phase: Phase::Judging(state.item, before + 1), ..guess });
    }

    /// Ends a request with a 503. Its count may still arrive.
    fn drop_request(&self, state: &mut State, guess: Guess) {
        if let Phase::Counting(count, _) = guess.phase {
            state.send_late(guess.id, count);
            if self.design == Design::RespondsIfTheCountFails {
                return self.respond(state, guess);
            }
        }
        state.end(guess.id);
    }

    /// Ends a request with the result of its guess.
    fn respond(&self, state: &mut State, guess: Guess) {
        state.break_if(!guess.is_counted, Promise::Counted);
        state.results[usize::from(guess.is_home && self.design != Design::KnowsNoNetwork)].given += 1;
        state.end(guess.id);
    }

    /// Ends a request with a 429.
    fn reject(&self, state: &mut State, guess: Guess) {
        let is_blocked = state.item.blocked_until(guess.is_home, self.budget, state.now).is_some();
        state.break_if(!is_blocked && !state.is_unlocked, Promise::Cause);
        state.end(guess.id);
    }
}

fn is_remembered(state: &State, guess: Guess) -> bool {
    state.memory[guess.process][usize::from(guess.is_home)] > state.now
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let home = (self.left.home > 0).then_some(Lane { failures: 0, last_at: START });
        vec![State {
            item: Item { home, ..Item::default() },
            now: START,
            memory: [[0; 2]; PROCESSES],
            guesses: [None; GUESSES],
            late: [None; LATE],
            left: self.left,
            results: [Results { given: 0, allowed_before: 0, forgotten_at: START }; 2],
            is_unlocked: false,
            broken: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let left = state.left;
        let is_free = state.guesses().count() < GUESSES;
        for process in (0..PROCESSES).filter(|_| is_free) {
            let begin = |is_home, is_right| Action::Begin { process, is_home, is_right };
            actions.extend((left.guesses > 0).then_some(begin(false, false)));
            actions.extend((left.guesses > 0 && left.right > 0).then_some(begin(false, true)));
            actions.extend((left.home > 0).then_some(begin(true, true)));
        }
        for guess in state.guesses() {
            let is_counting = matches!(guess.phase, Phase::Counting(..));
            actions.push(if is_counting { Action::Count(guess) } else { Action::Judge(guess) });
            if left.faults > 0 {
                actions.push(Action::Drop(guess));
                actions.extend(is_counting.then_some(Action::Delay(guess)));
            }
        }
        let mut copies: Vec<_> = state.late.iter().flatten().copied().collect();
        copies.dedup();
        actions.extend(copies.into_iter().map(Action::Arrive));
        actions.extend((left.delays > 0 && state.guesses().next().is_none()).then_some(Action::PassTime));
        actions.extend((left.unlocks > 0).then_some(Action::Unlock));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::Begin { process, is_home, is_right } => {
                let phase = Phase::Judging(next.item, 0);
                self.begin(&mut next, Guess { id: 0, process, is_home, is_right, phase, is_counted: false });
            }
            Action::Judge(guess) => {
                let Phase::Judging(item, before) = guess.phase else { return None };
                self.judge(&mut next, guess, (item, before));
            }
            Action::Count(guess) => {
                let Phase::Counting(count, before) = guess.phase else { return None };
                self.count(&mut next, guess, (count, before));
            }
            Action::Arrive(copy) => {
                *next.late.iter_mut().find(|slot| **slot == Some(copy))? = None;
                next.apply(self, copy);
            }
            Action::Delay(guess) => {
                next.left.faults -= 1;
                let Phase::Counting(count, _) = guess.phase else { return None };
                next.send_late(guess.id, count);
            }
            Action::Drop(guess) => {
                next.left.faults -= 1;
                self.drop_request(&mut next, guess);
            }
            Action::PassTime => {
                next.left.delays -= 1;
                next.now += DELAY;
                // Messages are late by less than the delay.
                next.late = [None; LATE];
            }
            Action::Unlock => {
                next.left.unlocks -= 1;
                next.is_unlocked = true;
                next.item = Item::default();
                for is_home in [false, true] {
                    next.forget(self.budget, is_home);
                }
            }
        }
        next.normalize();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(BUDGET, |world: &World, state: &State| state.is_within(world.budget)),
            Property::always(COUNTED, |_, state: &State| state.keeps(Promise::Counted)),
            Property::always(ONCE, |_, state: &State| state.keeps(Promise::Once)),
            Property::always(CAUSE, |_, state: &State| state.keeps(Promise::Cause)),
        ]
    }
}
