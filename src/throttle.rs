//! Throttling of guesses: checks of secrets that a person may have chosen.
//!
//! A check of a password or a slow client secret consumes an [`Attempt`], which only [`begin`] makes, and its result
//! only comes out of [`Guess::settle`], which counts the guess first. Code that skips the throttle does not compile:
//! `Hasher` has no other way to verify a password, and a [`Guess`] has no other way to its result.
//!
//! | file | content |
//! |---|---|
//! | `throttle/budget.rs` | the delay after a number of failures |
//! | `throttle/item.rs` | the lanes of a subject, the judgement of an attempt, and its count: pure |
//! | `throttle/network.rs` | networks of addresses |
//! | `throttle/memory.rs` | what a process remembers: blocks, failures of a network, guesses that were not counted |
//! | `throttle/attempt.rs` | one attempt from its beginning to its result |

use crate::encoding::sha256;

mod attempt;
mod bounded;
mod budget;
mod item;
mod memory;
mod network;

pub use attempt::{Attempt, Guess, begin, recall};
pub use budget::Budget;
pub use item::{
    AHEAD, Attempts, Blocked, Count, Lane, MAX_NETWORKS, NETWORK_FAILURES, NETWORK_KNOWN_FOR, Place, QUIET,
};
pub use memory::{REMEMBERED_FOR, Throttle};
pub use network::Network;

/// The kind of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Account,
    Client,
}

/// An account or a client that has a budget of guesses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    kind: Kind,
    item_id: String,
}

impl Subject {
    /// Returns the account with this username: the form in which usernames are compared, or the username as it was
    /// received if it has no such form.
    pub fn account(username: &str) -> Self {
        Self::new(Kind::Account, "account", username)
    }

    /// Returns the client with this id.
    pub fn client(client_id: &str) -> Self {
        Self::new(Kind::Client, "client", client_id)
    }

    fn new(kind: Kind, name: &str, id: &str) -> Self {
        Self { kind, item_id: format!("attempts#{}", sha256([name, "\0", id].concat())) }
    }

    /// Returns the key of the subject's item in the table `grants`.
    pub fn item_id(&self) -> &str {
        &self.item_id
    }
}
