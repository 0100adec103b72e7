//! MessagePack maps between nodes, JSON for whoever sends JSON.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Detail, ErrorKind, Fault};

/// How a body is written. An answer has the format of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What a person types.
    Json,
    /// Maps with field names, never arrays: an added field must not break a reader.
    MessagePack,
}

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Neither the content type nor the first byte names a format we speak.
    #[error("the content type is not supported")]
    Unsupported,
    /// Not well-formed at all.
    #[error("the body is not well-formed: {0}")]
    Malformed(String),
    /// Well-formed, with a missing, mistyped or out-of-range field.
    #[error("{path}: {message}")]
    Invalid {
        /// Where, such as `items[0].quantity`.
        path: String,
        /// What is wrong there.
        message: String,
    },
}

impl Format {
    /// The format's media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
        }
    }

    /// Tells the format by the content type, else by the first byte. An empty body is `{}`.
    ///
    /// # Errors
    /// [`DecodeError::Unsupported`] where neither names one.
    pub fn detect(content_type: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        if let Some(declared) = content_type {
            let essence = declared.split(';').next().unwrap_or_default().trim();
            return match essence.to_ascii_lowercase().as_str() {
                "application/json" => Ok(Self::Json),
                "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => Ok(Self::MessagePack),
                _ => Err(DecodeError::Unsupported),
            };
        }
        match body.first() {
            None => Ok(Self::Json),
            Some(0x80..=0x8f | 0xde | 0xdf) => Ok(Self::MessagePack),
            Some(byte) if byte.is_ascii() => Ok(Self::Json),
            Some(_) => Err(DecodeError::Unsupported),
        }
    }

    /// Writes a value.
    ///
    /// # Errors
    /// Only for a value that the format cannot express, such as a map whose keys are not text.
    pub fn encode<T: Serialize>(self, value: &T) -> Result<Vec<u8>, DecodeError> {
        match self {
            Self::Json => serde_json::to_vec(value).map_err(|e| DecodeError::Malformed(e.to_string())),
            Self::MessagePack => rmp_serde::to_vec_named(value).map_err(|e| DecodeError::Malformed(e.to_string())),
        }
    }

    /// Reads a value; unknown fields are ignored, for a newer sender may know more than we do.
    ///
    /// # Errors
    /// Tells malformed from invalid, and names the path of an invalid field.
    pub fn decode<T: DeserializeOwned>(self, body: &[u8]) -> Result<T, DecodeError> {
        match self {
            Self::Json => {
                let body = if body.is_empty() { b"{}".as_slice() } else { body };
                let mut reader = serde_json::Deserializer::from_slice(body);
                let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
                    let (path, inner) = (error.path().to_string(), error.into_inner());
                    if inner.is_data() { invalid(path, &inner) } else { DecodeError::Malformed(inner.to_string()) }
                })?;
                reader.end().map_err(|e| DecodeError::Malformed(e.to_string()))?;
                Ok(value)
            }
            Self::MessagePack => {
                let mut rest = body;
                let mut reader = rmp_serde::Deserializer::new(&mut rest);
                let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
                    let path = error.path().to_string();
                    match error.into_inner() {
                        rmp_serde::decode::Error::Syntax(message) => DecodeError::Invalid { path, message },
                        other => DecodeError::Malformed(other.to_string()),
                    }
                })?;
                if rest.is_empty() { Ok(value) } else { Err(DecodeError::Malformed("bytes after the value".into())) }
            }
        }
    }
}

fn invalid(path: String, error: &serde_json::Error) -> DecodeError {
    // serde_json appends the place in the text, which says nothing to someone who is told the path.
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or_default().to_owned();
    DecodeError::Invalid { path, message }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Unsupported => Self::new(
                ErrorKind::UnsupportedMediaType,
                "unsupported_media_type",
                "The body must be application/json or application/msgpack.",
            ),
            DecodeError::Malformed(_) => {
                Self::new(ErrorKind::Malformed, "malformed_body", "The body is not well-formed.")
            }
            DecodeError::Invalid { path, message } => {
                let mut fault = Self::new(ErrorKind::Invalid, "invalid_body", "A field of the body is not valid.");
                fault.details.push(Detail { field: path, message });
                fault
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Line {
        id: uuid::Uuid,
        quantity: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Lines {
        items: Vec<Line>,
    }

    #[test]
    fn both_formats_give_equal_values() {
        let lines = Lines { items: vec![Line { id: uuid::Uuid::from_u128(7), quantity: 3 }] };
        for format in [Format::Json, Format::MessagePack] {
            let bytes = format.encode(&lines).unwrap();
            assert_eq!(Format::detect(None, &bytes), Ok(format));
            assert_eq!(format.decode::<Lines>(&bytes).unwrap(), lines);
        }
    }

    #[test]
    fn a_wrong_field_is_named_by_its_path() {
        let body = br#"{"items":[{"id":"00000000-0000-0000-0000-000000000007","quantity":-1}]}"#;
        let Err(DecodeError::Invalid { path, .. }) = Format::Json.decode::<Lines>(body) else { panic!("accepted") };
        assert_eq!(path, "items[0].quantity");
    }

    #[test]
    fn broken_text_is_malformed_and_other_types_are_unsupported() {
        assert!(matches!(Format::Json.decode::<Lines>(b"{"), Err(DecodeError::Malformed(_))));
        assert_eq!(Format::detect(Some("text/plain"), b"{}"), Err(DecodeError::Unsupported));
        assert_eq!(Format::detect(None, b"\xff"), Err(DecodeError::Unsupported));
    }
}
