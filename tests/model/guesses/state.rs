//! The state of the model of guesses, and the store with its conditional count.

use std::collections::BTreeMap;

use countersign::throttle::{self, Attempts, Budget};

use super::design::Design;
use super::world::{Left, World};

/// The processes of the service.
pub const PROCESSES: usize = 2;
/// The guesses that run simultaneously.
pub const GUESSES: usize = 3;
/// The late copies of counts that may be in flight.
pub const LATE: usize = 2;
/// The time of the first guess, in seconds.
pub const START: u8 = 100;
/// The longest time for which a process remembers a block, in seconds.
const REMEMBERED_FOR: u8 = 60;
/// The attribute of the known network.
const HOME: &str = "n:home";

/// A lane of the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    pub failures: u8,
    pub last_at: u8,
}

/// The item of the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Item {
    pub common: Option<Lane>,
    /// The lane of the known network.
    pub home: Option<Lane>,
    /// The id of the request that counted last; 0 if it has ended and no copy of its count is in flight.
    pub by: u8,
}

impl Item {
    pub fn lane(self, is_home: bool) -> Option<Lane> {
        if is_home { self.home } else { self.common }
    }

    /// Judges a guess with the function of the service. Returns the time until which it is blocked, if it is.
    pub fn blocked_until(self, is_home: bool, budget: Budget, now: u8) -> Option<u8> {
        let lane = |lane: Lane| throttle::Lane { failures: lane.failures.into(), last_at: lane.last_at.into() };
        let networks: BTreeMap<_, _> = self.home.map(|home| (HOME.to_owned(), lane(home))).into_iter().collect();
        let item = Attempts { common: self.common.map(lane), networks, by: None };
        let judged = item.judge(is_home.then_some(HOME), budget, now.into());
        judged.err().map(|blocked| u8::try_from(blocked.until).unwrap())
    }
}

/// A count on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Count {
    pub is_home: bool,
    pub is_right: bool,
    /// The failures of the lane that was read; `None` if there was no lane.
    pub read: Option<u8>,
    pub now: u8,
}

/// The progress of a guess. Between two phases it waits for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The store has returned this item. The number of times that the item was judged before.
    Judging(Item, u8),
    /// The count is in flight. The number of times that the item was judged before.
    Counting(Count, u8),
}

/// A running guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guess {
    /// A number that no other guess and no late copy has.
    pub id: u8,
    pub process: usize,
    /// True if the guess comes from the known network.
    pub is_home: bool,
    pub is_right: bool,
    pub phase: Phase,
    /// True if the count was applied.
    pub is_counted: bool,
}

/// A copy of a count that arrives late, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Copied {
    pub by: u8,
    pub count: Count,
}

/// The results that guesses in one lane got, and those that the budget allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Results {
    pub given: u8,
    /// The results that were allowed before the failures were last forgotten.
    pub allowed_before: u8,
    pub forgotten_at: u8,
}

/// A promise that one step can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    Counted,
    Once,
    Cause,
}

/// The state of the store, the processes and the guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub item: Item,
    pub now: u8,
    /// The time until which each process remembers a block of the account, for other networks and for the known one.
    pub memory: [[u8; 2]; PROCESSES],
    pub guesses: [Option<Guess>; GUESSES],
    pub late: [Option<Copied>; LATE],
    pub left: Left,
    /// The results in the common lane and in that of the known network.
    pub results: [Results; 2],
    /// True if an operator has deleted the item.
    pub is_unlocked: bool,
    /// The broken promises, one bit each.
    pub broken: u8,
}

impl State {
    pub fn guesses(&self) -> impl Iterator<Item = Guess> + use<> {
        self.guesses.into_iter().flatten()
    }

    /// Adds a guess with the lowest free id.
    pub fn begin(&mut self, guess: Guess) {
        let taken = |id| self.guesses().any(|other| other.id == id) || self.is_in_flight(id) || self.item.by == id;
        let id = (1..=u8::MAX).find(|id| !taken(*id)).unwrap();
        *self.guesses.iter_mut().find(|slot| slot.is_none()).unwrap() = Some(Guess { id, ..guess });
    }

    pub fn change(&mut self, guess: Guess) {
        for slot in self.guesses.iter_mut().filter(|slot| slot.is_some_and(|other| other.id == guess.id)) {
            *slot = Some(guess);
        }
    }

    pub fn end(&mut self, id: u8) {
        for slot in self.guesses.iter_mut().filter(|slot| slot.is_some_and(|guess| guess.id == id)) {
            *slot = None;
        }
    }

    fn is_in_flight(&self, id: u8) -> bool {
        self.late.iter().flatten().any(|copy| copy.by == id)
    }

    /// Normalizes the state: the order of guesses and copies, the id of an ended guess, and the end of an old block have
    /// no meaning.
    pub fn normalize(&mut self) {
        self.guesses.sort_unstable_by_key(|slot| slot.map_or(u8::MAX, |guess| guess.id));
        self.late.sort_unstable_by_key(|slot| (slot.is_none(), *slot));
        let by = self.item.by;
        if !self.is_in_flight(by) && !self.guesses().any(|guess| guess.id == by) {
            self.item.by = 0;
        }
        let now = self.now;
        for until in self.memory.iter_mut().flatten().filter(|until| **until <= now) {
            *until = 0;
        }
    }

    /// Puts a copy of a count in flight if there is room.
    pub fn send_late(&mut self, by: u8, count: Count) {
        if let Some(slot) = self.late.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Copied { by, count });
        }
    }

    pub fn remember(&mut self, world: &World, guess: Guess, until: u8) {
        let longest = self.now + REMEMBERED_FOR;
        let until = if world.design == Design::RemembersBlocksTooLong { longest } else { until.min(longest) };
        self.memory[guess.process][usize::from(guess.is_home)] = until;
    }

    pub fn break_if(&mut self, broken: bool, promise: Promise) {
        self.broken |= u8::from(broken) << promise as u8;
    }

    pub fn keeps(&self, promise: Promise) -> bool {
        self.broken & (1 << promise as u8) == 0
    }

    /// From now on the failures of the lane are forgotten.
    pub fn forget(&mut self, budget: Budget, is_home: bool) {
        let now = self.now;
        let results = &mut self.results[usize::from(is_home)];
        results.allowed_before += allowed(budget, now - results.forgotten_at);
        results.forgotten_at = now;
    }

    pub fn is_within(&self, budget: Budget) -> bool {
        self.results
            .iter()
            .all(|results| results.given <= results.allowed_before + allowed(budget, self.now - results.forgotten_at))
    }

    /// Applies a count to the store. Returns false if the condition failed and the item is not the result of this count.
    pub fn apply(&mut self, world: &World, Copied { by, count }: Copied) -> bool {
        let found = self.item;
        let is_own = found.by == by;
        if is_own && world.design != Design::IgnoresItsOwnCount {
            return true;
        }
        if !may_count(world, found, count) {
            return false;
        }
        self.break_if(is_own, Promise::Once);
        let before = match (world.design, count.read) {
            (Design::StoresWhatItRead, Some(read)) => read,
            (_, Some(_)) => found.lane(count.is_home).map_or(0, |lane| lane.failures),
            (_, None) => 0,
        };
        let lane = Some(Lane { failures: if count.is_right { 0 } else { before + 1 }, last_at: count.now });
        self.item =
            Item { by, ..if count.is_home { Item { home: lane, ..found } } else { Item { common: lane, ..found } } };
        if count.is_right {
            self.forget(world.budget, count.is_home);
            if world.design == Design::SuccessEndsEveryBlock {
                self.item.common = self.item.common.map(|lane| Lane { failures: 0, ..lane });
            }
        }
        if let Some(guess) = self.guesses().find(|guess| guess.id == by) {
            self.change(Guess { is_counted: true, ..guess });
        }
        true
    }
}

/// The condition of the count. `tests/it/throttle/condition.rs` compares it with the expression of DynamoDB.
fn may_count(world: &World, found: Item, count: Count) -> bool {
    if matches!(world.design, Design::CountsWithoutACondition | Design::StoresWhatItRead) {
        return true;
    }
    let has_lane = found.lane(count.is_home).is_some();
    count.read.is_some() == has_lane && found.blocked_until(count.is_home, world.budget, count.now).is_none()
}

/// Returns the number of results that the budget allows in this number of seconds.
fn allowed(budget: Budget, seconds: u8) -> u8 {
    let (mut results, mut at) = (0, 0);
    while at <= u64::from(seconds) {
        results += 1;
        at += budget.delay(results);
    }
    u8::try_from(results).unwrap()
}
