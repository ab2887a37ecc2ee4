//! The steps of a request, in the order of `src/grant/refresh_token.rs` and `src/grant/password.rs`.

use countersign::refresh_token::{LostRotation, Standing};

use crate::World;
use crate::design::Design;
use crate::state::{Phase, Promise, Request, Sender, State, Stored, Write};

/// The seconds for which [`Design::Before`] accepted a used token again after an outage.
const TOLERATED: u8 = 100;

/// A response without a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Response {
    /// 400 `invalid_grant`
    Rejected,
    /// 503, because the stored family does not decide.
    Undecided,
    /// 503, because of a fault.
    Dropped,
}

impl World {
    /// The first round trip of a refresh: the family, judged by the clock of now. A login reads nothing.
    pub fn read_family(&self, state: &mut State, request: Request) {
        let Some(token) = request.token else { return };
        let Some(family) = state.family else {
            return self.respond(state, request, Response::Rejected);
        };
        let now = state.now();
        let rotation = |used| Some(Write::Rotate { used, now });
        let phase = match family.standing(self.design, token, now, self.grace) {
            Standing::Active if self.design.rotates_before_user() => {
                Phase::WritingBeforeUser(Write::Rotate { used: token, now })
            }
            Standing::Active => Phase::UserNext(rotation(token)),
            Standing::Retried if self.design == Design::RotatesForRetries => {
                Phase::UserNext(rotation(family.generation))
            }
            Standing::Retried => Phase::UserNext(None),
            Standing::Replayed if self.design == Design::OnlyRejectsReplays => {
                state.change(request.id, |request| request.replay = true);
                return self.respond(state, state.request(request.id), Response::Rejected);
            }
            Standing::RolledBack => Phase::Writing(Write::Revoke),
            Standing::Replayed => {
                state.change(request.id, |request| request.replay = true);
                Phase::Writing(Write::Revoke)
            }
            Standing::Undecided => return self.respond(state, request, Response::Undecided),
            Standing::Invalid(_) => return self.respond(state, request, Response::Rejected),
        };
        state.go(request, phase);
    }

    /// The second round trip: the user. `write` is what the request does with a valid one.
    pub fn read_user(&self, state: &mut State, request: Request, write: Option<Write>) {
        let Some(token) = request.token else {
            return state.go(request, Phase::Writing(Write::Begin { session: state.session }));
        };
        let logged_out = state.family.is_some_and(|family| family.session != state.session);
        let phase = match write {
            _ if logged_out && self.design != Design::IgnoresLogOut => Phase::Writing(Write::Revoke),
            Some(Write::Rotate { used, now }) if self.design == Design::RespondsBeforeTheWrite => {
                state.send_late(request.id, Write::Rotate { used, now });
                Phase::Responding(used + 1)
            }
            Some(write) => Phase::Writing(write),
            None => Phase::Responding(token + 1),
        };
        state.go(request, phase);
    }

    /// The user cannot be read. Only [`Design::Before`] has something to write then.
    pub fn miss_user(&self, state: &mut State, request: Request) {
        match (self.design, request.token) {
            (Design::Before, Some(used)) => {
                let write = Write::TolerateRetries { used, until: state.now() + TOLERATED };
                state.go(request, Phase::Writing(write));
            }
            _ => self.respond(state, request, Response::Dropped),
        }
    }

    /// The write reaches the store, and its response the request.
    pub fn write(&self, state: &mut State, request: Request, write: Write) {
        let applied = state.apply(self.design, write, request.id);
        let request = state.request(request.id);
        match write {
            // A family that exists is the login's own write, sent twice.
            Write::Begin { .. } => state.go(request, Phase::Responding(0)),
            Write::Revoke => self.respond(state, request, Response::Rejected),
            Write::TolerateRetries { .. } => self.respond(state, request, Response::Dropped),
            Write::Rotate { used, .. } if applied => state.rotated(request, used),
            Write::Rotate { used, now } => self.lost_rotation(state, request, (used, now)),
        }
    }

    /// The condition of the rotation failed: the family that it found decides.
    fn lost_rotation(&self, state: &mut State, request: Request, (used, now): (u8, u8)) {
        let Some(found) = state.family else {
            return self.respond(state, request, Response::Rejected);
        };
        match found.after_lost_rotation(self.design, (used, now, request.id), self.grace) {
            LostRotation::SuccessorIsActive => {
                state.break_if(found.revoked, Promise::EndIsFinal);
                state.rotated(request, used);
            }
            LostRotation::Rejected(_) if self.ends_after_lost_rotation(found, used, now) => {
                state.go(request, Phase::Writing(Write::Revoke));
            }
            LostRotation::Rejected(_) => self.respond(state, request, Response::Rejected),
            LostRotation::Undecided(_) => self.respond(state, request, Response::Undecided),
        }
    }

    fn ends_after_lost_rotation(&self, found: Stored, used: u8, now: u8) -> bool {
        self.design.ends_after_lost_rotation()
            && found.standing(self.design, used, now, self.grace) == Standing::Replayed
    }

    /// The deadline drops the request, or the SDK gives up. A write that was sent may still arrive.
    pub fn drop_request(&self, state: &mut State, request: Request) {
        if let Phase::Writing(write) | Phase::WritingBeforeUser(write) = request.phase {
            state.send_late(request.id, write);
            let may_be_used = matches!(write, Write::Rotate { .. });
            state.unsure |= may_be_used && state.is_newest(request);
        }
        self.respond(state, request, Response::Dropped);
    }

    /// Responds without a token, which ends the request: its client learns nothing from it.
    fn respond(&self, state: &mut State, request: Request, response: Response) {
        state.break_if(request.applied && !request.is_rotating(), Promise::RejectedConsumesNothing);
        let has_newer = state.token.is_some_and(|newest| Some(newest) > request.token);
        let expected = match response {
            Response::Rejected => {
                let ended = state.family.is_none_or(|family| family.revoked);
                state.break_if(request.replay && !ended, Promise::ReplayEnds);
                has_newer || state.over
            }
            Response::Undecided => false,
            Response::Dropped => true,
        };
        state.break_if(self.is_without_thief_and_clock() && !expected, Promise::ErrorHasACause);
        state.end(request.id);
    }
}

impl State {
    fn rotated(&mut self, request: Request, used: u8) {
        let phase = match request.phase {
            Phase::WritingBeforeUser(_) => Phase::UserNext(None),
            _ => Phase::Responding(used + 1),
        };
        self.go(request, phase);
    }

    /// The response with a refresh token reaches the client, or is lost.
    pub fn deliver(&mut self, request: Request, (token, lost): (u8, bool)) {
        if lost {
            self.unsure |= self.is_newest(request);
        } else if request.sender == Sender::Thief {
            self.stolen = self.stolen.max(token);
        } else if self.token.is_none_or(|newest| newest < token) {
            self.token = Some(token);
            self.unsure = false;
        }
        self.end(request.id);
    }

    fn is_newest(&self, request: Request) -> bool {
        request.sender == Sender::Client && request.token.is_some() && request.token == self.token
    }

    fn go(&mut self, request: Request, phase: Phase) {
        if let (Phase::Responding(successor), Some(token)) = (phase, request.token) {
            self.break_if(request.after_end, Promise::EndIsFinal);
            self.break_if(request.stale, Promise::OldTokenYieldsNothing);
            let given = &mut self.given[usize::from(token)];
            *given |= 1 << successor;
            let several = given.count_ones() > 1;
            self.break_if(several || successor > self.highest, Promise::SameSuccessor);
        }
        let next = Request { phase, ..request };
        self.break_if(next.is_rotating() && next.after_end, Promise::NothingRotatesAfterTheEnd);
        self.change(request.id, |request| request.phase = phase);
    }
}
