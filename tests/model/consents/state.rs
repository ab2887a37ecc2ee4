//! The state of the model of consents, and the store with its conditional writes.

use countersign::consent::Consent;
use countersign::refresh_token::{Presented, Standing};

use super::design::Design;
use super::records::{Given, Login, time};
use super::world::Left;
use crate::state::CLIENT;

/// The requests that run simultaneously.
pub const REQUESTS: usize = 3;
/// The late copies of writes that may be in flight.
pub const LATE: usize = 2;
/// The logins by code.
pub const LOGINS: usize = 2;

/// The item of the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    pub consent: Option<Given>,
    pub revision: u8,
}

/// A write on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Write {
    /// A consent replaces the one that was read.
    Put(Put),
    /// The consent with this id is removed.
    Remove(u8),
    /// The client used this consent.
    Use(Given),
    /// The family of a code is stored.
    Begin(Login),
    /// The next generation of the login becomes the active one.
    Rotate { login: u8, used: u8, is_late: bool },
    /// The login ends.
    Revoke(u8),
}

/// The write of a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Put {
    pub read: Owner,
    pub new: Given,
    /// False if the user saw no page.
    pub by_page: bool,
    /// True if the request began after the end date.
    pub is_late: bool,
}

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The issue of a code. `by_page` is false if the user saw no page.
    Authorize { is_wide: bool, by_page: bool },
    /// An exchange, or a refresh after it, with this generation of the login.
    Redeem { login: u8, used: u8 },
    /// The removal of the consent.
    Remove,
    /// A change of the end date: to [`super::records::END`], or to none.
    Limit { until: bool },
}

/// The progress of a request. Between two phases it waits for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The request reads the consent or the family. After a lost race: true if it found a consent before.
    Reading(Option<bool>),
    /// An exchange or a refresh reads the consent. False for a retry, which rotates nothing.
    Checking { rotates: bool },
    /// The write is in flight. True if it is the second attempt to write the consent.
    Writing(Write, bool),
}

/// A running request with its id, which no other request and no late copy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    pub id: u8,
    pub kind: Kind,
    pub phase: Phase,
    /// True if the request began after the end date.
    pub is_late: bool,
    /// The promises that tokens for this request break, one bit each.
    pub void: u8,
}

/// A copy of a write that arrives late, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Copied {
    pub by: u8,
    pub write: Write,
    /// The requests that began after the request of the copy had ended, one bit each.
    pub before: u8,
    /// True if the write of such a request was applied.
    pub is_stale: bool,
}

/// A promise that one step can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    Removed,
    Ended,
    Again,
    Removes,
    OnlyRead,
    Stale,
    Quiet,
}

/// The state of the store and of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub owner: Owner,
    pub logins: [Option<Login>; LOGINS],
    pub requests: [Option<Request>; REQUESTS],
    pub late: [Option<Copied>; LATE],
    pub left: Left,
    /// The number of requests that began.
    pub begun: u8,
    /// The number of ids of consents.
    pub ids: u8,
    /// True if the end date has passed.
    pub is_late: bool,
    /// The consents that a removal with a response has removed, those whose end date has passed, and those that another
    /// one replaced or that were removed. One bit each.
    pub removed: u8,
    pub ended: u8,
    pub gone: u8,
    /// The broken promises, one bit each.
    pub broken: u8,
}

impl State {
    pub fn requests(&self) -> impl Iterator<Item = Request> + use<> {
        self.requests.into_iter().flatten()
    }

    pub fn request(&self, id: u8) -> Request {
        self.requests().find(|request| request.id == id).unwrap()
    }

    pub fn login(&self, id: u8) -> Option<Login> {
        self.logins.into_iter().flatten().find(|login| login.id == id)
    }

    fn change_login(&mut self, id: u8, change: impl FnOnce(&mut Login)) {
        if let Some(login) = self.logins.iter_mut().flatten().find(|login| login.id == id) {
            change(login);
        }
    }

    /// Begins a request. Ids are never used again, because few requests begin.
    pub fn begin(&mut self, kind: Kind) {
        self.begun += 1;
        let id = self.begun;
        let mut void = 0;
        if let Kind::Redeem { login, .. } = kind {
            let consent = 1 << self.login(login).unwrap().consent;
            let sets = [(self.removed, Promise::Removed), (self.ended, Promise::Ended), (self.gone, Promise::Again)];
            for (set, promise) in sets {
                void |= u8::from(set & consent != 0) << promise as u8;
            }
        } else {
            let running = self.requests;
            let is_running = |by| running.iter().flatten().any(|request| request.id == by);
            for copy in self.late.iter_mut().flatten().filter(|copy| !is_running(copy.by)) {
                copy.before |= 1 << id;
            }
        }
        let request = Request { id, kind, phase: Phase::Reading(None), is_late: self.is_late, void };
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

    /// Responds with tokens.
    pub fn issue(&mut self, request: Request) {
        self.broken |= request.void;
        self.end(request.id);
    }

    /// Puts a copy of a write in flight if there is room.
    pub fn send_late(&mut self, by: u8, write: Write) {
        if let Some(slot) = self.late.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Copied { by, write, before: 0, is_stale: false });
        }
    }

    /// Normalizes the state: the order of requests and copies has no meaning, nor has a request whose writes are all done.
    pub fn normalize(&mut self) {
        let mut known = self.requests().fold(0, |known, request| known | 1_u8 << request.id);
        for copy in self.late.iter().flatten() {
            known |= 1 << copy.by;
        }
        for copy in self.late.iter_mut().flatten() {
            copy.before &= known;
        }
        self.requests.sort_unstable();
        self.late.sort_unstable_by_key(|slot| (slot.is_none(), *slot));
    }

    pub fn break_if(&mut self, broken: bool, promise: Promise) {
        self.broken |= u8::from(broken) << promise as u8;
    }

    pub fn keeps(&self, promise: Promise) -> bool {
        self.broken & (1 << promise as u8) == 0
    }

    /// Applies a write of the request `by` to the store. Returns false if the condition failed.
    pub fn apply(&mut self, design: Design, (by, write): (u8, Write), is_stale: bool) -> bool {
        let (owner, is_late) = (self.owner, self.is_late);
        let applied = match write {
            Write::Put(put) => self.put(design, put),
            Write::Remove(id) => self.remove(design, id),
            Write::Use(read) => {
                let stores = design == Design::UseStoresTheConsent;
                if stores && owner.consent.is_some_and(|found| found.id == read.id) {
                    self.owner.consent = Some(read);
                }
                self.break_if(self.owner != owner, Promise::Stale);
                true
            }
            Write::Begin(login) => {
                let is_new = self.login(login.id).is_none();
                if let Some(slot) = self.logins.iter_mut().find(|slot| is_new && slot.is_none()) {
                    *slot = Some(login);
                }
                true
            }
            Write::Rotate { login, used, is_late } => self.rotate((login, used), by, is_late),
            Write::Revoke(login) => {
                self.change_login(login, |login| login.family.revoked = true);
                true
            }
        };
        if applied && matches!(write, Write::Put(_) | Write::Remove(_)) {
            for copy in self.late.iter_mut().flatten() {
                copy.is_stale |= copy.before & (1 << by) != 0;
            }
        }
        // A late removal only removes the consent that its user wanted to remove.
        self.break_if(applied && is_stale && matches!(write, Write::Put(_)), Promise::Stale);
        if let Some(consent) = self.owner.consent.filter(|consent| is_late && consent.until) {
            self.ended |= 1 << consent.id;
        }
        applied
    }

    fn put(&mut self, design: Design, Put { read, new, by_page, is_late }: Put) -> bool {
        let found = self.owner;
        if !may_put(design, found, read) {
            return false;
        }
        let revision = found.revision + u8::from(is_revision(read, new));
        self.owner = Owner { consent: Some(new), revision };
        if let Some(found) = found.consent {
            let is_same = found.id == new.id;
            self.break_if(!by_page && is_same && found.until && !new.until, Promise::Quiet);
            self.gone |= u8::from(!is_same) << found.id;
            if is_same && !new.until && !is_late {
                self.prolong(found.id);
            }
        }
        true
    }

    /// The user removed the end date before it passed, so requests that run now may get tokens.
    fn prolong(&mut self, consent: u8) {
        self.ended &= !(1 << consent);
        let logins = self.logins;
        let is_of = |login: &Login, id: u8| login.id == id && login.consent == consent;
        for request in self.requests.iter_mut().flatten() {
            if let Kind::Redeem { login: id, .. } = request.kind
                && logins.iter().flatten().any(|login| is_of(login, id))
            {
                request.void &= !(1 << Promise::Ended as u8);
            }
        }
    }

    fn remove(&mut self, design: Design, id: u8) -> bool {
        let Some(found) = self.owner.consent.filter(|found| found.id == id || design == Design::RemovesAnyConsent)
        else {
            return false;
        };
        self.break_if(found.id != id, Promise::OnlyRead);
        self.gone |= 1 << found.id;
        self.owner = Owner { consent: None, revision: self.owner.revision + 1 };
        true
    }

    /// The condition is that of a rotation, which `tests/it/store/conditional_writes.rs` compares.
    fn rotate(&mut self, (login, used): (u8, u8), by: u8, is_late: bool) -> bool {
        let presented = Presented { generation: used.into(), client_id: CLIENT, at: time(is_late) };
        let is_active = |login: Login| login.family().standing(presented, 0) == Standing::Active;
        let may = self.login(login).is_some_and(is_active);
        if may {
            self.change_login(login, |login| *login = login.next((used, by), is_late));
        }
        may
    }
}

/// The condition of the write of a consent. `tests/it/store/owners.rs` compares it with the expression of DynamoDB.
fn may_put(design: Design, found: Owner, read: Owner) -> bool {
    let id = |owner: Owner| owner.consent.map(|consent| consent.id);
    let scopes = |owner: Owner| owner.consent.map(|consent| consent.is_wide);
    match design {
        Design::ComparesOnlyTheConsent => found.consent == read.consent,
        Design::ComparesOnlyTheId => id(found) == id(read),
        _ => (id(found), scopes(found), found.revision) == (id(read), scopes(read), read.revision),
    }
}

fn is_revision(read: Owner, new: Given) -> bool {
    let read: Option<Consent> = read.consent.map(Given::consent);
    new.consent().is_revision_of(read.as_ref())
}
