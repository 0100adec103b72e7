//! Outgoing replies.

use std::time::Duration;

use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use contract::{ErrorBody, Format, ServiceError, header};

use super::{IncomingRequest, Responder};

/// An outgoing reply or error.
pub(crate) enum Reply {
    Success { body: Vec<u8>, replayed: bool },
    Error { body: Box<ErrorBody>, replayed: bool },
}

impl From<ServiceError> for Reply {
    fn from(error: ServiceError) -> Self {
        Self::Error { body: Box::new(error.body("")), replayed: false }
    }
}

impl Responder {
    pub(super) async fn send(&self, incoming: &IncomingRequest, reply: Reply) {
        let Some(reply_to) = incoming.message.reply.clone() else { return };
        let (mut headers, body, replayed) = match reply {
            Reply::Success { body, replayed } => (headers(incoming.format), body, replayed),
            Reply::Error { mut body, replayed } => {
                body.request_id = incoming.request_id.clone().unwrap_or_default();
                let encoded = incoming.format.encode(&*body).unwrap_or_default();
                (error_headers(incoming.format, &body), encoded, replayed)
            }
        };
        if let Some(request_id) = &incoming.request_id {
            headers.insert(header::REQUEST_ID, request_id.as_str());
        }
        if replayed {
            headers.insert(header::REPLAYED, "true");
        }
        crate::fail_point("responder.before_reply");
        self.publish(reply_to, headers, body.into()).await;
        crate::fail_point("responder.after_reply");
    }

    pub(super) async fn publish(&self, reply_to: Subject, headers: HeaderMap, body: Bytes) {
        // A send can block while the connection is down, and its caller no longer waits by then.
        let send = self.connection.publish_with_headers(reply_to, headers, body);
        if !matches!(tokio::time::timeout(Duration::from_secs(5), send).await, Ok(Ok(()))) {
            tracing::warn!(domain = self.domain, "reply could not be sent");
        }
    }
}

fn headers(format: Format) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, format.content_type());
    headers
}

/// The headers by which a reply is known to be an error.
pub(super) fn error_headers(format: Format, body: &ErrorBody) -> HeaderMap {
    let mut headers = headers(format);
    headers.insert(header::SERVICE_ERROR, body.code.as_str());
    headers.insert(header::SERVICE_ERROR_CODE, body.kind.status().to_string());
    headers
}
