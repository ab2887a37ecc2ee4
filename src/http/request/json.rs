//! JSON bodies: one object, at most 4 deep and without repeated members (RFC 8259, RFC 7493 section 2.3).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::Error;
use crate::params::{Defined, Params};

const MAX_DEPTH: u8 = 4;
/// The largest integer of 15 digits. Every JSON library preserves integers up to this one exactly.
const MAX_INTEGER: u64 = 999_999_999_999_999;

const MALFORMED: Error =
    Error::invalid_request("The body is not one JSON object, at most 4 deep and without repeated members.");

/// Reads the parameters of a body, for an endpoint that defines these parameters.
///
/// # Errors
/// `invalid_request`
pub fn read(body: &[u8], defined: Defined) -> Result<Params, Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let members =
        json.deserialize_map(Members).and_then(|members| json.end().map(|()| members)).map_err(|_| MALFORMED)?;
    let mut params = Params::new(defined);
    for (name, value) in members {
        let value = match (value, defined.get(&name)) {
            (Value::Text(text), _) => Some(text),
            (Value::Repeated, Some(param)) => return Err(param.repeated()),
            (Value::Repeated, None) => return Err(MALFORMED),
            // A system whose client ids are numbers may send a number.
            (Value::Integer(integer), Some(param)) if param.may_be_integer() && integer <= MAX_INTEGER => {
                Some(integer.to_string())
            }
            (Value::Integer(_) | Value::Other, Some(param)) => return Err(param.not_a_string()),
            (Value::Null | Value::Integer(_) | Value::Other, _) => None,
        };
        params.insert(&name, value)?;
    }
    Ok(params)
}

/// The value of a member, with the content that a parameter may have.
enum Value {
    Text(String),
    Null,
    /// An integer without sign, fraction and exponent.
    Integer(u64),
    Other,
    /// The values of a member that occurs more than once in the object of the body.
    Repeated,
}

/// Deserializes the object of the body.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        members(map, 1)
    }
}

fn members<'de, A: MapAccess<'de>>(mut map: A, depth: u8) -> Result<BTreeMap<String, Value>, A::Error> {
    let mut members = BTreeMap::new();
    while let Some(name) = map.next_key::<String>()? {
        let value = map.next_value_seed(Within { depth })?;
        match members.entry(name) {
            Entry::Vacant(entry) => drop(entry.insert(value)),
            // Reported later, with the name if it is a parameter.
            Entry::Occupied(mut entry) if depth == 1 => drop(entry.insert(Value::Repeated)),
            Entry::Occupied(_) => return Err(de::Error::custom("a repeated member")),
        }
    }
    Ok(members)
}

/// Deserializes a value within an object or array of this depth.
struct Within {
    depth: u8,
}

impl Within {
    /// Returns the depth of the value if the value is an object or array.
    fn deeper<E: de::Error>(&self) -> Result<u8, E> {
        if self.depth < MAX_DEPTH { Ok(self.depth + 1) } else { Err(E::custom("too deep")) }
    }
}

impl<'de> DeserializeSeed<'de> for Within {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Value, E> {
        Ok(Value::Integer(integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        while seq.next_element_seed(Within { depth })?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        members(map, self.deeper()?).map(|_| Value::Other)
    }
}
