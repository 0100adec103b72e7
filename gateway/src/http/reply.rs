//! Successful replies, serialized once.

use std::marker::PhantomData;

use poem::{
    IntoResponse, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use subjects::{
    carts::Cart,
    catalog::Product,
    identity::User,
    inventory::Stock,
    orders::Order,
    pricing::{Promotion, ShippingZone, TaxRate},
};
use uuid::Uuid;

use crate::http::{error::ApiError, header::IfNoneMatch};

/// The result of an operation.
pub(crate) type Answer<T, const STATUS: u16 = 200> = Result<Reply<T, STATUS>, ApiError>;

/// An object with a version, which is its `ETag`.
pub(crate) trait Versioned: Serialize {
    /// Whether its content changes without its version, such as the stock of a product, or differs by caller.
    const SHOWS_MORE: bool = false;

    /// The version, if the caller may see it.
    fn version(&self) -> Option<i64>;
}

macro_rules! versioned {
    ($($name:ident $(shows_more = $more:literal)?),+) => {$(
        impl Versioned for $name {
            $(const SHOWS_MORE: bool = $more;)?
            fn version(&self) -> Option<i64> { self.version.into() }
        }
    )+};
}
versioned!(
    Cart shows_more = true,
    Product shows_more = true,
    User,
    Stock shows_more = true,
    Order shows_more = true,
    TaxRate,
    ShippingZone,
    Promotion
);

/// The `Cache-Control` of a representation that is the same for everyone: it may be cached, and must be revalidated.
pub(crate) const PUBLIC: HeaderValue = HeaderValue::from_static("public, max-age=0, must-revalidate");

/// The entity that a response shows, by whose notices a kept response is dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown(pub(crate) Uuid);

/// A success with a body.
pub(crate) struct Reply<T, const STATUS: u16 = 200> {
    body: Vec<u8>,
    headers: HeaderMap,
    shown: Option<Shown>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize, const STATUS: u16> Reply<T, STATUS> {
    /// A body.
    pub(crate) fn new(value: &T) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(value).map_err(|error| ApiError::internal(&error))?;
        Ok(Self { body, headers: HeaderMap::new(), shown: None, of: PhantomData })
    }

    /// A body with its `ETag`.
    pub(crate) fn versioned(value: &T) -> Result<Self, ApiError>
    where
        T: Versioned,
    {
        let reply = Self::new(value)?;
        let digest = || {
            let digest = Sha256::digest(&reply.body);
            u64::from_be_bytes(std::array::from_fn(|place| digest[place]))
        };
        let tag = match value.version() {
            Some(version) if T::SHOWS_MORE => format!("\"{version}-{:016x}\"", digest()),
            Some(version) => format!("\"{version}\""),
            // As an `If-Match` it is stale: callers that may change the object see its version.
            None => format!("\"public-{:016x}\"", digest()),
        };
        Ok(reply.with(header::ETAG, &tag))
    }

    /// Sets the location of the created object.
    pub(crate) fn at(self, path: &str) -> Self {
        self.with(header::LOCATION, path)
    }

    /// Marks a reply that an earlier run of the same command produced.
    pub(crate) fn replayed(self, replayed: bool) -> Self {
        if replayed { self.with(header::HeaderName::from_static("idempotent-replayed"), "true") } else { self }
    }

    /// Reports the granted wait.
    pub(crate) fn waited(self, seconds: Option<u64>) -> Self {
        let Some(seconds) = seconds else { return self };
        self.with(header::HeaderName::from_static("preference-applied"), &format!("wait={seconds}"))
    }

    /// For callers that are not signed in: may be cached, and must be revalidated.
    pub(crate) fn public_unless(mut self, signed_in: bool) -> Self {
        if !signed_in {
            self.headers.insert(header::CACHE_CONTROL, PUBLIC);
        }
        self
    }

    /// Names the entity that is shown.
    pub(crate) fn about(mut self, id: Uuid) -> Self {
        self.shown = Some(Shown(id));
        self
    }

    /// 304 if the caller has this version.
    pub(crate) fn unless(self, condition: &IfNoneMatch) -> Fresh<T, STATUS> {
        let tag = self.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let is_known = tag.is_some_and(|tag| condition.has(tag));
        Fresh { reply: self, is_known }
    }

    fn with(mut self, name: header::HeaderName, value: &str) -> Self {
        // Only ids, numbers and constants, all of which are visible ASCII.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

fn text(name: &str, description: &str) -> MetaHeader {
    MetaHeader {
        name: name.into(),
        description: Some(description.into()),
        required: false,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
    }
}

fn success(status: u16, content: Vec<MetaMediaType>) -> MetaResponse {
    let (description, headers) = match status {
        201 => ("Created", vec![text("Location", "The path of the created object")]),
        202 => ("Accepted", Vec::new()),
        204 => ("Success", Vec::new()),
        304 => ("Not modified", vec![text("ETag", "The version")]),
        _ => ("Success", Vec::new()),
    };
    MetaResponse { description, status: Some(status), status_range: None, content, headers }
}

impl<T, const STATUS: u16> IntoResponse for Reply<T, STATUS> {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(STATUS).unwrap_or(StatusCode::OK);
        let mut response = Response::builder().status(status).content_type("application/json").body(self.body);
        response.headers_mut().extend(self.headers);
        if let Some(shown) = self.shown {
            response.set_data(shown);
        }
        response
    }
}

impl<T: Type, const STATUS: u16> ApiResponse for Reply<T, STATUS> {
    fn meta() -> MetaResponses {
        let content = MetaMediaType { content_type: "application/json", schema: T::schema_ref() };
        MetaResponses { responses: vec![success(STATUS, vec![content])] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// A success, or 304 if the caller has this version.
pub(crate) struct Fresh<T, const STATUS: u16 = 200> {
    reply: Reply<T, STATUS>,
    is_known: bool,
}

impl<T, const STATUS: u16> IntoResponse for Fresh<T, STATUS> {
    fn into_response(self) -> Response {
        if !self.is_known {
            return self.reply.into_response();
        }
        let mut response = Response::builder().status(StatusCode::NOT_MODIFIED).finish();
        response.headers_mut().extend(self.reply.headers);
        response
    }
}

impl<T: Type, const STATUS: u16> ApiResponse for Fresh<T, STATUS> {
    fn meta() -> MetaResponses {
        let mut meta = Reply::<T, STATUS>::meta();
        meta.responses.push(success(304, Vec::new()));
        meta
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// A success without a body.
pub(crate) struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        Response::builder().status(StatusCode::NO_CONTENT).finish()
    }
}

impl ApiResponse for NoContent {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![success(204, Vec::new())] }
    }

    fn register(_registry: &mut Registry) {}
}
