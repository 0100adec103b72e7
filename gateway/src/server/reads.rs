//! Which requests are answered from the kept reads, and what discards them.
//!
//! Only what the public sees is kept: a request with an access token or a cart token is routed.

use std::{borrow::Cow, sync::Arc};

use poem::{
    Endpoint, Request, Response, Result,
    endpoint::BoxEndpoint,
    http::{HeaderMap, Method, StatusCode, header},
};
use uuid::Uuid;

use crate::{
    http::{
        error::ApiError,
        header::{CART_TOKEN, reject_repeated},
        query::canonical,
        reply::{PUBLIC, Shown},
        tag::BASE,
    },
    server::{
        cache::{ReadCache, Reading, Turn},
        context::Label,
        gateway::Gateway,
        notices::SOURCES,
        page::Page,
    },
};

/// The reads that are kept, by the templates of their paths.
const KEPT: [&str; 4] =
    ["/api/v1/products", "/api/v1/products/{id}", "/api/v1/categories", "/api/v1/inventory/{variant_id}"];

/// How often a request waits for the read of another one. If that is discarded again and again, it reads itself.
const TURNS: usize = 2;

/// Whether the public responses of a path are kept.
pub(crate) fn is_kept(template: &str) -> bool {
    KEPT.contains(&template)
}

/// The key of a request that may be answered from what is kept: the path and the canonical query.
pub(crate) fn key(request: &Request) -> Option<Cow<'_, str>> {
    let (path, headers) = (request.uri().path(), request.headers());
    // A path with escapes would be another spelling of the same.
    if request.method() != Method::GET || !path.starts_with(BASE) || path.contains('%') || !is_public(headers) {
        return None;
    }
    match request.uri().query() {
        None | Some("") => Some(path.into()),
        Some(query) => Some((path.to_owned() + &canonical(query)?).into()),
    }
}

/// Whether the headers have no credentials, and nothing that is rejected.
fn is_public(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::AUTHORIZATION)
        && !headers.contains_key(CART_TOKEN)
        && reject_repeated(headers).is_ok()
        && headers.get_all(header::IF_NONE_MATCH).iter().all(|tags| tags.to_str().is_ok())
}

/// Answers a request that found nothing kept, with the result of one read for all that arrive meanwhile.
pub(crate) async fn read(
    gateway: &Gateway,
    request: Request,
    key: &str,
    label: &Arc<Label>,
    endpoint: &BoxEndpoint<'static>,
) -> Result<Response> {
    for _ in 0..TURNS {
        let entry = match gateway.reads.turn(key) {
            Turn::Read(reading) => return fill(reading, request, label, endpoint).await,
            Turn::Kept(entry) => entry,
            Turn::Wait(waiting) => match waiting.result().await {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => return Err(error.into()),
                None => continue,
            },
        };
        entry.page.count_hit();
        return Ok(entry.page.response(request.headers()));
    }
    count_miss(label);
    endpoint.call(request).await
}

async fn fill(
    reading: Reading<'_>,
    mut request: Request,
    label: &Arc<Label>,
    endpoint: &BoxEndpoint<'static>,
) -> Result<Response> {
    count_miss(label);
    // What is kept is the whole response, whatever this client has.
    let mut conditions = HeaderMap::new();
    for tags in request.headers().get_all(header::IF_NONE_MATCH) {
        conditions.append(header::IF_NONE_MATCH, tags.clone());
    }
    request.headers_mut().remove(header::IF_NONE_MATCH);
    let mut response = match endpoint.call(request).await {
        Ok(response) => response,
        Err(error) => {
            let error = ApiError::of_route(label.name_part(error));
            reading.failed(error.clone());
            return Err(error.into());
        }
    };
    if response.status() != StatusCode::OK || response.headers().get(header::CACHE_CONTROL) != Some(&PUBLIC) {
        return Ok(response);
    }
    let shown = response.data::<Shown>().map(|shown| shown.0);
    let body = response.take_body().into_bytes().await.map_err(|error| ApiError::internal(&error))?;
    let page = Page::new(label.clone(), response.headers().clone(), body);
    Ok(reading.succeeded((label.service, shown), page).page.response(&conditions))
}

fn count_miss(label: &Label) {
    metrics::counter!("http_cache_misses_total", "service" => label.service).increment(1);
}

/// What a request changes of what is kept, if it succeeds: the entity that its path names, and all lists.
pub(crate) struct Write(&'static str, Option<Uuid>);

impl Write {
    /// `None` for a request that changes nothing that is kept.
    pub(crate) fn of(request: &Request, label: &Label) -> Option<Self> {
        let is_write = request.method() != Method::GET && request.method() != Method::HEAD;
        // Nothing that is kept is changed without an access token.
        if !is_write || !SOURCES.contains(&label.service) || !request.headers().contains_key(header::AUTHORIZATION) {
            return None;
        }
        Some(Self(label.service, request.raw_path_param("param0").and_then(|id| id.parse().ok())))
    }

    /// The caller reads its own writes here at once, not only when the notice arrives.
    pub(crate) fn end(self, reads: &ReadCache, result: &Result<Response>) {
        let status = match result {
            Ok(response) => response.status(),
            Err(error) => error.status(),
        };
        // After a timeout the command may have taken effect.
        if status.is_success() || status.is_server_error() {
            let Self(service, id) = self;
            reads.changed((service, None));
            if id.is_some() {
                reads.changed((service, id));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn key_of(path: &str, headers: &[(&'static str, &[u8])]) -> Option<String> {
        let mut request = Request::builder().uri_str(path).finish();
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        key(&request).map(Cow::into_owned)
    }

    #[test]
    fn only_requests_of_the_public_have_a_key() {
        let path = "/api/v1/products/mug";
        assert_eq!(key_of(path, &[]).as_deref(), Some(path));
        assert_eq!(key_of("/api/v1/products/mug?", &[("if-none-match", b"\"1\"")]).as_deref(), Some(path));
        for headers in [
            &[("authorization", &b"Bearer x"[..])][..],
            &[("x-cart-token", b"x")],
            &[("host", b"a"), ("host", b"b")],
            &[("content-type", b"a"), ("content-type", b"b")],
            &[("if-none-match", b"\xfc")],
        ] {
            assert_eq!(key_of(path, headers), None, "{headers:?}");
        }
        for path in ["/", "/health/live", "/api/v1/products/m%75g", "/api/v1/products?search=%ff"] {
            assert_eq!(key_of(path, &[]), None, "{path}");
        }
        assert_eq!(key(&Request::builder().method(Method::HEAD).uri_str(path).finish()), None);
        let (one, other) = (key_of("/api/v1/products?sort=name&limit=2", &[]), "/api/v1/products?limit=2&sort=n%61me");
        assert!(one.is_some() && one == key_of(other, &[]));
    }

    #[test]
    fn every_kept_read_is_a_documented_one_of_a_source() {
        let document: serde_json::Value = serde_json::from_str(&crate::openapi_document()).unwrap();
        for template in KEPT {
            assert!(document["paths"][template]["get"].is_object(), "{template}");
        }
    }
}
