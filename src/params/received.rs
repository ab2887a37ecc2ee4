//! Parameters of an endpoint with its own order of checks.

use super::{Defined, Names, Param};
use crate::error::Error;

/// The defined parameters of one body or query, as they were received: repeated ones, and values of any size and grammar.
/// Has no `Debug`: it may contain secrets.
pub struct Received {
    names: Names,
    values: Vec<(Param, String)>,
}

impl Received {
    /// Builds an empty list for an endpoint that defines these parameters.
    pub const fn new(defined: Defined) -> Self {
        Self { names: Names { defined, count: 0 }, values: Vec::new() }
    }

    /// Adds a parameter as it was received.
    ///
    /// # Errors
    /// `invalid_request` if there are too many parameters, or if the name is too long.
    pub fn insert(&mut self, name: &str, value: String) -> Result<(), Error> {
        match self.names.next(name)? {
            // An empty value counts as absent, so that it does not make the other one a second value.
            Some(param) if param.may_be_repeated() && value.is_empty() => {}
            Some(param) => self.values.push((param, value)),
            None => {}
        }
        Ok(())
    }

    /// Checks the size of each value.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn check_sizes(&self) -> Result<(), Error> {
        self.values.iter().try_for_each(|(param, value)| param.check_size(value))
    }

    fn values(&self, param: Param) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(known, _)| *known == param).map(|(_, value)| value.as_str())
    }

    /// Returns the value of a parameter that occurs once and is not empty.
    pub fn once(&self, param: Param) -> Option<&str> {
        let mut values = self.values(param);
        values.next().filter(|value| !value.is_empty() && values.next().is_none())
    }

    /// Returns true if a parameter occurs more than once, even with equal or empty values.
    pub fn is_repeated(&self, param: Param) -> bool {
        self.values(param).nth(1).is_some()
    }
}
