//! The JSON objects of a token: canonical base64url, and no repeated member (RFC 7515 section 4).

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{Part, Problem};

/// Decodes base64url. Returns `None` for padding and for trailing bits that are not zero, so that a part has one form.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Returns the object of a part, even if a member is repeated, which is a problem.
pub(super) fn object(part: Part, text: &str, problems: &mut Vec<Problem>) -> Option<Map<String, Value>> {
    let Some(json) = decode(text) else {
        problems.push(Problem::Encoding(part));
        return None;
    };
    let object = serde_json::from_slice(&json).ok();
    if object.is_none() {
        problems.push(Problem::NotAnObject(part));
    } else if serde_json::from_slice::<Unique>(&json).is_err() {
        problems.push(Problem::Repeated(part));
    }
    object
}

/// Any JSON without a repeated member at any depth. `serde_json` keeps the last value of a repeated member.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without repeated members")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        while values.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some((name, Self)) = members.next_entry::<String, Self>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a repeated member"));
            }
        }
        Ok(self)
    }
}
