//! Rows as they may really come: every member may have any type, so that each mistake gets its own finding instead of
//! the parser's first complaint. Strings are borrowed from the line where they hold no escapes.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// The JSON type of something that should have been another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Boolean,
    Number,
    String,
    List,
    Object,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        })
    }
}

/// A member that is mostly a string.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Scalar<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Integer(u64),
    Other(Type),
}

impl Scalar<'_> {
    /// The text, or what stands there instead.
    pub(super) fn text(&self) -> Result<&str, Option<Type>> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Absent => Err(None),
            Self::Integer(_) => Err(Some(Type::Number)),
            Self::Other(kind) => Err(Some(*kind)),
        }
    }

    pub(super) fn is_absent_or_null(&self) -> bool {
        matches!(self, Self::Absent | Self::Other(Type::Null))
    }
}

/// A member that should be a list of `T`.
#[derive(Debug, Default)]
pub(super) enum List<T> {
    #[default]
    Absent,
    Items(Vec<T>),
    Other(Type),
}

/// A value that should be an object that reads as `T`.
#[derive(Debug)]
pub(super) enum Object<T> {
    Is(T),
    Other(Type),
}

/// Something whose type alone matters. Unlike what serde ignores, it is read in full: a broken escape or an endless
/// number in it is found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen(pub(super) Option<Type>);

/// What a value turned out to be, for each of the types above.
trait Shape<'de>: Sized {
    fn other(kind: Type) -> Self;

    fn text(_: Cow<'de, str>) -> Self {
        Self::other(Type::String)
    }

    fn integer(_: u64) -> Self {
        Self::other(Type::Number)
    }

    fn list<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Seen>()?.is_some() {}
        Ok(Self::other(Type::List))
    }

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Seen, Seen>()?.is_some() {}
        Ok(Self::other(Type::Object))
    }
}

impl<'de: 'a, 'a> Shape<'de> for Scalar<'a> {
    fn other(kind: Type) -> Self {
        Self::Other(kind)
    }

    fn text(text: Cow<'de, str>) -> Self {
        Self::Text(text)
    }

    fn integer(value: u64) -> Self {
        Self::Integer(value)
    }
}

impl<'de, T: Deserialize<'de>> Shape<'de> for List<T> {
    fn other(kind: Type) -> Self {
        Self::Other(kind)
    }

    fn list<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Self::Items(items))
    }
}

impl<'de, T: Deserialize<'de>> Shape<'de> for Object<T> {
    fn other(kind: Type) -> Self {
        Self::Other(kind)
    }

    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Self::Is)
    }
}

impl<'de> Shape<'de> for Seen {
    fn other(kind: Type) -> Self {
        Self(Some(kind))
    }
}

struct Any<S>(PhantomData<S>);

impl<'de, S: Shape<'de>> Visitor<'de> for Any<S> {
    type Value = S;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<S, E> {
        Ok(S::other(Type::Null))
    }

    fn visit_bool<E>(self, _: bool) -> Result<S, E> {
        Ok(S::other(Type::Boolean))
    }

    fn visit_u64<E>(self, value: u64) -> Result<S, E> {
        Ok(S::integer(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<S, E> {
        Ok(S::other(Type::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<S, E> {
        Ok(S::other(Type::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<S, E> {
        Ok(S::text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<S, E> {
        Ok(S::text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<S, A::Error> {
        S::list(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<S, A::Error> {
        S::object(map)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}
