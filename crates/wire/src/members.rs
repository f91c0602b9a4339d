//! Reading a JSON object member by member, so that nothing is built of what is not looked at.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

/// What takes an object's members.
pub(crate) trait Members<'de>: Default {
    /// Takes the value of the member `name` from `map`, exactly once. Of a member that stands twice, the last
    /// one counts, as it does for clients.
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Passes over a value.
pub(crate) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// A value where it is of this shape; one of another is passed over.
pub(crate) fn if_of_shape<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    map: &mut A,
) -> Result<Option<T>, A::Error> {
    let raw: &RawValue = map.next_value()?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// Reads an object of `text` into `begun`.
pub(crate) fn read_into<'de, T: Members<'de>>(begun: T, text: &'de str) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let object = Into(begun).deserialize(&mut json)?;
    json.end()?;
    Ok(object)
}

/// Where a value that was borrowed from `text` stands in it.
pub(crate) fn place(text: &str, value: &RawValue) -> Range<usize> {
    let start = (value.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + value.get().len()
}

/// An object, as a value of another one.
#[derive(Default)]
pub(crate) struct Obj<T>(pub(crate) T);

impl<'de, T: Members<'de>> Deserialize<'de> for Obj<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Into(T::default()).deserialize(deserializer).map(Self)
    }
}

struct Into<T>(T);

impl<'de, T: Members<'de>> DeserializeSeed<'de> for Into<T> {
    type Value = T;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Members<'de>> Visitor<'de> for Into<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<T, A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            self.0.member(&name, &mut map)?;
        }
        Ok(self.0)
    }
}

/// Text, borrowed where it holds no escapes. (serde borrows a `Cow` only outside an `Option`.)
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow<'a>(PhantomData<&'a ()>);
        impl<'de> Visitor<'de> for Borrow<'de> {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrow(PhantomData))
    }
}
