//! References to orders.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::OrderId;

/// An order, by its id or by its number. An id is encoded like [`OrderId`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderRef {
    /// Its id.
    Id(OrderId),
    /// Its number, in capitals.
    Number(String),
}

/// The namespace of the keys of numbers. Must never change.
const NUMBERS: Uuid = Uuid::from_u128(0x2f0c_7a51_4d1e_4f0b_9a36_c8b1_5e77_0d42);

impl OrderRef {
    /// The key of commands on the order. The id of a number is not known before it is looked up; the lock of the row
    /// orders commands with either.
    pub fn key(&self) -> Uuid {
        match self {
            Self::Id(id) => id.0,
            Self::Number(number) => Uuid::new_v5(&NUMBERS, number.as_bytes()),
        }
    }
}

impl From<OrderId> for OrderRef {
    fn from(id: OrderId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for OrderRef {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Number(text.to_ascii_uppercase()), Self::Id)
    }
}

impl fmt::Display for OrderRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Number(number) => f.write_str(number),
        }
    }
}

impl Serialize for OrderRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => id.serialize(serializer),
            Self::Number(number) => serializer.serialize_str(number),
        }
    }
}

impl<'de> Deserialize<'de> for OrderRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = OrderRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id or the number of an order (format: order)")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<OrderRef, E> {
                Ok(text.into())
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<OrderRef, E> {
                let id = Uuid::from_slice(bytes).map_err(|_| E::invalid_value(de::Unexpected::Bytes(bytes), &self))?;
                Ok(OrderId(id).into())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use contract::Format;

    use super::*;

    #[test]
    fn an_id_travels_as_an_id_and_a_number_as_text() {
        let id = OrderId::new();
        for format in [Format::Json, Format::MessagePack] {
            let bytes = format.encode(&id).unwrap();
            assert_eq!(format.encode(&OrderRef::Id(id)).unwrap(), bytes);
            assert_eq!(format.decode::<OrderRef>(&bytes).unwrap(), OrderRef::Id(id));
            let number = format.encode(&"sk-260102-3f7k2q-9zxb1m").unwrap();
            let read: OrderRef = format.decode(&number).unwrap();
            assert_eq!(read, OrderRef::Number("SK-260102-3F7K2Q-9ZXB1M".into()));
            assert_eq!(format.decode::<OrderRef>(&format.encode(&read).unwrap()).unwrap(), read);
            assert!(format.decode::<OrderRef>(&format.encode(&7).unwrap()).is_err());
        }
    }

    #[test]
    fn the_key_of_an_id_is_the_id() {
        let id = OrderId::new();
        assert_eq!(OrderRef::from(id.to_string().as_str()).key(), id.0);
        assert_eq!(OrderRef::from("sk-1").key(), OrderRef::from("SK-1").key());
        assert_ne!(OrderRef::from("sk-1").key(), OrderRef::from("sk-2").key());
    }
}
