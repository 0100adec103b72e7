//! Query parameters: read once, refused with their name.

use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchemaRef, Registry},
    types::ParseFromParameter,
};
use subjects::{Currency, PageRequest};

use crate::{error::ApiError, explain};

/// The pairs of a query string.
#[derive(Clone)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads the query string.
    pub(crate) fn of(request: &Request) -> Result<Self, ApiError> {
        let pairs: Vec<(String, String)> = request.params().map_err(|_| ApiError::query("query", "cannot be read"))?;
        // PostgreSQL takes no NUL in a text.
        match pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
            Some((name, _)) => Err(ApiError::query(&name.replace('\0', ""), "must not contain NUL")),
            None => Ok(Self(pairs)),
        }
    }
}

/// A query parameter, refused with `invalid_query` where it cannot be used. Unknown parameters are ignored.
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
        let pairs = request.data::<Pairs>().map(|pairs| pairs.0.as_slice()).unwrap_or_default();
        let values = pairs.iter().filter(|(name, _)| name == options.name).map(|(_, value)| value);
        let parsed = T::parse_from_parameters(values)
            .map_err(|error| ApiError::query(options.name, &explain::parameter(&error.into_message())))?;
        Ok(Self(parsed))
    }
}

/// The part of a list that is asked for.
pub(crate) fn page(
    Query(limit): Query<Option<u32>>,
    Query(offset): Query<Option<u32>>,
    Query(cursor): Query<Option<String>>,
) -> PageRequest {
    PageRequest { limit, offset, cursor }
}

/// A currency's code.
pub(crate) fn currency(code: Option<&str>) -> Result<Option<Currency>, ApiError> {
    code.map(str::parse).transpose().map_err(|_| ApiError::query("currency", "must be an ISO 4217 currency code"))
}
