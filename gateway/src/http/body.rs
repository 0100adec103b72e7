//! Bodies: the schema that poem-openapi publishes, read as a domain reads it over NATS.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use contract::{DecodeError, ErrorKind, Format, ServiceError, UnknownFields};
use futures::{Stream, StreamExt};
use poem::{
    Request, RequestBody, Result,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};

use crate::{
    http::error::ApiError,
    server::{admission::Admitted, context::RequestContext},
};

/// How much of a body that is too large is read, so that the client receives the reply instead of a reset.
const DRAINED: usize = 16 * 1024 * 1024;

/// A request whose body takes longer holds no slot of its class until the body is complete.
const SLOW: Duration = Duration::from_secs(1);

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON body that may be absent, which is the same as `{}`.
pub(crate) struct OptionalBody<T>(pub(crate) T);

macro_rules! extractor {
    ($name:ident, required = $required:literal) => {
        impl<'a, T: DeserializeOwned + Type> ApiExtractor<'a> for $name<T> {
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
                if text.is_empty() && $required {
                    return Err(ApiError::from(malformed("The body is empty.")).into());
                }
                Ok(Self(parse(&text).map_err(ApiError::from)?))
            }
        }
    };
}

extractor!(Body, required = true);
extractor!(OptionalBody, required = false);

/// The bytes of a body that is declared to be JSON.
pub(crate) async fn read(request: &Request, body: &mut RequestBody) -> Result<Bytes, ApiError> {
    let context = RequestContext::of(request)?;
    let limit = context.gateway.body_limit;
    let declared = request.headers().get(header::CONTENT_TYPE);
    let is_json =
        |value: &HeaderValue| value.to_str().is_ok_and(|text| Format::detect(Some(text), b"") == Ok(Format::Json));
    if declared.is_some_and(|value| !is_json(value)) || is_encoded(request) {
        return Err(unsupported());
    }
    let body = body.take().map_err(|error| ApiError::internal(&error))?;
    let chunks = body.into_bytes_stream();
    if let Some(length) = declared_length(request)
        && length > limit
    {
        if length <= DRAINED {
            // The reply is sent at once. The server bounds how long a body may take.
            tokio::spawn(
                chunks.take_while(|chunk| std::future::ready(chunk.is_ok())).for_each(|_| std::future::ready(())),
            );
        }
        return Err(too_large());
    }
    let mut reading = std::pin::pin!(collect(chunks, limit));
    let text = match timeout(SLOW, &mut reading).await {
        Ok(text) => text?,
        Err(_) => {
            context.admitted.lock().as_mut().map(Admitted::suspend);
            let text = reading.await?;
            context.admitted.lock().as_mut().map(Admitted::resume);
            text
        }
    };
    if declared.is_none() && !text.is_empty() {
        return Err(unsupported());
    }
    // Set once: a request has one body.
    let _ = context.body_read.set(Instant::now());
    Ok(text)
}

async fn collect(mut chunks: impl Stream<Item = io::Result<Bytes>> + Unpin, limit: usize) -> Result<Bytes, ApiError> {
    let (mut text, mut length) = (BytesMut::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(_) if length > limit => break,
            // The server bounds how long a body may take.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(ApiError::body_timeout()),
            Err(_) => return Err(malformed("The body could not be read completely.").into()),
        };
        length += chunk.len();
        if length <= limit {
            text.extend_from_slice(&chunk);
        } else if length > DRAINED {
            break;
        }
    }
    if length > limit {
        return Err(too_large());
    }
    Ok(text.freeze())
}

/// The declared content length; none for a chunked body.
fn declared_length(request: &Request) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large() -> ApiError {
    ApiError::new(ErrorKind::TooLarge, "body_too_large", "The body is too large.")
}

fn is_encoded(request: &Request) -> bool {
    request.headers().get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity")
}

fn unsupported() -> ApiError {
    ApiError::new(ErrorKind::UnsupportedMediaType, "unsupported_media_type", "The body must be application/json.")
}

pub(crate) fn malformed(message: &str) -> ServiceError {
    ServiceError::new(ErrorKind::Malformed, "malformed_body", message)
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, ServiceError> {
    Format::Json.decode_request(text, UnknownFields::Reject).map_err(|error| match error {
        DecodeError::Malformed(_) => malformed("The body is not JSON."),
        other => other.into(),
    })
}

#[cfg(test)]
mod tests {
    use contract::Detail;
    use subjects::{catalog::NewProduct, orders::NewOrder};

    use super::*;

    const ADDRESS: &str = r#"{"street":"1 High St","city":"York","zip_code":"YO1","country":"GB"}"#;

    fn rejected(text: &str) -> (String, String, String) {
        let error = parse::<NewOrder>(text.as_bytes()).unwrap_err();
        let detail = error.details.first().cloned().unwrap_or_else(|| Detail::required(""));
        (error.code, detail.field, detail.message)
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
                "items[0]",
                "must be an object",
            ),
            (
                format!(r#"{{"notes":"a","shipping_address":{ADDRESS},"notes":"b"}}"#),
                "invalid_body",
                "notes",
                "is given more than once",
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
            assert_eq!(rejected(&text), (code.into(), field.into(), message.into()), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for text in ["{", "{} {}", "{\"items\":3", "nope", "\u{0}"] {
            assert_eq!(rejected(text).0, "malformed_body", "{text}");
        }
        assert_eq!(parse::<NewOrder>(b"\xff").unwrap_err().code, "malformed_body");
        assert_eq!(rejected(&"[".repeat(100_000)).0, "malformed_body");
        assert_eq!(rejected(&("[".repeat(100_000) + &"]".repeat(100_000))).0, "invalid_body");
    }

    #[test]
    fn currencies_and_maps_are_read() {
        let text = r#"{"name":"Mug","price":{"amount":1,"currency":"ZZZ"}}"#;
        let error = parse::<NewProduct>(text.as_bytes()).unwrap_err();
        assert_eq!(error.details[0], Detail::format("price.currency", "currency", "must be an ISO 4217 currency code"));
        let text =
            r#"{"name":"Mug","price":{"amount":1,"currency":"USD"},"attributes":{"colour":"blue"},"variants":[]}"#;
        assert!(parse::<NewProduct>(text.as_bytes()).is_ok());
    }
}
