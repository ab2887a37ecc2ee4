//! The parameters of a request, from a body of either form or from a query: each name once, each value within its limit
//! and grammar.

use crate::error::Error;

mod received;

pub use received::Received;

const MAX_PARAMETERS: usize = 64;
const MAX_NAME_BYTES: usize = 64;
const MAX_SCOPE_TOKENS: usize = 100;

const NOT_ALLOWED: &str = " has a character that is not allowed.";

/// A parameter that an endpoint defines. Others are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    name: &'static str,
    /// The limit of a value in bytes.
    limit: usize,
    grammar: Grammar,
}

/// The values that a parameter may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// Any text.
    Text,
    /// VSCHAR (RFC 6749 appendix A).
    Vschar,
    /// VSCHAR. In JSON also a non-negative integer of at most 15 digits, which stands for its decimal digits.
    VscharOrInteger,
    /// No NUL, CR or LF.
    Line,
    /// No NUL, CR or LF. Outer spaces are removed, so that a value of only spaces counts as absent.
    TrimmedLine,
    /// At most 100 tokens. [`Scope::parse`](crate::scope::Scope::parse) checks each token later in the order of checks,
    /// because its error is `invalid_scope`.
    ScopeTokens,
    /// Any text. The parameter may occur more than once, which is checked later in the order of checks, because the error
    /// is `invalid_target` (RFC 8707 section 2).
    Resources,
}

impl Param {
    /// Defines a parameter with its limit in bytes.
    pub const fn new(name: &'static str, limit: usize, grammar: Grammar) -> Self {
        Self { name, limit, grammar }
    }

    /// Defines a parameter of any text. Only the limit of the body applies.
    pub const fn unlimited(name: &'static str) -> Self {
        Self::new(name, usize::MAX, Grammar::Text)
    }

    /// Returns the name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Returns true if a JSON integer may be the value.
    pub const fn may_be_integer(self) -> bool {
        matches!(self.grammar, Grammar::VscharOrInteger)
    }

    /// Returns true if the parameter may occur more than once.
    pub const fn may_be_repeated(self) -> bool {
        matches!(self.grammar, Grammar::Resources)
    }

    /// Rejects a value that is over the limit or outside the grammar.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn check(self, value: &str) -> Result<(), Error> {
        self.check_size(value)?;
        let problem = match self.grammar {
            Grammar::Vschar | Grammar::VscharOrInteger if !value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) => {
                NOT_ALLOWED
            }
            Grammar::Line | Grammar::TrimmedLine if value.contains(['\0', '\r', '\n']) => NOT_ALLOWED,
            _ => return Ok(()),
        };
        Err(self.invalid(problem))
    }

    /// Rejects a value that is over the limit, whatever its grammar.
    ///
    /// # Errors
    /// `invalid_request`
    pub fn check_size(self, value: &str) -> Result<(), Error> {
        let is_token = |token: &&str| !token.is_empty();
        if value.len() > self.limit {
            Err(self.invalid(" is too long."))
        } else if self.grammar == Grammar::ScopeTokens && value.split(' ').filter(is_token).count() > MAX_SCOPE_TOKENS {
            Err(self.invalid(" has too many tokens."))
        } else {
            Ok(())
        }
    }

    /// Returns `invalid_request` for a value, or for its absence.
    const fn invalid(self, problem: &'static str) -> Error {
        Error::invalid_parameter("The ", self.name, problem)
    }

    /// Returns `invalid_request` for a parameter that must be present.
    pub const fn missing(self) -> Error {
        self.invalid(" is missing.")
    }

    /// Returns `invalid_request` for a parameter that occurs more than once.
    pub const fn repeated(self) -> Error {
        Error::invalid_parameter("The parameter ", self.name, " is repeated.")
    }

    /// Returns `invalid_request` for a JSON value of the wrong type.
    pub const fn not_a_string(self) -> Error {
        Error::invalid_parameter("The parameter ", self.name, " is not a string.")
    }

    /// Returns `invalid_request` for a parameter in the query.
    pub const fn in_query(self) -> Error {
        Error::invalid_parameter("The parameter ", self.name, " belongs in the body, not in the query.")
    }
}

/// The parameters that an endpoint defines, in groups. Others are ignored, even if they are repeated.
#[derive(Clone, Copy, Debug)]
pub struct Defined(pub &'static [&'static [Param]]);

impl Defined {
    /// Returns all parameters.
    pub fn all(self) -> impl Iterator<Item = Param> {
        self.0.iter().copied().flatten().copied()
    }

    /// Returns the parameter of this name.
    pub fn get(self, name: &str) -> Option<Param> {
        self.all().find(|param| param.name == name)
    }
}

/// Finds the defined parameters of one body or query by their names, within the limits of names.
struct Names {
    defined: Defined,
    /// The number of parameters, including those that are not defined.
    count: usize,
}

impl Names {
    /// Returns the parameter of the next name, if the endpoint defines it.
    fn next(&mut self, name: &str) -> Result<Option<Param>, Error> {
        self.count += 1;
        if self.count > MAX_PARAMETERS {
            return Err(Error::invalid_request("There are too many parameters."));
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(Error::invalid_request("The name of a parameter is too long."));
        }
        Ok(self.defined.get(name))
    }
}

/// The defined parameters of one body or query. An empty value counts as absent. Has no `Debug`: it contains secrets.
pub struct Params {
    names: Names,
    values: Vec<(Param, String)>,
}

impl Params {
    /// Builds an empty list for an endpoint that defines these parameters.
    pub const fn new(defined: Defined) -> Self {
        Self { names: Names { defined, count: 0 }, values: Vec::new() }
    }

    /// Returns a defined parameter that was inserted, even with an empty value.
    pub fn first(&self) -> Option<Param> {
        self.values.first().map(|(param, _)| *param)
    }

    /// Adds a parameter as it was received; `None` is a name without a value (JSON `null`).
    ///
    /// # Errors
    /// `invalid_request` if a defined parameter is repeated, or if the parameter is over a limit or outside its
    /// grammar.
    pub fn insert(&mut self, name: &str, value: Option<String>) -> Result<(), Error> {
        let Some(param) = self.names.next(name)? else {
            return Ok(());
        };
        // A missing value is kept as an empty one until `take`, so that a repeated name is detected.
        let value = value.unwrap_or_default();
        param.check(&value)?;
        if !param.may_be_repeated() && self.values.iter().any(|(known, _)| *known == param) {
            return Err(param.repeated());
        }
        let is_trimmed = param.grammar == Grammar::TrimmedLine;
        let value = if is_trimmed { value.trim_matches(' ').to_owned() } else { value };
        self.values.push((param, value));
        Ok(())
    }

    /// Removes and returns a parameter. Returns `None` if it was absent, empty or taken before.
    pub fn take(&mut self, param: Param) -> Option<String> {
        let position = self.values.iter().position(|(known, _)| *known == param)?;
        let (_, value) = self.values.swap_remove(position);
        (!value.is_empty()).then_some(value)
    }

    /// Removes and returns the values of a parameter that may occur more than once, without the empty ones.
    pub fn take_all(&mut self, param: Param) -> Vec<String> {
        let values = self.values.extract_if(.., |(known, _)| *known == param).map(|(_, value)| value);
        values.filter(|value| !value.is_empty()).collect()
    }

    /// Removes and returns a parameter that must be present.
    ///
    /// # Errors
    /// `invalid_request` if it was absent, empty or taken before.
    pub fn require(&mut self, param: Param) -> Result<String, Error> {
        self.take(param).ok_or(param.missing())
    }
}
