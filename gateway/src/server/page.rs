//! A response that is kept as ready bytes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use poem::{
    Response,
    http::{HeaderMap, StatusCode, header},
};

use crate::{
    http::header::is_among,
    server::{context::Label, report},
};

/// Room for the headers that the middleware adds.
const HEADERS: usize = 15;

/// A response of status 200, and the metrics that a hit changes, so that it has not to find them by their labels.
pub(crate) struct Page {
    label: Arc<Label>,
    headers: HeaderMap,
    tag: Option<String>,
    body: Bytes,
    hits: metrics::Counter,
    successes: metrics::Counter,
    not_modified: metrics::Counter,
    seconds: metrics::Histogram,
}

impl Page {
    pub(crate) fn new(label: Arc<Label>, headers: HeaderMap, body: Bytes) -> Self {
        let service = label.service;
        let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let hits = metrics::counter!("http_cache_hits_total", "service" => service);
        let successes = metrics::counter!("http_requests_total", "service" => service, "status" => "200");
        let not_modified = metrics::counter!("http_requests_total", "service" => service, "status" => "304");
        let seconds = metrics::histogram!("http_request_duration_seconds", "service" => service);
        Self { label, headers, tag, body, hits, successes, not_modified, seconds }
    }

    /// The response to a request with these headers: 304 if its client has this version.
    pub(crate) fn response(&self, request: &HeaderMap) -> Response {
        let is_known = self.tag.as_deref().is_some_and(|tag| {
            let mut known = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
            known.any(|tags| is_among(tag, tags))
        });
        let mut response = match is_known {
            true => Response::builder().status(StatusCode::NOT_MODIFIED).finish(),
            false => Response::builder().body(self.body.clone()),
        };
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        for (name, value) in &self.headers {
            if !is_known || name != header::CONTENT_TYPE {
                headers.insert(name, value.clone());
            }
        }
        response
    }

    /// Counts that a request was answered without one of its own to a domain.
    pub(crate) fn count_hit(&self) {
        self.hits.increment(1);
    }

    /// Counts and logs a request that was answered before it was routed.
    pub(crate) fn report(&self, status: StatusCode, request_id: &str, took: Duration) {
        self.count_hit();
        let responses = if status == StatusCode::NOT_MODIFIED { &self.not_modified } else { &self.successes };
        responses.increment(1);
        self.seconds.record(took.as_secs_f64());
        report::kept(&self.label, status, request_id, took);
    }

    /// About the bytes that it holds.
    pub(crate) fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        size_of::<Self>() + self.body.len() + headers.sum::<usize>()
    }
}

#[cfg(test)]
impl Page {
    pub(crate) fn of_text(text: &str) -> Self {
        let label = Label { service: "catalog", template: String::new() };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, poem::http::HeaderValue::from_static("text/plain"));
        headers.insert(header::ETAG, poem::http::HeaderValue::from_static("\"7\""));
        Self::new(Arc::new(label), headers, text.to_owned().into())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn asked_with(tags: &[&'static str]) -> Response {
        let mut headers = HeaderMap::new();
        for tags in tags {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(tags));
        }
        Page::of_text("hello").response(&headers)
    }

    #[tokio::test]
    async fn a_known_version_is_not_sent_again() {
        for known in [&["\"7\""][..], &["W/\"7\""], &["\"1\", \"7\""], &["\"1\"", "\"7\""], &["*"]] {
            let response = asked_with(known);
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known:?}");
            assert_eq!((response.header(header::ETAG), response.content_type()), (Some("\"7\""), None));
            assert_eq!(response.into_body().into_string().await.unwrap(), "");
        }
        for other in [&[][..], &["\"1\""], &["7"]] {
            let response = asked_with(other);
            assert_eq!(response.status(), StatusCode::OK, "{other:?}");
            assert_eq!((response.header(header::ETAG), response.content_type()), (Some("\"7\""), Some("text/plain")));
            assert_eq!(response.into_body().into_string().await.unwrap(), "hello");
        }
    }
}
