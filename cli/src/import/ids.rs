//! The ids that an import may not use: those of other users, those of the other kind, and those of earlier lines.

use std::collections::{HashMap, HashSet};

use super::records::Import;
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{client, user};

/// The ids in the tables and in the lines so far.
pub struct Ids {
    /// The username that each `user_id` belongs to.
    owners: HashMap<String, String>,
    clients: HashSet<String>,
    /// The number of the line of each key.
    lines: HashMap<String, u64>,
    /// True if users and clients may share ids.
    may_share: bool,
    /// The number of lines that share an id.
    shared: u64,
}

impl Ids {
    /// Scans both tables.
    pub async fn read(deployment: &Deployment, may_share: bool) -> Result<Self, Error> {
        let (owners, clients) = (user::owners(deployment).await?, client::ids(deployment).await?);
        Ok(Self { owners, clients, lines: HashMap::new(), may_share, shared: 0 })
    }

    /// Returns true if a client has the id.
    pub fn is_client(&self, id: &str) -> bool {
        self.clients.contains(id)
    }

    /// Returns the username of the user who has the id.
    pub fn owner(&self, id: &str) -> Option<&str> {
        self.owners.get(id).map(String::as_str)
    }

    /// Returns the number of accepted lines whose id a user and a client share.
    pub fn shared(&self) -> u64 {
        self.shared
    }

    /// Checks the ids of a line, and keeps those of an accepted one for the lines after it.
    pub fn check<R: Import>(&mut self, number: u64, record: R) -> Result<R, String> {
        if let Some(first) = self.lines.get(record.key()) {
            return Err(format!("an earlier line has the same record (line {first})"));
        }
        let shares_id = record.shares_id(self);
        if shares_id && !self.may_share {
            return Err("the id is used by a user and by a client, whose tokens would have the same sub; \
                        use another id, or import with --allow-shared-ids"
                .to_owned());
        }
        if let Some(user_id) = record.user_id() {
            let owner = self.owners.entry(user_id.to_owned()).or_insert_with(|| record.key().to_owned());
            if owner != record.key() {
                return Err(format!("the user_id belongs to another user ({owner})"));
            }
        }
        // From here on, the line is accepted.
        self.lines.insert(record.key().to_owned(), number);
        self.shared += u64::from(shares_id);
        Ok(record)
    }
}
