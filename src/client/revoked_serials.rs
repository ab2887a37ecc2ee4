//! The serial numbers of a client's revoked certificates: the attribute `revoked_serials`.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Serial numbers in their canonical form: lower-case hex without leading zeros. Another form would revoke nothing, so a
/// record with one is malformed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "BTreeSet<String>")]
pub struct RevokedSerials(#[serde(serialize_with = "serde_dynamo::string_set::serialize")] BTreeSet<String>);

/// A text that is not a serial number in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotASerial(String);

impl fmt::Display for NotASerial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} is not a serial number: write lower-case hex without leading zeros", self.0)
    }
}

impl RevokedSerials {
    /// Returns true if no certificate is revoked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the certificate with this serial number is revoked.
    pub fn contains(&self, serial: &str) -> bool {
        self.0.contains(serial)
    }

    /// Returns the serial numbers.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Revokes the certificate with this serial number.
    ///
    /// # Errors
    /// [`NotASerial`]
    pub fn insert(&mut self, serial: String) -> Result<(), NotASerial> {
        if !is_canonical(&serial) {
            return Err(NotASerial(serial));
        }
        self.0.insert(serial);
        Ok(())
    }
}

fn is_canonical(serial: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    serial == "0" || (!serial.is_empty() && !serial.starts_with('0') && serial.bytes().all(is_hex))
}

impl TryFrom<BTreeSet<String>> for RevokedSerials {
    type Error = NotASerial;

    fn try_from(serials: BTreeSet<String>) -> Result<Self, NotASerial> {
        match serials.iter().find(|serial| !is_canonical(serial)) {
            Some(serial) => Err(NotASerial(serial.clone())),
            None => Ok(Self(serials)),
        }
    }
}
