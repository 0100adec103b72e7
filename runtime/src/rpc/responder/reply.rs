//! Outgoing replies.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use contract::{ErrorBody, ServiceError, header};

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
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, incoming.format.content_type());
        if let Some(request_id) = &incoming.request_id {
            headers.insert(header::REQUEST_ID, request_id.as_str());
        }
        let (Reply::Success { replayed, .. } | Reply::Error { replayed, .. }) = &reply;
        if *replayed {
            headers.insert(header::REPLAYED, "true");
        }
        let body = match reply {
            Reply::Success { body, .. } => body,
            Reply::Error { mut body, .. } => {
                headers.insert(header::SERVICE_ERROR, body.code.as_str());
                headers.insert(header::SERVICE_ERROR_CODE, body.kind.status().to_string());
                body.request_id = incoming.request_id.clone().unwrap_or_default();
                incoming.format.encode(&*body).unwrap_or_default()
            }
        };
        crate::fail_point("responder.before_answer");
        // A send can block while the connection is down, and its caller no longer waits by then.
        let send = self.connection.publish_with_headers(reply_to, headers, Bytes::from(body));
        if !matches!(tokio::time::timeout(Duration::from_secs(5), send).await, Ok(Ok(()))) {
            tracing::warn!(domain = self.domain, request_id = incoming.request_id, "reply could not be sent");
        }
        crate::fail_point("responder.after_answer");
    }
}
