//! Error details about one field: a message for people, a code and parameters for programs.

use std::{collections::BTreeMap, fmt::Display};

use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $label:literal, $params:literal;)+) => {
        /// The kind of problem with a field. The list is closed; clients translate by it.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum DetailCode {
            $($(#[doc = $doc])* $name,)+
            /// Is not valid in some other way.
            #[default]
            #[serde(other)]
            Invalid,
        }

        impl DetailCode {
            /// Every code, its parameters, and what it means.
            pub const ALL: &'static [(Self, &'static str, &'static str)] = &[
                $((Self::$name, $params, concat!($($doc),*)),)+
                (Self::Invalid, "", " Is not valid in some other way."),
            ];

            /// The serialized form.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)+
                    Self::Invalid => "invalid",
                }
            }
        }
    };
}

codes! {
    /// Is required.
    Required = "required", "";
    /// Must not be null.
    Null = "null", "";
    /// Has another type than `expected`.
    Type = "type", "expected";
    /// Is not one of the values in `allowed`, or of those that the OpenAPI document lists.
    OneOf = "one_of", "allowed";
    /// Does not have the format `format`.
    Format = "format", "format";
    /// Is not from `min` to `max`; either may be absent, and `unit` says what is counted.
    Range = "range", "min, max, unit";
    /// Has fewer characters than `min` or more than `max`.
    Length = "length", "min, max";
    /// Has fewer entries than `min` or more than `max`.
    Count = "count", "min, max";
    /// Has characters that are not allowed.
    Characters = "characters", "";
    /// Is given more than once.
    Repeated = "repeated", "";
    /// Is not known.
    Unknown = "unknown", "";
    /// Refers to something that does not exist.
    NotFound = "not_found", "";
    /// Is easily guessed.
    Guessed = "guessed", "";
    /// Conflicts with another field or with existing data.
    Conflict = "conflict", "";
    /// The state that forbids it.
    State = "state", "state";
    /// Not an error: a value that the caller needs.
    Value = "value", "value";
}

/// An error detail about one field.
// The order of the fields matters: older nodes write a detail as an array of field and message, read by position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The field's path, such as `items[0].quantity`.
    pub field: String,
    /// The message for people.
    pub message: String,
    /// The code for programs.
    #[serde(default)]
    pub code: DetailCode,
    /// The parameters of the message, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
}

impl Detail {
    /// A detail about a field.
    pub fn new(field: impl Into<String>, code: DetailCode, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), code, params: BTreeMap::new() }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    /// A missing field.
    pub fn required(field: impl Into<String>) -> Self {
        Self::new(field, DetailCode::Required, "is required")
    }

    /// A field that is null.
    pub fn null(field: impl Into<String>) -> Self {
        Self::new(field, DetailCode::Null, "must not be null")
    }

    /// A field, parameter or header that is given more than once.
    pub fn repeated(field: impl Into<String>) -> Self {
        Self::new(field, DetailCode::Repeated, "is given more than once")
    }

    /// A field or parameter that is not known.
    pub fn unknown(field: impl Into<String>) -> Self {
        Self::new(field, DetailCode::Unknown, "is not known")
    }

    /// A value of another JSON type, one of `boolean`, `integer`, `number`, `string`, `array` and `object`.
    pub fn of_type(field: impl Into<String>, expected: &str) -> Self {
        let message = match expected {
            "boolean" => "must be true or false".to_owned(),
            "integer" | "array" | "object" => format!("must be an {expected}"),
            _ => format!("must be a {expected}"),
        };
        Self::new(field, DetailCode::Type, message).with("expected", expected)
    }

    /// A value that is not one of those allowed.
    pub fn one_of(field: impl Into<String>, allowed: &[&str]) -> Self {
        let message = format!("must be one of {}", allowed.join(", "));
        Self::new(field, DetailCode::OneOf, message).with("allowed", allowed)
    }

    /// A text that does not have the required format.
    pub fn format(field: impl Into<String>, format: &str, message: impl Into<String>) -> Self {
        Self::new(field, DetailCode::Format, message).with("format", format)
    }

    /// A value that is not a UUID.
    pub fn uuid(field: impl Into<String>) -> Self {
        Self::format(field, "uuid", "must be a UUID")
    }

    /// A number out of range.
    pub fn range(field: impl Into<String>, min: i64, max: i64) -> Self {
        Self::new(field, DetailCode::Range, format!("must be {min} to {max}")).with("min", min).with("max", max)
    }

    /// A text that is too short or too long.
    pub fn length(field: impl Into<String>, min: usize, max: usize) -> Self {
        Self::sized(field, DetailCode::Length, min, max, "characters")
    }

    /// A list or map that is too short or too long.
    pub fn count(field: impl Into<String>, min: usize, max: usize) -> Self {
        Self::sized(field, DetailCode::Count, min, max, "entries")
    }

    fn sized(field: impl Into<String>, code: DetailCode, min: usize, max: usize, things: &str) -> Self {
        let message = match min {
            0 => format!("must have at most {max} {things}"),
            _ => format!("must have {min} to {max} {things}"),
        };
        Self::new(field, code, message).with("min", min).with("max", max)
    }

    /// A text with characters that are not allowed, such as `control characters`.
    pub fn characters(field: impl Into<String>, forbidden: &str) -> Self {
        Self::new(field, DetailCode::Characters, format!("must not contain {forbidden}"))
    }

    /// The state that forbids something.
    pub fn state(field: impl Into<String>, state: &str, message: impl Into<String>) -> Self {
        Self::new(field, DetailCode::State, message).with("state", state)
    }

    /// A value that the caller needs.
    pub fn value(field: impl Into<String>, value: &(impl Display + Clone + Into<Value>)) -> Self {
        Self::new(field, DetailCode::Value, value.to_string()).with("value", value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_travel_as_words_and_one_of_tomorrow_is_read() {
        let detail = Detail::length("name", 1, 200);
        let text = concat!(
            r#"{"field":"name","message":"must have 1 to 200 characters","code":"length","#,
            r#""params":{"max":200,"min":1}}"#
        );
        assert_eq!(serde_json::to_string(&detail).unwrap(), text);
        assert_eq!(serde_json::from_str::<Detail>(text).unwrap(), detail);
        let read: Detail = serde_json::from_str(r#"{"field":"a","message":"b","code":"of_tomorrow"}"#).unwrap();
        assert_eq!(read, Detail::new("a", DetailCode::Invalid, "b"));
        for (code, ..) in DetailCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn a_pair_of_yesterday_is_read() {
        let read: Detail = serde_json::from_str(r#"["name","must have 1 to 200 characters"]"#).unwrap();
        assert_eq!(read, Detail::new("name", DetailCode::Invalid, "must have 1 to 200 characters"));
    }

    #[test]
    fn bounds_are_explained() {
        assert_eq!(Detail::length("a", 0, 5).message, "must have at most 5 characters");
        assert_eq!(Detail::count("a", 1, 5).message, "must have 1 to 5 entries");
        assert_eq!(Detail::of_type("a", "object").message, "must be an object");
    }
}
