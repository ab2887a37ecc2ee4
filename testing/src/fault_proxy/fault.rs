//! Faults: which calls are broken, and how.

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Nobody listens any more: this connection and all others are reset, new ones refused. For a moment, if it is once.
    Refuse,
    /// The connection is reset, and the call not done.
    ResetBefore,
    /// The call is done, and the connection reset.
    ResetAfter,
    /// The call is done, and half of its response arrives.
    CutResponse,
    /// The call is not done, and there is no response for as long as the caller waits.
    Hang,
    /// The call is done, and there is no response for as long as the caller waits.
    HangAfter,
    /// The call is done when the caller has given it up.
    Late,
    /// The call is done, and its response arrives after so many milliseconds.
    Slow(u64),
    /// The call is done when the proxy lets everything through again.
    Postponed,
    /// The call is not done, and answered with this status and error code.
    Error(u16, &'static str),
    /// The call is not done, and answered with these bytes.
    Bytes(&'static str),
    /// A read that is not consistent is answered as it was the last time.
    Stale,
    /// The clock steps by so many seconds, and the call is done.
    Step(i64),
}

/// Which calls are broken, and how.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The operation and its table: `GetItem ClientsTable`.
    pub call: String,
    /// Which of them, from 1.
    pub nth: usize,
    pub verb: Verb,
    /// Whether those after it are broken too.
    pub lasting: bool,
}

impl Fault {
    pub fn is_of_a_write(&self) -> bool {
        !self.call.starts_with("Get")
    }

    /// Returns true if the call replaces the hash of a password.
    pub fn is_of_an_upgrade(&self) -> bool {
        self.call == "UpdateItem UsersTable"
    }

    /// Returns true if the call that is broken is not done.
    pub fn prevents(&self) -> bool {
        let done = [Verb::ResetAfter, Verb::CutResponse, Verb::HangAfter, Verb::Late, Verb::Slow(900), Verb::Stale];
        !done.contains(&self.verb)
    }
}
