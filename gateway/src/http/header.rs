//! Headers that are parameters: each is a type with its own schema and parser.

use poem::{
    Request, RequestBody, Result,
    http::header::{HeaderMap, IF_NONE_MATCH},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef},
};
use uuid::Uuid;

use contract::{Detail, ErrorKind};

use crate::http::error::ApiError;

/// The header of a guest's cart token.
pub(crate) const CART_TOKEN: &str = "X-Cart-Token";

/// Headers that must not be repeated: with two values, neither can be trusted.
const SINGLE: [&str; 4] = ["Host", "Authorization", "Content-Type", CART_TOKEN];

/// Rejects a request that repeats one of these headers.
pub(crate) fn reject_repeated(headers: &HeaderMap) -> Result<(), ApiError> {
    match SINGLE.into_iter().find(|name| headers.get_all(*name).iter().nth(1).is_some()) {
        Some(name) => Err(ApiError::header(Detail::repeated(name))),
        None => Ok(()),
    }
}

/// A header that is a parameter of an operation.
trait Parameter: Sized + Send {
    const REQUIRED: bool = false;
    fn describe(schema: &mut MetaSchema);
    fn read(name: &'static str, value: Option<&str>) -> Result<Self, ApiError>;
}

fn extract<P: Parameter>(headers: &HeaderMap, name: &'static str) -> Result<P> {
    let mut values = Vec::new();
    for value in headers.get_all(name) {
        values.push(value.to_str().map_err(|_| ApiError::header(Detail::characters(name, "invisible characters")))?);
    }
    // Several lines of one header are one list.
    let joined = values.join(", ");
    Ok(P::read(name, (!values.is_empty()).then_some(joined.as_str()))?)
}

macro_rules! parameter {
    ($name:ident) => {
        impl<'a> ApiExtractor<'a> for $name {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
            const PARAM_IS_REQUIRED: bool = <$name as Parameter>::REQUIRED;

            type ParamType = ();
            type ParamRawType = ();

            fn param_in() -> Option<MetaParamIn> {
                Some(MetaParamIn::Header)
            }

            fn param_schema_ref() -> Option<MetaSchemaRef> {
                let mut schema = MetaSchema::new("string");
                <$name as Parameter>::describe(&mut schema);
                Some(MetaSchemaRef::Inline(Box::new(schema)))
            }

            async fn from_request(
                request: &'a Request,
                _body: &mut RequestBody,
                options: ExtractParamOptions<Self::ParamType>,
            ) -> Result<Self> {
                extract(request.headers(), options.name)
            }
        }
    };
}

/// The namespace for deriving a command's id from a client's key. Must never change: keys are kept for days.
const KEYS: Uuid = Uuid::from_u128(0x6b1f_2f0e_9c41_4d0b_8f59_3a7c_51e2_d0a4);

/// `Idempotency-Key`: the same key and body have one effect and one reply.
pub(crate) struct Key(Option<Uuid>);

/// A required `Idempotency-Key`.
pub(crate) struct RequiredKey(Uuid);

impl From<Key> for Option<Uuid> {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl From<RequiredKey> for Option<Uuid> {
    fn from(key: RequiredKey) -> Self {
        Some(key.0)
    }
}

fn command_id(key: &str) -> Result<Uuid, ApiError> {
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Uuid::new_v5(&KEYS, key.as_bytes()));
    }
    let detail = Detail::format("Idempotency-Key", "visible", "must have 1 to 255 visible characters");
    let (kind, message) = (ErrorKind::Malformed, "The idempotency key is not valid.");
    Err(ApiError::of_field(kind, "invalid_idempotency_key", message, detail))
}

fn describe_key(schema: &mut MetaSchema) {
    schema.description = Some(
        "The same key and body have one effect and one reply for 7 days. A wrong body (400, 422) does not use the key.",
    );
    schema.min_length = Some(1);
    schema.max_length = Some(255);
    schema.pattern = Some("^[!-~]+$".into());
}

impl Parameter for Key {
    fn describe(schema: &mut MetaSchema) {
        describe_key(schema);
    }

    fn read(_name: &'static str, value: Option<&str>) -> Result<Self, ApiError> {
        value.map(command_id).transpose().map(Self)
    }
}
parameter!(Key);

impl Parameter for RequiredKey {
    const REQUIRED: bool = true;

    fn describe(schema: &mut MetaSchema) {
        describe_key(schema);
    }

    fn read(_name: &'static str, value: Option<&str>) -> Result<Self, ApiError> {
        let missing = || {
            let (kind, message) = (ErrorKind::Malformed, "The header Idempotency-Key is required.");
            ApiError::of_field(kind, "idempotency_key_required", message, Detail::required("Idempotency-Key"))
        };
        command_id(value.ok_or_else(missing)?).map(Self)
    }
}
parameter!(RequiredKey);

/// `If-Match`: the version that the caller relies on.
pub(crate) struct IfMatch(pub(crate) Option<i64>);

impl Parameter for IfMatch {
    fn describe(schema: &mut MetaSchema) {
        schema.description = Some("The `ETag` that the caller relies on; rejected with 412 when it is stale.");
        schema.example = Some("\"3\"".into());
        schema.pattern = Some("^([*]|(W/)?\"[!#-~]*\")$".into());
    }

    fn read(name: &'static str, value: Option<&str>) -> Result<Self, ApiError> {
        let Some(value) = value.map(str::trim).filter(|value| *value != "*") else { return Ok(Self(None)) };
        let tag = value.strip_prefix("W/").unwrap_or(value);
        let inner = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let inner = inner.filter(|inner| !inner.contains('"'));
        let inner =
            inner.ok_or_else(|| ApiError::header(Detail::format(name, "etag", "must be one ETag in double quotes")))?;
        // A weak or unknown tag matches nothing: no version is negative.
        let version = inner.split('-').next().unwrap_or_default().parse().ok().filter(|version| *version >= 0);
        Ok(Self(Some(version.filter(|_| tag.len() == value.len()).unwrap_or(-1))))
    }
}
parameter!(IfMatch);

/// `If-None-Match`: the versions that the caller has.
pub(crate) struct IfNoneMatch(Option<String>);

impl IfNoneMatch {
    /// Whether the caller has this version. Tags are compared weakly, as RFC 9110 requires for reads.
    pub(crate) fn has(&self, tag: &str) -> bool {
        self.0.as_deref().is_some_and(|tags| is_among(tag, tags))
    }
}

/// Whether a list of tags has this one.
pub(crate) fn is_among(tag: &str, tags: &str) -> bool {
    tags.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

impl Parameter for IfNoneMatch {
    fn describe(schema: &mut MetaSchema) {
        schema.description = Some("The `ETag` that the caller has; 304 when it is still current.");
    }

    fn read(name: &'static str, value: Option<&str>) -> Result<Self, ApiError> {
        debug_assert!(IF_NONE_MATCH.as_str().eq_ignore_ascii_case(name));
        Ok(Self(value.map(str::to_owned)))
    }
}
parameter!(IfNoneMatch);

/// `Last-Event-ID`: the version that the caller saw last.
pub(crate) struct LastEventId(pub(crate) Option<i64>);

impl Parameter for LastEventId {
    fn describe(schema: &mut MetaSchema) {
        schema.description = Some("The id of the last event that the caller saw; the stream resumes after it.");
        schema.pattern = Some("^[0-9]{1,18}$".into());
    }

    fn read(name: &'static str, value: Option<&str>) -> Result<Self, ApiError> {
        let parsed = value.map(|text| {
            text.parse().map_err(|_| ApiError::header(Detail::format(name, "event_id", "must be the id of an event")))
        });
        parsed.transpose().map(Self)
    }
}
parameter!(LastEventId);

/// `Prefer`: how long the caller is willing to wait. Unknown preferences are ignored, as RFC 7240 requires.
pub(crate) struct Prefer(pub(crate) Option<u64>);

impl Prefer {
    /// The longest wait, in seconds.
    const LONGEST: u64 = 30;
}

impl Parameter for Prefer {
    fn describe(schema: &mut MetaSchema) {
        schema.description =
            Some("`wait=5` delays the reply until the order is decided, by at most 5 seconds; the maximum is 30.");
        schema.example = Some("wait=5".into());
    }

    fn read(_name: &'static str, value: Option<&str>) -> Result<Self, ApiError> {
        let wait = value.unwrap_or_default().split(',').find_map(|preference| {
            let (name, seconds) = preference.split(';').next()?.split_once('=')?;
            let is_wait = name.trim().eq_ignore_ascii_case("wait");
            if is_wait { seconds.trim().trim_matches('"').parse::<u64>().ok() } else { None }
        });
        Ok(Self(wait.map(|seconds| seconds.min(Self::LONGEST))))
    }
}
parameter!(Prefer);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_one_command_id_and_others_are_rejected() {
        assert_eq!(command_id("abc").unwrap(), command_id("abc").unwrap());
        assert_ne!(command_id("abc").unwrap(), command_id("abd").unwrap());
        let uuid = "0190b8a1-0000-7000-8000-000000000000";
        assert_ne!(command_id(uuid).unwrap().to_string(), uuid);
        for key in [String::new(), "a b".into(), "a".repeat(256)] {
            assert_eq!(command_id(&key).unwrap_err().code(), "invalid_idempotency_key");
        }
        assert_eq!(RequiredKey::read("", None).err().unwrap().code(), "idempotency_key_required");
    }

    #[test]
    fn if_match_names_a_version() {
        let read = |value| IfMatch::read("If-Match", value).map(|read| read.0);
        assert_eq!(read(None).unwrap(), None);
        assert_eq!(read(Some("*")).unwrap(), None);
        assert_eq!(read(Some("\"7\"")).unwrap(), Some(7));
        assert_eq!(read(Some("\"7-00ff\"")).unwrap(), Some(7));
        for foreign in ["\"abc\"", "W/\"7\"", "\"-3\"", "\"\""] {
            assert_eq!(read(Some(foreign)).unwrap(), Some(-1), "{foreign}");
        }
        for broken in ["7", "", "\"1\", \"2\"", "\"1"] {
            assert_eq!(read(Some(broken)).unwrap_err().code(), "invalid_header", "{broken}");
        }
    }

    #[test]
    fn if_none_match_is_a_list_of_weak_tags() {
        let has = |value: &str, tag| IfNoneMatch::read("If-None-Match", Some(value)).unwrap().has(tag);
        assert!(has("\"1\", W/\"2\"", "\"2\""));
        assert!(has("*", "\"2\""));
        assert!(!has("\"1\"", "\"2\""));
    }

    #[test]
    fn a_wait_is_found_among_preferences_and_bounded() {
        let wait = |value| Prefer::read("Prefer", Some(value)).unwrap().0;
        assert_eq!(wait("wait=5"), Some(5));
        assert_eq!(wait("respond-async, Wait = 7; x=y"), Some(7));
        assert_eq!(wait("wait=900"), Some(30));
        for ignored in ["wait", "wait=soon", "wait=-1", "handling=lenient", ""] {
            assert_eq!(wait(ignored), None, "{ignored}");
        }
    }
}
