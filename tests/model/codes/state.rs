//! The state of the model of codes, and the store with its conditional writes.

use countersign::refresh_token::{Presented, Standing};

use super::world::Design;
use crate::state::{CLIENT, START, Stored, next_generation};

/// The requests that run simultaneously.
pub const REQUESTS: usize = 3;
/// The late copies of writes that may be in flight.
pub const LATE: usize = 2;

/// A write on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Write {
    /// Generation 1 becomes the active one.
    Exchange,
    /// The family ends.
    Revoke,
}

/// The progress of an exchange. Between two phases it waits for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The request has read nothing.
    Arrived,
    /// The code is unused. The request reads the user, the consent and the session.
    Proven,
    /// Only in [`Design::ExchangesBeforeTheRecordsAreRead`]: the code is used, then the records are read.
    Exchanged,
    /// The write is in flight.
    Writing(Write),
}

/// A running request with its id, which no other request and no late copy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    pub id: u8,
    pub phase: Phase,
}

/// A promise that one step can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    Replay,
    Consumes,
    Final,
}

/// The state of the store and of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub family: Stored,
    pub requests: [Option<Request>; REQUESTS],
    /// The writes that arrive late, or never, each with the id of its request.
    pub late: [Option<(u8, Write)>; LATE],
    pub left: super::world::Left,
    /// The number of requests that began.
    pub begun: u8,
    /// The number of responses with tokens.
    pub issued: u8,
    /// True if an operator revoked the login.
    pub is_ended: bool,
    /// The broken promises, one bit each.
    pub broken: u8,
}

impl State {
    pub fn standing(&self) -> Standing {
        let presented = Presented { generation: 0, client_id: CLIENT, at: START.into() };
        self.family.family().standing(presented, 0)
    }

    /// Returns true if the family is the result of the exchange of this request.
    pub fn is_written_by(&self, id: u8) -> bool {
        self.family.family().is_written_by(&next_generation(START.into(), id))
    }

    pub fn requests(&self) -> impl Iterator<Item = Request> + use<> {
        self.requests.into_iter().flatten()
    }

    /// Begins a request. Ids are never used again, because few requests begin.
    pub fn begin(&mut self) {
        self.begun += 1;
        let request = Request { id: self.begun, phase: Phase::Arrived };
        *self.requests.iter_mut().find(|slot| slot.is_none()).unwrap() = Some(request);
    }

    pub fn go(&mut self, id: u8, phase: Phase) {
        for request in self.requests.iter_mut().flatten().filter(|request| request.id == id) {
            request.phase = phase;
        }
    }

    pub fn end(&mut self, id: u8) {
        for slot in self.requests.iter_mut().filter(|slot| slot.is_some_and(|request| request.id == id)) {
            *slot = None;
        }
    }

    pub fn send_late(&mut self, id: u8, write: Write) {
        if let Some(slot) = self.late.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some((id, write));
        }
    }

    /// Applies a write to the store. Returns false if the condition failed.
    pub fn apply(&mut self, design: Design, id: u8, write: Write) -> bool {
        if write == Write::Revoke {
            self.family.revoked = true;
            return true;
        }
        let found = self.family;
        match design {
            Design::ExchangesAnyGeneration => self.family.generation = 0,
            Design::ExchangesRevokedFamilies => self.family.revoked = false,
            _ => {}
        }
        let may = self.standing() == Standing::Active;
        self.family = found;
        if may {
            self.break_if(found.revoked, Promise::Final);
            self.family = Stored { generation: 1, rotated_by: id, ..found };
        }
        may
    }

    pub fn break_if(&mut self, broken: bool, promise: Promise) {
        self.broken |= u8::from(broken) << promise as u8;
    }

    pub fn keeps(&self, promise: Promise) -> bool {
        self.broken & (1 << promise as u8) == 0
    }
}
