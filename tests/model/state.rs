//! The state of the model. It is small, because the checker keeps millions of states.

use std::sync::LazyLock;

use countersign::refresh_token::{Family, LostRotation, NextGeneration, Presented, Standing};
use countersign::scope::Scope;
use countersign::user::Username;

use crate::World;
use crate::design::Design;

/// The requests that run simultaneously, each in a separate execution environment.
pub const ENVIRONMENTS: usize = 3;
/// The late copies of writes that may be in flight.
pub const LATE: usize = 3;
/// The time of the login, in seconds.
pub const START: u8 = 100;
/// A time that is longer than the grace, in seconds.
pub const LONG: u8 = 11;
/// A step of the clock, in seconds. After a step back, a rotation is more than the grace in the future, even after
/// [`LONG`].
pub const STEP: i8 = 22;
pub const CLIENT: &str = "app";
const NEVER: u64 = 1_000_000;

static USERNAME: LazyLock<Username> = LazyLock::new(|| Username::parse("user").unwrap());

/// The attributes of a stored family that change, or that differ between runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stored {
    pub session: u8,
    pub generation: u8,
    pub rotated_at: u8,
    /// The id of the request that rotated the family; 0 if the request has ended and no copy of its write is in flight.
    pub rotated_by: u8,
    pub revoked: bool,
    /// Only in [`Design::Before`]: the time until which the used token is accepted again.
    pub retry_until: u8,
}

impl Stored {
    /// Returns the family as the service reads it.
    pub fn family(self) -> Family {
        Family {
            client_id: CLIENT.to_owned(),
            username: USERNAME.clone(),
            user_id: String::new(),
            session_generation: Some(self.session.into()),
            scopes: Scope::parse("s").unwrap(),
            version: 2,
            auth_time: START.into(),
            generation: self.generation.into(),
            rotated_at: self.rotated_at.into(),
            rotated_by: self.rotated_by.to_string(),
            revoked: self.revoked,
            absolute_expires_at: NEVER,
            expires_at: NEVER,
            resource: None,
            cnf: None,
            authorization: None,
        }
    }

    /// Returns the family that a rotation by the request `by` at `now` would store.
    pub fn next(self, used: u8, now: u8, by: u8) -> Self {
        Self { generation: used + 1, rotated_at: now, rotated_by: by, retry_until: 0, ..self }
    }

    /// Decides on a presented generation with the function of the service.
    pub fn standing(self, world: &World, generation: u8, now: u8) -> Standing {
        let standing = self
            .family()
            .standing(Presented { generation: generation.into(), client_id: CLIENT, at: now.into() }, world.grace);
        match (world.design, standing) {
            (Design::Before, Standing::Replayed) if generation + 1 == self.generation && now < self.retry_until => {
                Standing::Retried
            }
            (Design::AcceptsEveryUsedToken, Standing::Replayed) => Standing::Retried,
            (Design::IgnoresTheClockBehind, Standing::Undecided) => Standing::Replayed,
            _ => standing,
        }
    }

    /// Decides on a rotation whose condition failed and that found this state, with the function of the service.
    pub fn after_lost_rotation(self, design: Design, (used, now, by): (u8, u8, u8), grace: u32) -> LostRotation {
        let found = match design {
            Design::IgnoresItsOwnWrite => Self { rotated_by: 0, ..self },
            Design::AcceptsItsOwnRevokedWrite if self.rotated_by == by => Self { revoked: false, ..self },
            _ => self,
        };
        found.family().after_lost_rotation(used.into(), &next_generation(now.into(), by), grace)
    }
}

/// Returns the generation that a rotation by the request `by` at `now` makes, as the service writes it.
pub fn next_generation(now: u64, by: u8) -> NextGeneration<'static> {
    NextGeneration { client_id: CLIENT, rotated_at: now, rotated_by: by.to_string(), expires_at: NEVER, cnf: None }
}

/// A write on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Write {
    /// A login stores its family, with the session generation of the user that it read.
    Begin { session: u8 },
    /// A refresh makes the successor of the generation `used` the active one.
    Rotate { used: u8, now: u8 },
    /// A request revokes the family.
    Revoke,
    /// Only in [`Design::Before`]: the used token is accepted again until this time.
    TolerateRetries { used: u8, until: u8 },
}

/// The progress of a request. Between two phases it waits for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The request has read nothing.
    Arrived,
    /// The request reads the user. Then it sends the write, if there is one.
    UserNext(Option<Write>),
    /// Only in designs that rotate before they know the user: the write is in flight, then the user is read.
    WritingBeforeUser(Write),
    /// The write is in flight.
    Writing(Write),
    /// A response with this refresh token is in flight to the client.
    Responding(u8),
}

/// The endpoint of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// A login or a refresh.
    Token,
    Revocation,
    Introspection,
}

/// The sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sender {
    Client,
    Attacker,
}

/// A running request.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact that a promise needs")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    /// A number that no other request and no late copy has.
    pub id: u8,
    pub sender: Sender,
    pub endpoint: Endpoint,
    /// The presented generation; `None` for a login.
    pub token: Option<u8>,
    pub phase: Phase,
    /// True if the rotation was applied.
    pub applied: bool,
    /// True if the request began after the end of the login.
    pub after_end: bool,
    /// True if the token was too old for a retry when the request began.
    pub stale: bool,
    /// True if the token is a replay.
    pub replay: bool,
}

impl Request {
    /// Returns true if the rotation of the request is in flight.
    pub fn is_rotating(&self) -> bool {
        let (Phase::Writing(write) | Phase::WritingBeforeUser(write)) = self.phase else { return false };
        matches!(write, Write::Rotate { .. })
    }
}

/// A copy of a write that arrives late, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Copied {
    pub by: u8,
    pub write: Write,
}

/// The events that may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Refresh requests of the client.
    pub client: u8,
    /// Refresh requests of the attacker.
    pub attacker: u8,
    /// Revocations by the client.
    pub revocations: u8,
    /// Introspections of an access token of the login.
    pub introspections: u8,
    /// Lost, duplicated and late messages, and dropped requests.
    pub faults: u8,
    /// The number of times that the grace passes.
    pub graces: u8,
    /// True if the clock may step back. The clock steps once.
    pub back: bool,
    /// True if the clock may step forward.
    pub forward: bool,
    /// Log-outs and revocations by an operator.
    pub ends: u8,
}

/// A promise that one step can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    OneIsActive,
    EndIsFinal,
    NothingRotatesAfterTheEnd,
    RejectedConsumesNothing,
    ReplayEnds,
    OldTokenYieldsNothing,
    SameSuccessor,
    ErrorHasACause,
    EndedIsInactive,
}

/// The state of the store, the requests, the client, the attacker and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub family: Option<Stored>,
    /// The session generation of the user.
    pub session: u8,
    pub time: u8,
    /// The difference between the clock and the time.
    pub clock: i8,
    pub requests: [Option<Request>; ENVIRONMENTS],
    pub late: [Option<Copied>; LATE],
    /// The newest token of the client, which its tabs share.
    pub token: Option<u8>,
    /// True if the response to a request that may have used that token was lost.
    pub unsure: bool,
    /// The newest token of the attacker, who also has a copy of generation 0.
    pub stolen: u8,
    pub left: Budget,
    /// The highest generation so far.
    pub highest: u8,
    /// True if the login has ended, or if a revocation got its response.
    pub over: bool,
    /// The successors in responses, for each presented generation: one bit for each successor.
    pub given: [u8; 6],
    /// The broken promises, one bit each.
    pub broken: u16,
}

impl State {
    pub fn now(&self) -> u8 {
        self.time.saturating_add_signed(self.clock)
    }

    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().flatten()
    }

    pub fn request(&self, id: u8) -> Request {
        *self.requests().find(|request| request.id == id).unwrap()
    }

    pub fn change(&mut self, id: u8, change: impl FnOnce(&mut Request)) {
        if let Some(request) = self.requests.iter_mut().flatten().find(|request| request.id == id) {
            change(request);
        }
    }

    pub fn is_referenced(&self, id: u8) -> bool {
        self.late.iter().flatten().any(|copy| copy.by == id)
            || self.family.is_some_and(|family| family.rotated_by == id)
    }

    /// Adds a request with the lowest free id. An execution environment must be free.
    pub fn begin(&mut self, request: Request) {
        let taken = |id| self.requests().any(|other| other.id == id) || self.is_referenced(id);
        let id = (1..=u8::MAX).find(|id| !taken(*id)).unwrap();
        *self.requests.iter_mut().find(|slot| slot.is_none()).unwrap() = Some(Request { id, ..request });
        self.sort();
    }

    pub fn end(&mut self, id: u8) {
        for slot in &mut self.requests {
            if slot.is_some_and(|request| request.id == id) {
                *slot = None;
            }
        }
        self.sort();
    }

    /// Returns true if a login has read the user.
    pub fn is_login_begun(&self) -> bool {
        let begins = |write| matches!(write, Write::Begin { .. });
        let reads = |request: &Request| matches!(request.phase, Phase::Writing(write) if begins(write));
        self.family.is_some() || self.requests().any(reads) || self.late.iter().flatten().any(|copy| begins(copy.write))
    }

    /// Puts a copy of a write in flight if there is room. The copy arrives later, or never.
    pub fn send_late(&mut self, by: u8, write: Write) {
        if let Some(slot) = self.late.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Copied { by, write });
        }
        self.sort();
    }

    /// Normalizes the state: the order of requests and copies, and the id of an ended request, have no meaning.
    pub fn sort(&mut self) {
        self.requests.sort_unstable_by_key(|slot| slot.map_or(u8::MAX, |request| request.id));
        self.late.sort_unstable_by_key(|slot| (slot.is_none(), *slot));
        let (requests, late) = (self.requests, self.late);
        if let Some(family) = &mut self.family {
            let by = family.rotated_by;
            let known = requests.iter().flatten().any(|request| request.id == by)
                || late.iter().flatten().any(|copy| copy.by == by);
            if !known {
                family.rotated_by = 0;
            }
        }
    }

    pub fn break_if(&mut self, broken: bool, promise: Promise) {
        self.broken |= u16::from(broken) << promise as u8;
    }

    pub fn keeps(&self, promise: Promise) -> bool {
        self.broken & (1 << promise as u8) == 0
    }

    /// Applies a write of the request `by` to the store. Returns false if the condition failed.
    pub fn apply(&mut self, design: Design, write: Write, by: u8) -> bool {
        let applied = self.store(design, write, by);
        if let Some(family) = self.family.filter(|_| applied) {
            let (stored, now) = (family.family(), self.now().into());
            let active = (0..=family.generation.max(self.highest) + 1).filter(|generation| {
                stored.standing(Presented { generation: (*generation).into(), client_id: CLIENT, at: now }, 0)
                    == Standing::Active
            });
            let several = active.count() > 1;
            self.break_if(several || family.generation < self.highest, Promise::OneIsActive);
            self.highest = self.highest.max(family.generation);
        }
        applied
    }

    fn store(&mut self, design: Design, write: Write, by: u8) -> bool {
        let found = self.family;
        match (write, found) {
            (Write::Begin { session }, _) => {
                let may = found.is_none() || design == Design::OverwritesTheFamily;
                if may {
                    let new = Stored {
                        session,
                        generation: 0,
                        rotated_at: START,
                        rotated_by: 0,
                        revoked: false,
                        retry_until: 0,
                    };
                    self.family = Some(new);
                }
                may
            }
            (_, None) => false,
            (Write::Rotate { used, now }, Some(found)) => self.rotate(design, found, (used, now, by)),
            (Write::Revoke, Some(found)) => {
                self.family = Some(Stored { revoked: true, ..found });
                self.over = true;
                true
            }
            (Write::TolerateRetries { used, until }, Some(found)) => {
                let may = found.generation == used + 1 && !found.revoked;
                if may {
                    self.family = Some(Stored { retry_until: until, ..found });
                }
                may
            }
        }
    }

    fn rotate(&mut self, design: Design, found: Stored, (used, now, by): (u8, u8, u8)) -> bool {
        let compared = match design {
            Design::RotatesRevokedFamilies => Stored { revoked: false, ..found },
            Design::RotatesAnyGeneration => Stored { generation: used, ..found },
            _ => found,
        };
        // The condition of the write. `tests/it/store/conditional_writes.rs` compares it with the expression of DynamoDB.
        let may =
            compared.family().standing(Presented { generation: used.into(), client_id: CLIENT, at: now.into() }, 0)
                == Standing::Active;
        if may {
            self.break_if(found.revoked, Promise::NothingRotatesAfterTheEnd);
            self.family = Some(found.next(used, now, by));
            self.change(by, |request| request.applied = true);
        }
        may
    }
}
