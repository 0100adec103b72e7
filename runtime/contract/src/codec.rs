//! Encoding and decoding of bodies: MessagePack maps between nodes, JSON for clients that send JSON.
//!
//! [`Format::decode`] reads bodies written by a node: events, replies, stored answers. [`Format::decode_request`] reads
//! bodies written by a client, over HTTP or NATS, and reports in plain words which field is wrong.

mod explain;
mod strict;

use serde::{
    Serialize,
    de::{DeserializeOwned, Deserializer, IgnoredAny},
};
use serde_path_to_error::{Segment, Track};

use crate::{Detail, ErrorKind, ServiceError};
use strict::Strict;

/// The field name that stands for a whole body.
const WHOLE: &str = "body";
/// The most unknown fields that an error names.
const NAMED: usize = 20;

/// The format of a body. A reply has the format of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, for people and external clients.
    Json,
    /// MessagePack. Structs are maps with field names, never arrays: an added field must not break a reader.
    MessagePack,
}

/// How to handle fields of a request that its type does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFields {
    /// Ignore them: a newer node may send fields that this version does not know.
    Ignore,
    /// Reject them: a client would take a success to mean that they were applied.
    Reject,
}

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The content type, or the first byte if there is none, is not that of a supported format.
    #[error("the content type is not supported")]
    Unsupported,
    /// Not well-formed.
    #[error("the body is not well-formed: {0}")]
    Malformed(String),
    /// Well-formed, with a missing, mistyped or out-of-range field.
    #[error("{}: {}", .0.field, .0.message)]
    Invalid(Detail),
    /// Well-formed, with fields that are not known.
    #[error("unknown fields: {}", .0.join(", "))]
    UnknownFields(Vec<String>),
}

impl Format {
    /// The format's media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
        }
    }

    /// Detects the format by the content type or, if there is none, by the first byte. An empty body is `{}`.
    ///
    /// # Errors
    /// [`DecodeError::Unsupported`] if the format is not supported or the declared charset is not UTF-8.
    pub fn detect(content_type: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        if let Some(declared) = content_type {
            let mut parts = declared.split(';');
            let essence = parts.next().unwrap_or_default().trim();
            if !parts.all(is_supported_parameter) {
                return Err(DecodeError::Unsupported);
            }
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

    /// Encodes a value.
    ///
    /// # Errors
    /// Only for a value that the format cannot express, such as a map whose keys are not text.
    pub fn encode<T: Serialize>(self, value: &T) -> Result<Vec<u8>, DecodeError> {
        match self {
            Self::Json => serde_json::to_vec(value).map_err(|error| malformed(&error)),
            Self::MessagePack => rmp_serde::to_vec_named(value).map_err(|error| malformed(&error)),
        }
    }

    /// Decodes a value written by a node. Unknown fields are ignored: a newer node may have added them.
    ///
    /// # Errors
    /// Distinguishes malformed from invalid bodies, and names the path of an invalid field.
    pub fn decode<T: DeserializeOwned>(self, body: &[u8]) -> Result<T, DecodeError> {
        match self.decode_plainly(body, |reader| T::deserialize(reader), |reader| T::deserialize(reader)) {
            Some(value) => Ok(value),
            None => self.decode_request_with_path(body, UnknownFields::Ignore),
        }
    }

    /// Decodes a whole body without tracking the path, which would double the cost and is needed only for errors.
    fn decode_plainly<'de, T>(
        self,
        body: &'de [u8],
        json: impl FnOnce(&mut JsonReader<'de>) -> Result<T, serde_json::Error>,
        packed: impl FnOnce(&mut PackedReader<'_, 'de>) -> Result<T, rmp_serde::decode::Error>,
    ) -> Option<T> {
        match self {
            Self::Json => {
                let text = std::str::from_utf8(if body.is_empty() { b"{}" } else { body }).ok()?;
                let mut reader = serde_json::Deserializer::from_str(text);
                let value = json(&mut reader).ok()?;
                reader.end().ok().map(|()| value)
            }
            Self::MessagePack => {
                let mut rest = body;
                let value = packed(&mut rmp_serde::Deserializer::new(&mut rest)).ok()?;
                rest.is_empty().then_some(value)
            }
        }
    }

    /// Decodes a value written by a client. An enum must be a string, and an object must not be an array. Repeated keys
    /// and NUL characters are rejected everywhere. An empty body is `{}`.
    ///
    /// # Errors
    /// Distinguishes malformed from invalid bodies, and names the path of an invalid field, in words for the client.
    pub fn decode_request<T: DeserializeOwned>(self, body: &[u8], unknown: UnknownFields) -> Result<T, DecodeError> {
        match self.decode_plainly(body, |reader| strictly(reader, unknown), |reader| strictly(reader, unknown)) {
            Some(Some(value)) => Ok(value),
            _ => self.decode_request_with_path(body, unknown),
        }
    }

    fn decode_request_with_path<T: DeserializeOwned>(
        self,
        body: &[u8],
        unknown: UnknownFields,
    ) -> Result<T, DecodeError> {
        match self {
            Self::Json => {
                let body = if body.is_empty() { b"{}".as_slice() } else { body };
                let text = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
                let mut reader = serde_json::Deserializer::from_str(text);
                let value = read(&mut reader, unknown, |error: &serde_json::Error| {
                    let text = error.to_string();
                    // serde_json appends line and column, which are redundant beside the path.
                    let words = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
                    // A number that is out of range for every type is still well-formed JSON.
                    (error.is_data() || words.starts_with("number out of range")).then(|| words.to_owned())
                });
                // Decoding stops at the first invalid field, but the rest of the body may still be malformed.
                if let Err(DecodeError::Invalid(_)) = value {
                    serde_json::from_str::<IgnoredAny>(text).map_err(|error| malformed(&error))?;
                }
                let value = value?;
                reader.end().map_err(|error| malformed(&error))?;
                Ok(value)
            }
            Self::MessagePack => {
                let mut rest = body;
                let mut reader = rmp_serde::Deserializer::new(&mut rest);
                let value = read(&mut reader, unknown, |error: &rmp_serde::decode::Error| match error {
                    rmp_serde::decode::Error::Syntax(words) => Some(words.clone()),
                    _ => None,
                });
                if let Err(DecodeError::Invalid(_)) = value {
                    rmp_serde::from_slice::<IgnoredAny>(body).map_err(|error| malformed(&error))?;
                }
                let value = value?;
                if rest.is_empty() { Ok(value) } else { Err(malformed(&"bytes after the value")) }
            }
        }
    }
}

/// Whether a content type parameter is supported: a charset must be UTF-8, others are ignored.
fn is_supported_parameter(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
}

fn malformed(reason: &impl ToString) -> DecodeError {
    DecodeError::Malformed(reason.to_string())
}

type JsonReader<'de> = serde_json::Deserializer<serde_json::de::StrRead<'de>>;
type PackedReader<'r, 'de> = rmp_serde::Deserializer<rmp_serde::decode::ReadReader<&'r mut &'de [u8]>>;

/// Decodes a client's value; `None` if it has unknown fields that must be rejected.
fn strictly<'de, T, D>(reader: D, unknown: UnknownFields) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    let mut is_known = true;
    let value = match unknown {
        UnknownFields::Ignore => T::deserialize(Strict::new(reader)),
        UnknownFields::Reject => serde_ignored::deserialize(Strict::new(reader), |_| is_known = false),
    };
    Ok(Some(value?).filter(|_| is_known))
}

/// Decodes a client's value with its path. `words` returns serde's message for an error in a well-formed value, and
/// `None` for a malformed one.
fn read<'de, T, D>(
    reader: D,
    unknown: UnknownFields,
    words: impl FnOnce(&D::Error) -> Option<String>,
) -> Result<T, DecodeError>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    let mut track = Track::new();
    let tracked = serde_path_to_error::Deserializer::new(Strict::new(reader), &mut track);
    let mut names = Vec::new();
    let value = match unknown {
        UnknownFields::Ignore => T::deserialize(tracked),
        UnknownFields::Reject => serde_ignored::deserialize(tracked, |path| {
            if names.len() < NAMED {
                names.push(ignored_path(&path));
            }
        }),
    };
    let value = value.map_err(|error| match words(&error) {
        None => malformed(&error),
        Some(words) => DecodeError::Invalid(explain::explain(&path_of(&track.path()), &words)),
    })?;
    if names.is_empty() { Ok(value) } else { Err(DecodeError::UnknownFields(names)) }
}

fn path_of(path: &serde_path_to_error::Path) -> String {
    path.iter().fold(String::new(), |path, segment| match segment {
        Segment::Seq { index } => format!("{path}[{index}]"),
        Segment::Map { key } => below(&path, key),
        // A variant is not a field, and a key that could not be read has no name.
        Segment::Enum { .. } | Segment::Unknown => path,
    })
}

fn ignored_path(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", ignored_path(parent)),
        Path::Map { parent, key } => below(&ignored_path(parent), key),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            ignored_path(parent)
        }
    }
}

fn below(path: &str, key: &str) -> String {
    join(path, if key.is_empty() { "\"\"" } else { key })
}

fn join(path: &str, field: &str) -> String {
    match (path.is_empty(), field.is_empty()) {
        (true, true) => WHOLE.into(),
        (true, false) => field.into(),
        (false, true) => path.into(),
        (false, false) => format!("{path}.{field}"),
    }
}

impl From<DecodeError> for ServiceError {
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
            DecodeError::Invalid(detail) => {
                Self::new(ErrorKind::Invalid, "invalid_body", "A field of the body is not valid.").about(detail)
            }
            DecodeError::UnknownFields(names) => {
                let text = "The body has a field that is not known.";
                let mut service_error = Self::new(ErrorKind::Invalid, "unknown_field", text);
                service_error.details.extend(names.into_iter().map(Detail::unknown));
                service_error
            }
        }
    }
}

#[cfg(test)]
mod tests;
