//! Bodies with bounds: a request's has a deadline, a response's reports when it has been written.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::meter::Meter;

/// A request's body. Past its deadline it ends with an error of the kind [`io::ErrorKind::TimedOut`].
pub(crate) struct RequestBody {
    inner: Incoming,
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(crate) fn new(inner: Incoming, deadline: Instant) -> Self {
        Self { inner, deadline, timer: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        let deadline = self.deadline;
        ready!(self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline))).as_mut().poll(cx));
        Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response's body.
pub(crate) struct ResponseBody {
    inner: BoxBody<Bytes, io::Error>,
    meter: Arc<Meter>,
}

impl ResponseBody {
    pub(crate) fn new(inner: BoxBody<Bytes, io::Error>, meter: Arc<Meter>) -> Self {
        meter.response_begins(inner.size_hint().exact().is_some());
        Self { inner, meter }
    }
}

/// hyper drops a body once it has taken all of it, or has no use for it.
impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.meter.response_written();
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
