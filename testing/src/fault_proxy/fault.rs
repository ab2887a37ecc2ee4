//! The faults that the proxy injects.

/// The effect of a fault on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The proxy resets all connections and closes its listener: permanently, or for 120 ms if the fault is not lasting.
    CloseListener,
    /// The call is not executed. The connection is reset.
    ResetBefore,
    /// The call is executed. The connection is reset before the response.
    ResetAfter,
    /// The call is executed. The connection is reset within the response.
    CutResponse,
    /// The call is not executed. The caller gets no response until it closes the connection.
    Hang,
    /// The call is executed. The caller gets no response until it closes the connection.
    HangAfter,
    /// The call is executed after the caller has closed the connection.
    Late,
    /// The call is executed. Its response arrives after this number of milliseconds.
    Slow(u64),
    /// The call is executed after [`stop_failing`](super::FaultProxy::stop_failing).
    Postponed,
    /// The call is not executed. The response has this status and error code.
    Error(u16, &'static str),
    /// The call is not executed. The response consists of these bytes.
    Bytes(&'static str),
    /// A read that is not strongly consistent gets the previous response.
    Stale,
    /// The clock of the deployment steps by this number of seconds. Then the call is executed.
    ClockStep(i64),
}

/// An injected fault: which calls it affects, and its kind.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The operation and its table: `GetItem ClientsTable`.
    pub call: String,
    /// The position among the calls of that name, from 1.
    pub nth: usize,
    pub kind: FaultKind,
    /// True if the fault also affects all later calls of that name.
    pub lasting: bool,
}

impl Fault {
    pub fn is_write(&self) -> bool {
        !self.call.starts_with("Get")
    }

    /// Returns true if the call replaces a password hash.
    pub fn is_hash_upgrade(&self) -> bool {
        self.call == "UpdateItem UsersTable"
    }

    /// Returns true if the affected call is not executed.
    pub fn prevents_call(&self) -> bool {
        let executed = [
            FaultKind::ResetAfter,
            FaultKind::CutResponse,
            FaultKind::HangAfter,
            FaultKind::Late,
            FaultKind::Slow(900),
            FaultKind::Stale,
        ];
        !executed.contains(&self.kind)
    }
}
