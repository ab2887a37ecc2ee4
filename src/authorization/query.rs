//! The canonical query of an authorization request.

use std::fmt;

use url::form_urlencoded::Serializer;

use super::{params, prompt};
use crate::error::Error;
use crate::params::{Param, Received};

/// The limit of the canonical query in bytes: API Gateway accepts 10,240 with the headers.
pub const MAX_QUERY_BYTES: usize = 6144;

/// The parameters of a request that have a value. Its `Display` is the canonical query: form-encoded, in a fixed order.
#[derive(Clone, PartialEq, Eq)]
pub struct Query([Option<String>; params::OF_REQUEST.len()]);

impl Query {
    /// Takes the parameters, of which none is repeated.
    pub(super) fn of(received: &Received) -> Self {
        Self(params::OF_REQUEST.map(|param| received.once(param).map(ToOwned::to_owned)))
    }

    fn pairs(&self) -> impl Iterator<Item = (Param, &str)> {
        params::OF_REQUEST.into_iter().zip(&self.0).filter_map(|(param, value)| Some((param, value.as_deref()?)))
    }

    pub(super) fn get(&self, param: Param) -> Option<&str> {
        self.pairs().find(|(known, _)| *known == param).map(|(_, value)| value)
    }

    pub(super) fn require(&self, param: Param) -> Result<&str, Error> {
        self.get(param).ok_or(param.missing())
    }

    /// Checks the grammar of a parameter.
    pub(super) fn check(&self, param: Param) -> Result<(), Error> {
        self.get(param).map_or(Ok(()), |value| param.check(value))
    }

    /// Checks the size of the query.
    pub(super) fn check_size(&self) -> Result<(), Error> {
        if self.is_too_long() {
            return Err(Error::invalid_request("The request is too long."));
        }
        Ok(())
    }

    fn is_too_long(&self) -> bool {
        self.to_string().len() > MAX_QUERY_BYTES
    }

    fn with(mut self, param: Param, value: Option<String>) -> Self {
        let mut places = params::OF_REQUEST.into_iter().zip(&mut self.0);
        if let Some((_, place)) = places.find(|(known, _)| *known == param) {
            *place = value;
        }
        self
    }

    /// Returns the query after a login: without `max_age` and without the values of `prompt` that the login satisfied,
    /// because they would require another one.
    #[must_use]
    pub fn after_login(&self) -> Self {
        let prompt = self.get(params::PROMPT).and_then(prompt::without_login);
        self.clone().with(params::MAX_AGE, None).with(params::PROMPT, prompt)
    }

    /// Returns the query that requires a login, for a user who wants to use another account. Returns `None` if that query
    /// is too long to be a request.
    #[must_use]
    pub fn with_login(&self) -> Option<Self> {
        let prompt = self.get(params::PROMPT).map_or_else(|| "login".to_owned(), |prompt| format!("{prompt} login"));
        Some(self.clone().with(params::PROMPT, Some(prompt))).filter(|query| !query.is_too_long())
    }
}

/// Shows only the names, because an ID token and a `state` are for the client.
impl fmt::Debug for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.pairs().map(|(param, _)| param.name())).finish()
    }
}

impl fmt::Display for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.pairs().map(|(param, value)| (param.name(), value));
        formatter.write_str(&Serializer::new(String::new()).extend_pairs(pairs).finish())
    }
}
