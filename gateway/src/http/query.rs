//! Query parameters: parsed once, and rejected by name if they are invalid.

use contract::{Detail, text::composed};
use percent_encoding::percent_decode_str;
use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchemaRef, Registry},
    types::ParseFromParameter,
};
use subjects::{Currency, PageRequest};

use crate::http::{error::ApiError, explain};

/// The most characters of an unknown parameter name that an error repeats.
const MAX_NAME: usize = 100;

/// The parameters of a query string; none is repeated.
#[derive(Clone)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query string of an operation that has the parameters `known`.
    pub(crate) fn of(request: &Request, known: &[String]) -> Result<Self, ApiError> {
        Self::read(request.uri().query().unwrap_or_default(), known)
    }

    fn read(query: &str, known: &[String]) -> Result<Self, ApiError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = decode(name) else { return Err(ApiError::query(undecodable(shortened(name)))) };
            if !known.contains(&name) {
                return Err(ApiError::query(Detail::unknown(shortened(&name))));
            }
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(ApiError::query(Detail::repeated(name)));
            }
            let Some(value) = decode(value) else { return Err(ApiError::query(undecodable(name))) };
            // PostgreSQL does not accept NUL in text.
            if value.contains('\0') {
                return Err(ApiError::query(Detail::characters(name, "NUL")));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }
}

/// One form of all spellings of a query string: its pairs as they are read, sorted by name. `None` if every route
/// rejects it.
pub(crate) fn canonical(query: &str) -> Option<String> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    pairs.sort_unstable();
    let mut text = String::with_capacity(query.len() + 2);
    for (name, value) in &pairs {
        if name.contains('\0') || value.contains('\0') {
            return None;
        }
        // Between parts that have none, it cannot be mistaken for a character of theirs.
        for part in [name, value] {
            text.push('\0');
            text.push_str(part);
        }
    }
    Some(text)
}

/// An unknown parameter name, shortened for an error.
fn shortened(name: &str) -> String {
    name.chars().filter(|c| *c != '\0').take(MAX_NAME).collect()
}

fn undecodable(name: String) -> Detail {
    Detail::format(name, "percent_encoding", "must be UTF-8 in percent-encoding")
}

/// Decodes a part of a query string and normalizes it to NFC, like every text of a body. `None` if it is not UTF-8.
fn decode(part: &str) -> Option<String> {
    let is_hex = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if part.split('%').skip(1).any(|escape| !escape.get(..2).is_some_and(is_hex)) {
        return None;
    }
    let text = part.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().ok()?;
    Some(composed(&decoded).into_owned())
}

/// A query parameter, rejected with `invalid_query` if it is invalid.
pub(crate) struct Query<T>(pub(crate) T);

impl<'a, T: ParseFromParameter> ApiExtractor<'a> for Query<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = T::IS_REQUIRED;

    type ParamType = T;
    type ParamRawType = T::RawValueType;

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(T::schema_ref())
    }

    fn param_raw_type(&self) -> Option<&Self::ParamRawType> {
        self.0.as_raw_value()
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let parameters = request.data::<Parameters>().map(|all| all.0.as_slice()).unwrap_or_default();
        let values = parameters.iter().filter(|(name, _)| name == options.name).map(|(_, value)| value);
        let parsed = T::parse_from_parameters(values)
            .map_err(|error| ApiError::query(explain::parameter(options.name, &error.into_message())))?;
        Ok(Self(parsed))
    }
}

/// The requested page of a list.
pub(crate) fn page(
    Query(limit): Query<Option<u32>>,
    Query(offset): Query<Option<u32>>,
    Query(cursor): Query<Option<String>>,
) -> PageRequest {
    PageRequest { limit, offset, cursor }
}

/// A currency's code.
pub(crate) fn currency(code: Option<&str>) -> Result<Option<Currency>, ApiError> {
    code.map(str::parse)
        .transpose()
        .map_err(|_| ApiError::query(Detail::format("currency", "currency", "must be an ISO 4217 currency code")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Vec<(String, String)>, ApiError> {
        Parameters::read(query, &["search".into(), "sort".into()]).map(|all| all.0)
    }

    #[test]
    fn a_query_is_read_as_a_form_writes_it() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read("search=a+b%2B%C3%BC&sort=").unwrap(), [pair("search", "a b+ü"), pair("sort", "")]);
        assert_eq!(read("search=u%CC%88").unwrap(), [pair("search", "\u{fc}")], "composed");
        assert_eq!(read("&&%73ort").unwrap(), [pair("sort", "")]);
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn spellings_of_one_query_have_one_form_and_others_have_another() {
        let form = canonical("search=a+b&sort=name").unwrap();
        for same in ["sort=name&search=a%20b", "&search=a+b&&%73ort=name"] {
            assert_eq!(canonical(same).as_ref(), Some(&form), "{same}");
        }
        for other in [
            "search=a+b",
            "search=a+b&sort=name&sort=name",
            "search=a+b&sort=%6Eame2",
            "search=a+b%26sort=name",
            "search%3Da+b=&sort=name",
            "search=a+bsort&=name",
        ] {
            assert_ne!(canonical(other).unwrap(), form, "{other}");
        }
        for rejected in ["search=%ff", "search=%", "search=a+b%00sort%00name", "%00=1"] {
            assert_eq!(canonical(rejected), None, "{rejected}");
        }
        assert_eq!(canonical("").as_deref(), Some(""));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (query, field, message) in [
            ("colour=red", "colour", "is not known"),
            ("Sort=name", "Sort", "is not known"),
            ("%00=1", "", "is not known"),
            ("sort=name&sort=name", "sort", "is given more than once"),
            ("sort=name&%73ort=", "sort", "is given more than once"),
            ("search=%ff", "search", "must be UTF-8 in percent-encoding"),
            ("search=%", "search", "must be UTF-8 in percent-encoding"),
            ("search=%4", "search", "must be UTF-8 in percent-encoding"),
            ("search=%zz", "search", "must be UTF-8 in percent-encoding"),
            ("search=%+1", "search", "must be UTF-8 in percent-encoding"),
            ("%ff=1", "%ff", "must be UTF-8 in percent-encoding"),
            ("search=%00", "search", "must not contain NUL"),
        ] {
            let error = read(query).unwrap_err();
            assert_eq!((error.code(), error.detail()), ("invalid_query", (field, message)), "{query}");
        }
        let long = format!("{}=1", "x".repeat(10_000));
        assert_eq!(read(&long).unwrap_err().detail().0.len(), MAX_NAME);
    }
}
