//! A body byte for byte: a signed body must not be parsed and serialized again.

use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef},
};

use crate::http::{
    body::{malformed, read},
    error::ApiError,
};

/// The bytes of a body that is declared to be JSON.
pub(crate) struct RawBody(pub(crate) String);

impl<'a> ApiExtractor<'a> for RawBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema::new("object")));
        let content = vec![MetaMediaType { content_type: "application/json", schema }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let bytes = read(request, body).await?;
        let text =
            String::from_utf8(bytes.to_vec()).map_err(|_| ApiError::from(malformed("The body is not UTF-8.")))?;
        Ok(Self(text))
    }
}
