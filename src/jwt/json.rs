//! The JSON objects of a JWT: canonical base64url, and no repeated member (RFC 7515 section 4).

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Decodes base64url. Returns `None` for padding and for trailing bits that are not zero, so that a part has one form.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Returns a JSON object that is at most `depth` deep and has no repeated member. Returns `None` for any other text.
pub fn object(json: &[u8], depth: usize) -> Option<Map<String, Value>> {
    if is_unique(json, depth) { serde_json::from_slice(json).ok() } else { None }
}

/// Returns true for JSON that is at most `depth` deep and has no repeated member.
pub fn is_unique(json: &[u8], depth: usize) -> bool {
    let mut json = serde_json::Deserializer::from_slice(json);
    Unique { depth }.deserialize(&mut json).and_then(|()| json.end()).is_ok()
}

/// Reads any JSON without a repeated member, within a depth. `serde_json` keeps the last value of a repeated member.
#[derive(Clone, Copy)]
struct Unique {
    /// The depth that an object or array may have.
    depth: usize,
}

impl Unique {
    /// Returns the reader of the values in an object or array.
    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without repeated members")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while values.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value_seed(inner)?;
            if !names.insert(name) {
                return Err(A::Error::custom("a repeated member"));
            }
        }
        Ok(())
    }
}
