//! The steps of a request, in the order of `src/grant/` and `src/http/oauth/`.

use countersign::refresh_token::{LostRotation, Standing};

use crate::World;
use crate::design::Design;
use crate::state::{Endpoint, Phase, Promise, Request, Sender, State, Stored, Write};

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
    /// The first round trip: reads the family, and decides with the current clock. A login reads nothing.
    pub fn read_family(&self, state: &mut State, request: Request) {
        let Some(token) = request.token else { return };
        match request.endpoint {
            Endpoint::Token => self.judge(state, request, token),
            Endpoint::Revocation => self.revoke(state, request),
            Endpoint::Introspection => self.introspect_family(state, request),
        }
    }

    /// Decides on a refresh.
    fn judge(&self, state: &mut State, request: Request, token: u8) {
        let Some(family) = state.family else {
            return self.respond(state, request, Response::Rejected);
        };
        let now = state.now();
        let rotation = |used| Some(Write::Rotate { used, now });
        let phase = match family.standing(self, token, now) {
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
            Standing::Foreign | Standing::Invalid(_) => return self.respond(state, request, Response::Rejected),
        };
        state.go(request, phase);
    }

    /// The second round trip: reads the user. If the user is valid, the request sends `write`.
    pub fn read_user(&self, state: &mut State, request: Request, write: Option<Write>) {
        let Some(token) = request.token else {
            return state.go(request, Phase::Writing(Write::Begin { session: state.session }));
        };
        let logged_out = state.family.is_some_and(|family| family.session != state.session);
        if request.endpoint == Endpoint::Introspection {
            let is_active = !logged_out || self.design == Design::IntrospectsLoggedOutFamilies;
            state.break_if(is_active && request.after_end, Promise::EndedIsInactive);
            return state.end(request.id);
        }
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

    /// Ends the login with one write, unless it is over.
    fn revoke(&self, state: &mut State, request: Request) {
        if state.has_family_ended() {
            return state.revoked(request);
        }
        if self.design == Design::RevokesAfterTheResponse {
            state.send_late(request.id, Write::Revoke);
            return state.revoked(request);
        }
        state.go(request, Phase::Writing(Write::Revoke));
    }

    /// An access token of the login is not active if the login is over. Otherwise the user decides.
    fn introspect_family(&self, state: &mut State, request: Request) {
        if state.has_family_ended() && self.design != Design::IntrospectsRevokedFamilies {
            return state.end(request.id);
        }
        state.go(request, Phase::UserNext(None));
    }

    /// The read of the user fails. Only [`Design::Before`] writes after that.
    pub fn fail_user_read(&self, state: &mut State, request: Request) {
        match (self.design, request.token) {
            (Design::Before, Some(used)) => {
                let write = Write::TolerateRetries { used, until: state.now() + TOLERATED };
                state.go(request, Phase::Writing(write));
            }
            _ => self.respond(state, request, Response::Dropped),
        }
    }

    /// The write reaches the store, and the request gets its response.
    pub fn write(&self, state: &mut State, request: Request, write: Write) {
        let applied = state.apply(self.design, write, request.id);
        let request = state.request(request.id);
        match write {
            // An existing family is the result of the same write, which was sent twice.
            Write::Begin { .. } => state.go(request, Phase::Responding(0)),
            Write::Revoke if request.endpoint == Endpoint::Revocation => state.revoked(request),
            Write::Revoke => self.respond(state, request, Response::Rejected),
            Write::TolerateRetries { .. } => self.respond(state, request, Response::Dropped),
            Write::Rotate { used, .. } if applied => state.rotated(request, used),
            Write::Rotate { used, now } => self.lost_rotation(state, request, (used, now)),
        }
    }

    /// Handles a rotation whose condition failed, with the family that it found.
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
        self.design.ends_after_lost_rotation() && found.standing(self, used, now) == Standing::Replayed
    }

    /// Ends a request at the deadline or after the last attempt of the SDK. Its write may still arrive.
    pub fn drop_request(&self, state: &mut State, request: Request) {
        if let Phase::Writing(write) | Phase::WritingBeforeUser(write) = request.phase {
            state.send_late(request.id, write);
            let may_be_used = matches!(write, Write::Rotate { .. });
            state.unsure |= may_be_used && state.is_newest(request);
        }
        self.respond(state, request, Response::Dropped);
    }

    /// Ends the request with a response without a token, which does not change the client.
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
        state.break_if(self.has_no_attacker_and_a_correct_clock() && !expected, Promise::ErrorHasACause);
        state.end(request.id);
    }
}

impl State {
    fn has_family_ended(&self) -> bool {
        self.family.is_none_or(|family| family.family().end(self.now().into()).is_some())
    }

    /// Responds to a revocation. From then on the login is over.
    fn revoked(&mut self, request: Request) {
        self.over = true;
        self.end(request.id);
    }

    fn rotated(&mut self, request: Request, used: u8) {
        let phase = match request.phase {
            Phase::WritingBeforeUser(_) => Phase::UserNext(None),
            _ => Phase::Responding(used + 1),
        };
        self.go(request, phase);
    }

    /// Delivers a response with a refresh token, or loses it.
    pub fn deliver(&mut self, request: Request, (token, lost): (u8, bool)) {
        if lost {
            self.unsure |= self.is_newest(request);
        } else if request.sender == Sender::Attacker {
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
