//! The events, which happen in any order, and the properties of every state.

use stateright::{Model, Property};

use super::design::Design;
use super::records::{Given, Login};
use super::state::{Copied, Kind, LATE, LOGINS, Owner, Phase, Promise, REQUESTS, State};

/// No request that begins after the response to a removal gets tokens of the removed consent (S-822).
pub const REMOVED: &str = "removed client gets nothing";
/// No request that begins after the end date gets tokens (S-821).
pub const ENDED: &str = "nothing after the end date";
/// A consent that is granted again makes no earlier login valid (S-821).
pub const AGAIN: &str = "new consent revives nothing";
/// A removal with a response has removed the consent.
pub const REMOVES: &str = "removal removes";
/// A removal, also a late one, removes only the consent that it read.
pub const ONLY_READ: &str = "removal removes nothing else";
/// A write of a request that has ended changes no consent after the write of a later request: it brings back no removed
/// consent and undoes no end date. The write of a use never does.
pub const STALE: &str = "late write undoes nothing";
/// A grant without the page changes no end date, even if the user set it meanwhile.
pub const QUIET: &str = "no page, no other end date";
/// A valid login has no scope that the consent does not show.
pub const SHOWN: &str = "consent shows each scope";

/// The events that may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// Authorizations that may get a code, at most [`LOGINS`].
    pub codes: u8,
    /// Exchanges and refreshes.
    pub uses: u8,
    /// Removals on the account page.
    pub removals: u8,
    /// Changes of the end date.
    pub limits: u8,
    /// Lost, duplicated and late writes, and dropped requests.
    pub faults: u8,
    /// True if the end date may pass.
    pub passes: bool,
}

/// The service and its store, the client and the user.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub design: Design,
    pub left: Left,
    /// True if there is a consent without an end from the beginning.
    pub has_consent: bool,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A request arrives.
    Begin(Kind),
    /// The store responds to the call of the request.
    Progress(u8),
    /// Fault: the SDK repeats the write, because the response is late. The first copy arrives later, or never.
    Delay(u8),
    /// Fault: the deadline drops the request, or its call fails. Its write may arrive later.
    Drop(u8),
    /// A late copy of a write reaches the store.
    Arrive(Copied),
    /// The end date passes.
    PassEnd,
}

/// Returns the requests that may begin.
fn kinds(state: &State) -> Vec<Kind> {
    let left = state.left;
    let mut kinds = Vec::new();
    if left.codes > 0 {
        for (is_wide, by_page) in [(false, false), (true, false), (false, true), (true, true)] {
            kinds.push(Kind::Authorize { is_wide, by_page });
        }
    }
    if left.uses > 0 {
        let redeem = |login: Login| Kind::Redeem { login: login.id, used: login.family.generation };
        kinds.extend(state.logins.into_iter().flatten().map(redeem));
    }
    kinds.extend((left.removals > 0).then_some(Kind::Remove));
    if left.limits > 0 {
        // The page offers no end date in the past.
        kinds.extend((!state.is_late).then_some(Kind::Limit { until: true }));
        kinds.push(Kind::Limit { until: false });
    }
    kinds
}

impl Left {
    fn take(&mut self, kind: Kind) {
        match kind {
            Kind::Authorize { .. } => self.codes -= 1,
            Kind::Redeem { .. } => self.uses -= 1,
            Kind::Remove => self.removals -= 1,
            Kind::Limit { .. } => self.limits -= 1,
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let consent = self.has_consent.then_some(Given { id: 1, is_wide: false, until: false });
        vec![State {
            owner: Owner { consent, revision: 0 },
            logins: [None; LOGINS],
            requests: [None; REQUESTS],
            late: [None; LATE],
            left: self.left,
            begun: 0,
            ids: 1,
            is_late: false,
            removed: 0,
            ended: 0,
            gone: 0,
            broken: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.requests().count() < REQUESTS {
            actions.extend(kinds(state).into_iter().map(Action::Begin));
        }
        for request in state.requests() {
            actions.push(Action::Progress(request.id));
            if state.left.faults > 0 && matches!(request.phase, Phase::Writing(..)) {
                actions.extend([Action::Drop(request.id), Action::Delay(request.id)]);
            }
        }
        actions.extend(state.late.iter().flatten().copied().map(Action::Arrive));
        actions.extend((state.left.passes && !state.is_late).then_some(Action::PassEnd));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::Begin(kind) => {
                next.left.take(kind);
                next.begin(kind);
            }
            Action::Progress(id) => self.progress(&mut next, state.request(id)),
            Action::Delay(id) | Action::Drop(id) => {
                next.left.faults -= 1;
                if let Phase::Writing(write, _) = state.request(id).phase {
                    next.send_late(id, write);
                }
                if matches!(action, Action::Drop(_)) {
                    next.end(id);
                }
            }
            Action::Arrive(copy) => {
                *next.late.iter_mut().find(|slot| **slot == Some(copy))? = None;
                next.apply(self.design, (copy.by, copy.write), copy.is_stale);
            }
            Action::PassEnd => {
                next.is_late = true;
                if let Some(consent) = next.owner.consent.filter(|consent| consent.until) {
                    next.ended |= 1 << consent.id;
                }
            }
        }
        next.normalize();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(REMOVED, |_, state: &State| state.keeps(Promise::Removed)),
            Property::always(ENDED, |_, state: &State| state.keeps(Promise::Ended)),
            Property::always(AGAIN, |_, state: &State| state.keeps(Promise::Again)),
            Property::always(REMOVES, |_, state: &State| state.keeps(Promise::Removes)),
            Property::always(ONLY_READ, |_, state: &State| state.keeps(Promise::OnlyRead)),
            Property::always(STALE, |_, state: &State| state.keeps(Promise::Stale)),
            Property::always(QUIET, |_, state: &State| state.keeps(Promise::Quiet)),
            Property::always(SHOWN, |_, state: &State| shows_each_scope(state)),
        ]
    }
}

fn shows_each_scope(state: &State) -> bool {
    let Some(consent) = state.owner.consent else { return true };
    let hides = |login: Login| login.consent == consent.id && login.is_wide && !consent.is_wide;
    !state.logins.into_iter().flatten().any(hides)
}
