//! The caller, checked at the edge against the rights of the message; the owning domain checks again.

use std::{
    marker::PhantomData,
    ops::Deref,
    sync::Arc,
    time::{Duration, Instant},
};

use contract::{
    Access, CallError, Command, Detail, ErrorKind, Query, Request as Message,
    header::{CAPABILITY_RULE, is_capability},
};
use poem::{FromRequest, Request, RequestBody, Result, http::header::AUTHORIZATION};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use runtime::{Call, Identity, Replied};
use uuid::Uuid;

use crate::{
    http::{error::ApiError, header::CART_TOKEN},
    server::context::RequestContext,
};

/// Timeout of a read.
pub(crate) const QUERY_DEADLINE: Duration = Duration::from_secs(5);
/// Timeout of a write: longer than it takes to detect a dead node and repeat the write on another.
pub(crate) const COMMAND_DEADLINE: Duration = Duration::from_secs(10);
/// Timeout of the conservation checks; below that of a request.
const LONG_DEADLINE: Duration = Duration::from_secs(40);

/// The caller's credentials, and the calls made with them.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) context: Arc<RequestContext>,
    authorization: Option<String>,
    cart_token: Option<String>,
    identity: Option<Identity>,
}

impl Credentials {
    /// Whether the request had an access token.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.identity.is_some()
    }

    /// Sends a query.
    pub(crate) async fn ask<Q: Query>(&self, query: &Q) -> Result<Q::Reply, ApiError> {
        self.ask_within(QUERY_DEADLINE, query).await
    }

    /// Sends a query without the caller's credentials, for a reply that callers share.
    pub(crate) async fn ask_as_anyone<Q: Query>(&self, query: &Q) -> Result<Q::Reply, ApiError> {
        let call = Call { authorization: None, capability: None, ..self.call(QUERY_DEADLINE, None) };
        self.logged::<Q, _>(self.context.gateway.client.ask(query, &call)).await
    }

    /// Sends a query that takes long.
    pub(crate) async fn ask_with_long_deadline<Q: Query>(&self, query: &Q) -> Result<Q::Reply, ApiError> {
        self.ask_within(LONG_DEADLINE, query).await
    }

    async fn ask_within<Q: Query>(&self, deadline: Duration, query: &Q) -> Result<Q::Reply, ApiError> {
        let call = self.call(deadline, None);
        self.logged::<Q, _>(self.context.gateway.client.ask(query, &call)).await
    }

    /// Sends a command, with the id derived from the client's idempotency key.
    pub(crate) async fn send<C: Command>(
        &self,
        command: &C,
        id: impl Into<Option<Uuid>>,
    ) -> Result<Replied<C::Reply>, ApiError> {
        let call = self.call(COMMAND_DEADLINE, id.into());
        self.logged::<C, _>(self.context.gateway.client.send(command, &call)).await
    }

    /// Waits for the reply of a domain, and logs the call.
    async fn logged<M: Message, T>(
        &self,
        asking: impl Future<Output = Result<T, CallError<M::Error>>>,
    ) -> Result<T, ApiError> {
        let began = Instant::now();
        let answer = asking.await;
        tracing::debug!(
            target: "http",
            service = M::DOMAIN,
            operation = M::OPERATION,
            route = self.context.label.get().map(|label| label.template.as_str()),
            status = answer.as_ref().map_or_else(|error| error.kind().status(), |_| 200),
            user_id = self.context.user.get().map(tracing::field::display),
            request_id = self.context.ids.request_id,
            latency_ms = began.elapsed().as_secs_f64() * 1000.0,
            "request forwarded"
        );
        answer.map_err(ApiError::of_call::<M>)
    }

    /// The metadata of a call for this caller.
    pub(crate) fn call(&self, deadline: Duration, command_id: Option<Uuid>) -> Call {
        Call {
            deadline,
            command_id,
            authorization: self.authorization.clone(),
            capability: self.cart_token.clone(),
            client_address: Some(self.context.tally.address),
            request_id: Some(self.context.ids.request_id.clone()),
            traceparent: Some(self.context.ids.traceparent.clone()),
        }
    }

    /// Completes once the caller's access token is known to be revoked; never for a guest.
    pub(crate) async fn revoked(&self) {
        match &self.identity {
            Some(identity) => (self.context.gateway.revoked)(identity.clone()).await,
            None => std::future::pending().await,
        }
    }

    async fn of(request: &Request) -> Result<Self, ApiError> {
        let context = RequestContext::of(request)?.clone();
        let cart_token = cart_token(request)?;
        let Some(authorization) = request.headers().get(AUTHORIZATION) else {
            return Ok(Self { context, authorization: None, cart_token, identity: None });
        };
        let authorization = authorization.to_str().map_err(|_| invalid_token())?;
        let identity = (context.gateway.verify)(authorization.to_owned()).await?;
        // Set once: a request has one token.
        let _ = context.user.set(identity.id);
        context.gateway.rates.count_account(&context.tally, identity.id, tokio::time::Instant::now())?;
        let authorization = Some(authorization.to_owned());
        Ok(Self { context, authorization, cart_token, identity: Some(identity) })
    }

    fn may_call(&self, access: Access) -> Result<(), ApiError> {
        let (roles, capability) = match access {
            Access::Public => return Ok(()),
            Access::Internal => return Err(ApiError::no_route()),
            Access::Roles(roles) => (roles, false),
            Access::RolesOrCapability(roles) | Access::RolesAndCapability(roles) => (roles, true),
        };
        match &self.identity {
            Some(identity) if roles.contains(&identity.role.as_str()) => Ok(()),
            Some(_) => Err(ApiError::new(ErrorKind::Forbidden, "forbidden", "Your role may not do this.")),
            None if capability && self.cart_token.is_some() => Ok(()),
            None => Err(ApiError::new(ErrorKind::Unauthenticated, "unauthenticated", "An access token is required.")),
        }
    }
}

fn invalid_token() -> ApiError {
    ApiError::new(ErrorKind::Unauthenticated, "invalid_token", "The access token is not valid.")
}

fn cart_token(request: &Request) -> Result<Option<String>, ApiError> {
    let Some(token) = request.headers().get(CART_TOKEN) else { return Ok(None) };
    match token.to_str() {
        Ok(text) if is_capability(text) => Ok(Some(text.to_owned())),
        _ => Err(ApiError::header(Detail::format(CART_TOKEN, "visible", CAPABILITY_RULE))),
    }
}

/// The source of access rights: a message, or the route itself if the message belongs to no single domain.
pub(crate) trait Guarded {
    /// The access rights.
    const ACCESS: Access;
}

impl<M: Message> Guarded for M {
    const ACCESS: Access = <M as Message>::ACCESS;
}

/// The credentials for `M`: the route is documented with the rights of the message, and rejects callers without them.
pub(crate) struct Caller<M> {
    credentials: Credentials,
    message: PhantomData<fn() -> M>,
}

impl<M> Deref for Caller<M> {
    type Target = Credentials;

    fn deref(&self) -> &Credentials {
        &self.credentials
    }
}

const BEARER: &str = "bearer";
const GUEST: &str = "cart_token";

impl<'a, M: Guarded> ApiExtractor<'a> for Caller<M> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |ty, description, name, key_in, scheme, bearer_format| MetaSecurityScheme {
            ty,
            description: Some(description),
            name,
            key_in,
            scheme,
            bearer_format,
            flows: None,
            openid_connect_url: None,
        };
        let token = "The access token of `/auth/login`.";
        registry.create_security_scheme(BEARER, scheme("http", token, None, None, Some("bearer"), Some("JWT")));
        let token = "The token of a guest's cart, from `POST /carts`.";
        registry.create_security_scheme(GUEST, scheme("apiKey", token, Some(CART_TOKEN), Some("header"), None, None));
    }

    fn security_schemes() -> Vec<&'static str> {
        match M::ACCESS {
            Access::Public | Access::Internal => Vec::new(),
            Access::Roles(_) => vec![BEARER],
            Access::RolesOrCapability(_) | Access::RolesAndCapability(_) => vec![BEARER, GUEST],
        }
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let credentials = Credentials::of(request).await?;
        credentials.may_call(M::ACCESS)?;
        Ok(Self { credentials, message: PhantomData })
    }
}

/// No credentials: for routes that identify their caller by the body, such as a refresh with an access token that has
/// just expired. Headers are ignored.
pub(crate) struct Anyone(Credentials);

impl Deref for Anyone {
    type Target = Credentials;

    fn deref(&self) -> &Credentials {
        &self.0
    }
}

impl<'a> FromRequest<'a> for Anyone {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        let context = RequestContext::of(request)?.clone();
        Ok(Self(Credentials { context, authorization: None, cart_token: None, identity: None }))
    }
}
