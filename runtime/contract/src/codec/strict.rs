//! Rejects what serde accepts but a request must not contain: an enum in any form but a string, an array in place of an
//! object, bytes in place of a string, a repeated key of a map, and NUL, which PostgreSQL cannot store in text.
//! Converts every string except those read with [`as_sent`](crate::text::as_sent) to its composed form.
//!
//! An adapter like those of `serde_path_to_error` and `serde_ignored`: it wraps the deserializer of a format and,
//! recursively, every deserializer, visitor and access. Its rejections are errors of that format with serde's messages.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::de::{
    DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor, value::StrDeserializer,
};

use crate::text::{AsSent, composed};

/// The error message for a NUL character.
pub(super) const NUL: &str = "a text with NUL";

/// A wrapped deserializer.
pub(super) struct Strict<'k, D> {
    inner: D,
    /// The keys read so far, if it reads a key of a map.
    keys: Option<&'k mut HashSet<String>>,
    as_sent: bool,
}

impl<D> Strict<'_, D> {
    pub(super) fn new(inner: D) -> Self {
        Self { inner, keys: None, as_sent: false }
    }
}

macro_rules! forward {
    ($only:expr; $($method:ident($($name:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($name,)* Checked { visitor, keys: self.keys, only: $only, as_sent: self.as_sent })
        }
    )*};
}

/// With a type hint for a number, MessagePack reports a string as a malformed body, while JSON reports a wrong type.
/// Without a hint, both pass the actual value to the visitor.
macro_rules! describe_itself {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    forward! { None;
        deserialize_any() deserialize_char() deserialize_i128() deserialize_u128() deserialize_bytes()
        deserialize_byte_buf() deserialize_option() deserialize_unit() deserialize_seq() deserialize_map()
        deserialize_identifier()
        deserialize_unit_struct(name: &'static str)
        deserialize_tuple(length: usize) deserialize_tuple_struct(name: &'static str, length: usize)
    }

    forward! { Some(Only::Text); deserialize_str() deserialize_string() }

    describe_itself! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        let as_sent = name == AsSent::NAME;
        self.inner.deserialize_newtype_struct(name, Checked { visitor, keys: self.keys, only: None, as_sent })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(
            name,
            fields,
            Checked { visitor, keys: None, only: Some(Only::Map), as_sent: false },
        )
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Word { visitor, variants })
    }

    /// Ignored values are not checked.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// A wrapped visitor.
struct Checked<'k, V> {
    visitor: V,
    keys: Option<&'k mut HashSet<String>>,
    only: Option<Only>,
    as_sent: bool,
}

/// The only form accepted for a type whose visitor accepts others too.
#[derive(Clone, Copy, PartialEq)]
enum Only {
    /// An object, not an array of its fields.
    Map,
    /// A string, not bytes that contain one.
    Text,
}

impl<V> Checked<'_, V> {
    /// Checks a string and returns it in the form in which it is stored.
    fn check<'t, E: Error>(&mut self, text: &'t str) -> Result<Cow<'t, str>, E> {
        if text.contains('\0') {
            return Err(E::custom(NUL));
        }
        let text = if self.as_sent { Cow::Borrowed(text) } else { composed(text) };
        if let Some(keys) = &mut self.keys
            && !keys.insert(text.clone().into_owned())
        {
            // The same message as that of a struct with a repeated field.
            return Err(E::custom(format_args!("duplicate field `{text}`")));
        }
        Ok(text)
    }
}

macro_rules! visit {
    ($($method:ident($type:ty))*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Checked<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    visit! {
        visit_bool(bool) visit_char(char) visit_f32(f32) visit_f64(f64)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<V::Value, E> {
        if self.only == Some(Only::Text) {
            return Err(E::invalid_type(Unexpected::Bytes(bytes), &self));
        }
        self.visitor.visit_bytes(bytes)
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<V::Value, E> {
        match self.check(text)? {
            Cow::Borrowed(text) => self.visitor.visit_str(text),
            Cow::Owned(text) => self.visitor.visit_string(text),
        }
    }

    fn visit_string<E: Error>(mut self, text: String) -> Result<V::Value, E> {
        let composed = match self.check(&text)? {
            Cow::Borrowed(_) => None,
            Cow::Owned(composed) => Some(composed),
        };
        self.visitor.visit_string(composed.unwrap_or(text))
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Strict { inner, keys: self.keys, as_sent: self.as_sent })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Strict { inner, keys: self.keys, as_sent: self.as_sent })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        if self.only == Some(Only::Map) {
            return Err(Error::invalid_type(Unexpected::Seq, &self));
        }
        self.visitor.visit_seq(Items(inner))
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        // A struct detects repeated fields itself.
        let keys = if self.only == Some(Only::Map) { None } else { Some(HashSet::new()) };
        self.visitor.visit_map(Entries { inner, keys })
    }
}

/// The visitor of an enum. Accepts strings only.
struct Word<V> {
    visitor: V,
    variants: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Word<V> {
    type Value = V::Value;

    /// The same text as that of an enum for an unknown variant.
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of ")?;
        for (place, variant) in self.variants.iter().enumerate() {
            write!(f, "{}`{variant}`", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(StrDeserializer::new(text))
    }
}

struct Items<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(Seed { seed, keys: None })
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

struct Entries<A> {
    inner: A,
    /// The keys read so far; `None` for a struct, which detects repeated fields itself.
    keys: Option<HashSet<String>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(Seed { seed, keys: self.keys.as_mut() })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(Seed { seed, keys: None })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Seed<'k, S> {
    seed: S,
    keys: Option<&'k mut HashSet<String>>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(Strict { inner, keys: self.keys, as_sent: false })
    }
}
