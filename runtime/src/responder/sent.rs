//! Outgoing replies.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use contract::{ErrorBody, Fault, header};

use super::{Asked, Responder};

/// An outgoing reply or error.
pub(crate) enum Sent {
    Reply { body: Vec<u8>, replayed: bool },
    Error { body: Box<ErrorBody>, replayed: bool },
}

impl From<Fault> for Sent {
    fn from(fault: Fault) -> Self {
        Self::Error { body: Box::new(fault.body("")), replayed: false }
    }
}

impl Responder {
    pub(super) async fn send(&self, asked: &Asked, sent: Sent) {
        let Some(reply_to) = asked.message.reply.clone() else { return };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, asked.format.content_type());
        if let Some(request_id) = &asked.request_id {
            headers.insert(header::REQUEST_ID, request_id.as_str());
        }
        let (Sent::Reply { replayed, .. } | Sent::Error { replayed, .. }) = &sent;
        if *replayed {
            headers.insert(header::REPLAYED, "true");
        }
        let body = match sent {
            Sent::Reply { body, .. } => body,
            Sent::Error { mut body, .. } => {
                headers.insert(header::SERVICE_ERROR, body.code.as_str());
                headers.insert(header::SERVICE_ERROR_CODE, body.kind.status().to_string());
                body.request_id = asked.request_id.clone().unwrap_or_default();
                asked.format.encode(&*body).unwrap_or_default()
            }
        };
        crate::fail_point("responder.before_answer");
        // A send can block while the connection is down, and its caller no longer waits by then.
        let send = self.connection.publish_with_headers(reply_to, headers, Bytes::from(body));
        if !matches!(tokio::time::timeout(Duration::from_secs(5), send).await, Ok(Ok(()))) {
            tracing::warn!(domain = self.domain, "an answer could not be sent");
        }
        crate::fail_point("responder.after_answer");
    }
}
