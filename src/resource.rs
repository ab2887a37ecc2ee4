//! Resource indicators (RFC 8707): the audiences that a client may request. URIs are compared byte for byte, because two
//! parsers rarely understand an unusual URI in the same way.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

mod form;

pub use form::is_same;

/// The largest number of resources of a client.
pub const MAX_RESOURCES: usize = 50;
/// The limit of a resource in bytes.
pub const MAX_RESOURCE_BYTES: usize = 2048;

/// The resources of a client: absolute URIs, or `https` URIs whose path ends in `/*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "BTreeSet<String>")]
pub struct Resources(#[serde(serialize_with = "serde_dynamo::string_set::serialize")] BTreeSet<String>);

/// The reason why a set of resources is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceError {
    /// There are more than [`MAX_RESOURCES`] resources.
    TooMany,
    /// This entry is too long, or is not a URI that a client may request.
    Malformed(String),
}

impl fmt::Display for ResourceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(formatter, "a client has at most {MAX_RESOURCES} resources"),
            Self::Malformed(resource) => write!(
                formatter,
                "the resource {resource:?} is not valid: write an absolute URI without a fragment, or an https URI whose \
                 path ends in /*; http is for 127.0.0.1, [::1] and localhost"
            ),
        }
    }
}

/// The reason why a requested resource is rejected. Each has its own `error_description`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// The request names more than one resource.
    Several,
    /// The resource is not an absolute URI (RFC 3986 section 4.3).
    NotAbsolute,
    /// The resource has a fragment.
    HasFragment,
    /// The resource is not among those of the client.
    NotListed,
    /// The login named another resource.
    OtherLogin,
    /// The token has version 1, whose audience is the client.
    Version1,
}

impl TargetError {
    /// Returns the `error_description`.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Several => "A request has one resource only.",
            Self::NotAbsolute => "The resource is not an absolute URI.",
            Self::HasFragment => "The resource has a fragment.",
            Self::NotListed => "The resource is unknown or not allowed.",
            Self::OtherLogin => "The login is for another resource.",
            Self::Version1 => "A token of version 1 has no resource.",
        }
    }
}

impl Resources {
    /// Returns true if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the entries, sorted.
    pub fn entries(&self) -> &BTreeSet<String> {
        &self.0
    }

    /// Returns the audience of a token for a requested resource: the text of the record, or the request's text below an
    /// entry that ends in `*`. `own` is the audience of a token without a resource.
    ///
    /// # Errors
    /// [`TargetError`]
    pub fn audience<'a>(&'a self, own: &'a str, requested: &'a str) -> Result<&'a str, TargetError> {
        let mut exact =
            std::iter::once(own).chain(self.0.iter().map(String::as_str).filter(|entry| !has_wildcard(entry)));
        let same = exact.clone().find(|known| *known == requested);
        if let Some(audience) = same.or_else(|| exact.find(|known| is_same(known, requested))) {
            return Ok(audience);
        }
        let (uri, fragment) = requested.split_once('#').map_or((requested, None), |(uri, text)| (uri, Some(text)));
        if !form::is_absolute(uri) {
            return Err(TargetError::NotAbsolute);
        }
        if fragment.is_some() {
            return Err(TargetError::HasFragment);
        }
        let mut prefixes = self.0.iter().filter_map(|entry| entry.strip_suffix('*'));
        if prefixes.any(|prefix| form::is_below(prefix, requested)) {
            Ok(requested)
        } else {
            Err(TargetError::NotListed)
        }
    }
}

fn has_wildcard(entry: &str) -> bool {
    entry.ends_with('*')
}

impl TryFrom<BTreeSet<String>> for Resources {
    type Error = ResourceError;

    fn try_from(resources: BTreeSet<String>) -> Result<Self, ResourceError> {
        if resources.len() > MAX_RESOURCES {
            return Err(ResourceError::TooMany);
        }
        match resources.iter().find(|resource| resource.len() > MAX_RESOURCE_BYTES || !form::is_entry(resource)) {
            Some(resource) => Err(ResourceError::Malformed(resource.clone())),
            None => Ok(Self(resources)),
        }
    }
}
