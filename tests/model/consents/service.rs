//! The steps of a request, in the order of `src/http/browser/` and `src/grant/`.

use countersign::consent::Period;
use countersign::refresh_token::{LostRotation, Presented, Standing};

use super::design::Design;
use super::records::{Given, Login, needs_no_page, time};
use super::state::{Kind, Owner, Phase, Promise, Put, Request, State, Write};
use super::world::World;
use crate::GRACE;
use crate::state::{CLIENT, next_generation};

impl World {
    /// The store responds to the call of the request.
    pub fn progress(self, state: &mut State, request: Request) {
        match (request.phase, request.kind) {
            (Phase::Reading(before), Kind::Authorize { is_wide, by_page }) => {
                self.authorize(state, request, (is_wide, by_page, before));
            }
            (Phase::Reading(_), Kind::Redeem { login, used }) => Self::judge(state, request, (login, used)),
            (Phase::Reading(_), Kind::Remove) => self.remove(state, request),
            (Phase::Reading(before), Kind::Limit { until }) => {
                let read = state.owner;
                match read.consent.and_then(|consent| consent.limited(until, time(request.is_late))) {
                    Some(new) => put(state, request, (read, new), before),
                    None => state.end(request.id),
                }
            }
            (Phase::Checking { rotates }, Kind::Redeem { login, used }) => {
                self.check(state, request, (login, used, rotates));
            }
            (Phase::Checking { .. }, _) => {}
            (Phase::Writing(write, again), _) => self.write(state, request, (write, again)),
        }
    }

    /// Decides on the consent that was read: it is written, if it changes, then the code is issued. `before` is true if the
    /// request read another consent before, and false if it read none.
    fn authorize(self, state: &mut State, request: Request, (is_wide, by_page, before): (bool, bool, Option<bool>)) {
        let (read, now) = (state.owner, time(request.is_late));
        let found = read.consent;
        if !by_page && before.is_none() && !needs_no_page(found, is_wide, now) {
            return state.end(request.id);
        }
        let selected = Period::preselected(found.map(Given::consent).as_ref(), now);
        let period = match before.unwrap_or(found.is_some()) {
            _ if by_page => Period::Unlimited,
            true => Period::Keep,
            false if before.is_some() && self.design == Design::SelectsThePeriodOnce => Period::Unlimited,
            false => selected,
        };
        let new_id = if self.design == Design::GrantsTheSameId { 1 } else { state.ids + 1 };
        let Some(new) = Given::granted(found, (is_wide, period), now, new_id) else {
            return state.end(request.id);
        };
        let new = match found {
            Some(found) if self.design == Design::KeepsTheIdOfAnEndedConsent => Given { id: found.id, ..new },
            _ => new,
        };
        if found == Some(new) {
            return begin(state, request, (new, is_wide));
        }
        state.ids = state.ids.max(new.id);
        put(state, request, (read, new), before);
    }

    fn remove(self, state: &mut State, request: Request) {
        let Some(read) = state.owner.consent else {
            return state.end(request.id);
        };
        if self.design == Design::RespondsBeforeTheRemoval {
            state.send_late(request.id, Write::Remove(read.id));
            return removed(state, request, read.id);
        }
        state.go(request.id, Phase::Writing(Write::Remove(read.id), false));
    }

    /// Decides on the family that was read.
    fn judge(state: &mut State, request: Request, (login, used): (u8, u8)) {
        let presented = Presented { generation: used.into(), client_id: CLIENT, at: time(request.is_late) };
        let standing = state.login(login).unwrap().family().standing(presented, grace(used));
        let phase = match standing {
            Standing::Active => Phase::Checking { rotates: true },
            Standing::Retried => Phase::Checking { rotates: false },
            Standing::Replayed | Standing::RolledBack => Phase::Writing(Write::Revoke(login), false),
            Standing::Undecided | Standing::Foreign | Standing::Invalid(_) => return state.end(request.id),
        };
        state.go(request.id, phase);
    }

    /// Decides on the consent of the login. The use of the consent is written in parallel with the rotation.
    fn check(self, state: &mut State, request: Request, (login, used, rotates): (u8, u8, bool)) {
        let (found, read) = (state.login(login).unwrap(), state.owner.consent);
        let is_valid = self.is_valid(found, read, time(request.is_late));
        let phase = match is_valid {
            true if !rotates => return state.issue(request),
            true => Phase::Writing(Write::Rotate { login, used, is_late: request.is_late }, false),
            // An exchange changes nothing, a refresh ends the login.
            false if used == 0 => return state.end(request.id),
            false => Phase::Writing(Write::Revoke(login), false),
        };
        if let Some(read) = read.filter(|_| is_valid && used > 0) {
            state.send_late(request.id, Write::Use(read));
        }
        state.go(request.id, phase);
    }

    fn is_valid(self, login: Login, read: Option<Given>, now: u64) -> bool {
        let its_own = Given { id: login.consent, is_wide: login.is_wide, until: false };
        match self.design {
            Design::IgnoresTheConsent => login.is_valid(Some(its_own), now),
            Design::AcceptsAnyConsent => login.is_valid(read.map(|read| Given { id: login.consent, ..read }), now),
            Design::IgnoresTheEndDate => login.is_valid(read.map(|read| Given { until: false, ..read }), now),
            _ => login.is_valid(read, now),
        }
    }

    /// The write reaches the store.
    fn write(self, state: &mut State, request: Request, (write, again): (Write, bool)) {
        let applied = state.apply(self.design, (request.id, write), false);
        match write {
            Write::Put(Put { read, new, .. }) => {
                let is_own = state.owner.consent.is_some_and(|found| found.consent().is_equivalent(&new.consent()));
                match request.kind {
                    _ if !applied && !is_own && again => state.end(request.id),
                    _ if !applied && !is_own => state.go(request.id, Phase::Reading(Some(read.consent.is_some()))),
                    Kind::Authorize { is_wide, .. } => begin(state, request, (new, is_wide)),
                    _ => state.end(request.id),
                }
            }
            Write::Remove(id) => removed(state, request, id),
            Write::Rotate { login, used, .. } if !applied => Self::lost_rotation(state, request, (login, used)),
            Write::Rotate { .. } => state.issue(request),
            Write::Begin(_) | Write::Revoke(_) | Write::Use(_) => state.end(request.id),
        }
    }

    fn lost_rotation(state: &mut State, request: Request, (login, used): (u8, u8)) {
        let found = state.login(login).unwrap();
        let next = next_generation(time(request.is_late), request.id);
        match found.family().after_lost_rotation(used.into(), &next, grace(used)) {
            LostRotation::SuccessorIsActive => state.issue(request),
            LostRotation::Rejected(_) if used == 0 && !found.family.revoked => {
                state.go(request.id, Phase::Writing(Write::Revoke(login), false));
            }
            LostRotation::Rejected(_) | LostRotation::Undecided(_) => state.end(request.id),
        }
    }
}

/// Returns the grace for a generation. A code has none.
fn grace(used: u8) -> u32 {
    if used == 0 { 0 } else { GRACE }
}

fn put(state: &mut State, request: Request, (read, new): (Owner, Given), before: Option<bool>) {
    let by_page = !matches!(request.kind, Kind::Authorize { by_page: false, .. });
    let put = Put { read, new, by_page, is_late: request.is_late };
    state.go(request.id, Phase::Writing(Write::Put(put), before.is_some()));
}

/// Issues a code with the stored consent.
fn begin(state: &mut State, request: Request, (consent, is_wide): (Given, bool)) {
    let login = Login::begin(request.id, consent, is_wide);
    state.go(request.id, Phase::Writing(Write::Begin(login), false));
}

/// Responds to a removal.
fn removed(state: &mut State, request: Request, id: u8) {
    state.removed |= 1 << id;
    state.break_if(state.owner.consent.is_some_and(|found| found.id == id), Promise::Removes);
    state.end(request.id);
}
