//! Lists of records within a client: secrets, keys and trust entries.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads a list of records. serde reads a record also from a list of values, which is not its stored form.
pub(super) fn from_maps<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let records = Vec::<Record<T>>::deserialize(deserializer)?;
    Ok(records.into_iter().map(|Record(record)| record).collect())
}

struct Record<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Record<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Reads the members of a record.
struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = Record<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the members of a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Record<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Record)
    }
}
