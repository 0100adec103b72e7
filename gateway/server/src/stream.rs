//! A connection's bytes, plain or with TLS, as its meter sees them.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::meter::Meter;

/// A connection with or without TLS.
pub(crate) enum Socket {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// Reports what is read and written.
pub(crate) struct Metered {
    socket: Socket,
    meter: Arc<Meter>,
}

impl Metered {
    pub(crate) fn new(socket: Socket, meter: Arc<Meter>) -> Self {
        Self { socket, meter }
    }

    fn io(&mut self) -> Pin<&mut dyn Io> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream),
            Socket::Secured(stream) => Pin::new(&mut **stream),
        }
    }

    fn written(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &outcome {
            Poll::Pending => self.meter.stalled(),
            Poll::Ready(_) => self.meter.wrote(),
        }
        outcome
    }
}

impl AsyncRead for Metered {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = this.io().poll_read(cx, buf);
        let bytes = &buf.filled()[before..];
        if !bytes.is_empty() {
            this.meter.received(bytes);
        }
        outcome
    }
}

impl AsyncWrite for Metered {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = this.io().poll_write(cx, buf);
        this.written(outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = this.io().poll_write_vectored(cx, bufs);
        this.written(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        // TLS takes several slices as readily as a socket does.
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = this.io().poll_flush(cx);
        match &outcome {
            Poll::Pending => this.meter.stalled(),
            Poll::Ready(_) => this.meter.flushed(),
        }
        outcome
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = this.io().poll_shutdown(cx);
        if outcome.is_pending() {
            this.meter.stalled();
        }
        outcome
    }
}
