//! Bodies: the schema that poem-openapi publishes, read by serde so that every wrong field is named by its path.

use std::io;

use bytes::{Bytes, BytesMut};
use contract::{Detail, ErrorKind, Fault};
use futures::StreamExt;
use poem::{Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::ParseFromJSON,
};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::{error::ApiError, explain, visit::Visit};

/// How much of a body that is too large is read to its end, so that its sender gets to read the answer.
const DRAINED: usize = 16 * 1024 * 1024;
/// How many unknown fields are named at most.
const NAMED: usize = 20;
/// The field by which the whole body is named.
const WHOLE: &str = "body";

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON body that may be absent, which is the same as `{}`.
pub(crate) struct OptionalBody<T>(pub(crate) T);

macro_rules! extractor {
    ($name:ident, required = $required:literal) => {
        impl<'a, T: DeserializeOwned + ParseFromJSON> ApiExtractor<'a> for $name<T> {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                T::register(registry);
            }

            fn request_meta() -> Option<MetaRequest> {
                let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
                Some(MetaRequest { description: None, content, required: $required })
            }

            async fn from_request(
                request: &'a Request,
                body: &mut RequestBody,
                _options: ExtractParamOptions<Self::ParamType>,
            ) -> Result<Self> {
                let text = read(request, body).await?;
                let text = if text.is_empty() && !$required { Bytes::from_static(b"{}") } else { text };
                Ok(Self(parse(&text).map_err(ApiError::from)?))
            }
        }
    };
}

extractor!(Body, required = true);
extractor!(OptionalBody, required = false);

/// The bytes of a body that is declared to be JSON.
pub(crate) async fn read(request: &Request, body: &mut RequestBody) -> Result<Bytes, ApiError> {
    let limit = Visit::of(request)?.gateway.body_limit;
    let declared = request.headers().get(header::CONTENT_TYPE);
    if declared.is_some_and(|value| !value.to_str().is_ok_and(is_json)) || is_encoded(request) {
        return Err(unsupported());
    }
    let body = body.take().map_err(|error| ApiError::internal(&error))?;
    let mut chunks = body.into_bytes_stream();
    let (mut text, mut length) = (BytesMut::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(_) if length > limit => break,
            // The server bounds how long a body may take.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(ApiError::body_timeout()),
            Err(_) => return Err(malformed("The body could not be read to its end.").into()),
        };
        length += chunk.len();
        if length <= limit {
            text.extend_from_slice(&chunk);
        } else if length > DRAINED {
            break;
        }
    }
    if length > limit {
        return Err(ApiError::new(ErrorKind::TooLarge, "body_too_large", "The body is too large."));
    }
    if declared.is_none() && !text.is_empty() {
        return Err(unsupported());
    }
    Ok(text.freeze())
}

fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn is_encoded(request: &Request) -> bool {
    request.headers().get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity")
}

fn unsupported() -> ApiError {
    ApiError::new(ErrorKind::UnsupportedMediaType, "unsupported_media_type", "The body must be application/json.")
}

pub(crate) fn malformed(message: &str) -> Fault {
    Fault::new(ErrorKind::Malformed, "malformed_body", message)
}

fn invalid(details: Vec<Detail>) -> Fault {
    Fault { details, ..Fault::new(ErrorKind::Invalid, "invalid_body", "A field of the body is not valid.") }
}

fn parse<T: DeserializeOwned + ParseFromJSON>(text: &[u8]) -> Result<T, Fault> {
    let text = std::str::from_utf8(text).map_err(|_| malformed("The body is not UTF-8."))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let mut unknown = Vec::new();
    let read = serde_ignored::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track), |path| {
        if unknown.len() < NAMED {
            unknown.push(Detail::new(path_of(&path), "is not known"));
        }
    });
    let value: T = read.map_err(|error: serde_json::Error| {
        let words = error.to_string();
        // A number that no type of ours holds is JSON all the same.
        let is_json = error.is_data() || words.starts_with("number out of range");
        // The first wrong field is found before a later place where the body is no JSON at all.
        if !is_json || serde_json::from_str::<IgnoredAny>(text).is_err() {
            return malformed("The body is not JSON.");
        }
        let (field, message) = explain::body(&words);
        let path = track.path().to_string();
        let path = if path == "." { String::new() } else { path };
        invalid(vec![Detail::new(join(&path, field.unwrap_or_default()), message)])
    })?;
    json.end().map_err(|_| malformed("The body holds more than one JSON value."))?;
    if !unknown.is_empty() {
        let fault = Fault::new(ErrorKind::Invalid, "unknown_field", "The body has a field that is not known.");
        return Err(Fault { details: unknown, ..fault });
    }
    strictly::<T>(text)?;
    Ok(value)
}

/// What serde lets through: an array in the place of an object, and NUL, which PostgreSQL takes in no text.
fn strictly<T: ParseFromJSON>(text: &str) -> Result<(), Fault> {
    let (arrays, escapes) = (text.contains('['), text.contains("\\u0000"));
    if !arrays && !escapes {
        return Ok(());
    }
    let value: Value = serde_json::from_str(text).map_err(|_| malformed("The body is not JSON."))?;
    if escapes && let Some(path) = nul_in(&value, String::new()) {
        return Err(invalid(vec![Detail::new(join(&path, ""), "must not contain NUL")]));
    }
    if arrays && T::parse_from_json(Some(value)).is_err() {
        return Err(invalid(vec![Detail::new(WHOLE, "has an array where an object belongs")]));
    }
    Ok(())
}

fn nul_in(value: &Value, path: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(path),
        Value::Array(items) => items.iter().enumerate().find_map(|(i, item)| nul_in(item, format!("{path}[{i}]"))),
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            if name.contains('\0') { Some(path.clone()) } else { nul_in(field, join(&path, name)) }
        }),
        _ => None,
    }
}

fn join(path: &str, field: &str) -> String {
    match (path.is_empty(), field.is_empty()) {
        (true, true) => WHOLE.into(),
        (true, false) => field.into(),
        (false, true) => path.into(),
        (false, false) => format!("{path}.{field}"),
    }
}

fn path_of(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", path_of(parent)),
        Path::Map { parent, key } => join(&path_of(parent), if key.is_empty() { "\"\"" } else { key }),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => path_of(parent),
    }
}

#[cfg(test)]
mod tests {
    use subjects::{catalog::NewProduct, orders::NewOrder};

    use super::*;

    const ADDRESS: &str = r#"{"street":"1 High St","city":"York","zip_code":"YO1","country":"GB"}"#;

    fn refused(text: &str) -> (String, String, String) {
        let fault = parse::<NewOrder>(text.as_bytes()).unwrap_err();
        let detail = fault.details.first().cloned().unwrap_or_else(|| Detail::new("", ""));
        (fault.code, detail.field, detail.message)
    }

    #[test]
    fn a_whole_order_is_read() {
        let text = format!(
            r#"{{"items":[{{"variant_id":"{}","quantity":2}}],"shipping_address":{ADDRESS}}}"#,
            uuid::Uuid::nil()
        );
        let order: NewOrder = parse(text.as_bytes()).unwrap();
        assert_eq!(order.items.unwrap()[0].quantity, 2);
    }

    #[test]
    fn every_wrong_field_is_named_by_its_path() {
        let line = |quantity: &str| {
            format!(
                r#"{{"items":[{{"variant_id":"{}","quantity":{quantity}}}],"shipping_address":{ADDRESS}}}"#,
                uuid::Uuid::nil()
            )
        };
        for (text, code, field, message) in [
            (line("\"2\""), "invalid_body", "items[0].quantity", "must be an integer"),
            (line("99999999999999999999"), "invalid_body", "items[0].quantity", "must be an integer"),
            (line("1e999"), "invalid_body", "items[0].quantity", "is out of range"),
            (line("1,\"colour\":\"red\""), "unknown_field", "items[0].colour", "is not known"),
            ("{}".into(), "invalid_body", "shipping_address", "is required"),
            (r#"{"shipping_address":{"street":"x"}}"#.into(), "invalid_body", "shipping_address.city", "is required"),
            (
                r#"{"items":[{"variant_id":"x","quantity":1}]}"#.into(),
                "invalid_body",
                "items[0].variant_id",
                "must be a UUID",
            ),
            (
                r#"{"items":[["00000000-0000-0000-0000-000000000000",1]],"shipping_address":ADDRESS}"#
                    .replace("ADDRESS", ADDRESS),
                "invalid_body",
                "body",
                "has an array where an object belongs",
            ),
            (
                format!(r#"{{"notes":"a\u0000","shipping_address":{ADDRESS}}}"#),
                "invalid_body",
                "notes",
                "must not contain NUL",
            ),
            ("[]".into(), "invalid_body", "body", "must be an object"),
            ("\"text\"".into(), "invalid_body", "body", "must be an object"),
        ] {
            assert_eq!(refused(&text), (code.into(), field.into(), message.into()), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for text in ["", "{", "{} {}", "{\"items\":3", "nope", "\u{0}"] {
            assert_eq!(refused(text).0, "malformed_body", "{text}");
        }
        assert_eq!(parse::<NewOrder>(b"\xff").unwrap_err().code, "malformed_body");
        assert_eq!(refused(&"[".repeat(100_000)).0, "malformed_body");
        assert_eq!(refused(&("[".repeat(100_000) + &"]".repeat(100_000))).0, "invalid_body");
    }

    #[test]
    fn currencies_and_maps_are_read() {
        let text = r#"{"name":"Mug","price":{"amount":1,"currency":"ZZZ"}}"#;
        let fault = parse::<NewProduct>(text.as_bytes()).unwrap_err();
        assert_eq!(fault.details[0], Detail::new("price.currency", "must be an ISO 4217 currency code"));
        let text =
            r#"{"name":"Mug","price":{"amount":1,"currency":"USD"},"attributes":{"colour":"blue"},"variants":[]}"#;
        assert!(parse::<NewProduct>(text.as_bytes()).is_ok());
    }
}
