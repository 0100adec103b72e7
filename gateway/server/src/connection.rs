//! One connection, from its handshake to its end.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use poem::{Body, Endpoint, Request, RequestParts, web::RemoteAddr};
use tokio::{
    net::TcpStream,
    pin,
    sync::watch,
    time::{Duration, Instant, Sleep, sleep, sleep_until, timeout},
};

use crate::{
    Rejected, Shared, Signals, Stage, Tls,
    body::{RequestBody, ResponseBody},
    meter::{Cause, LAST_HEAD, Meter, TIMEOUT_WHEN_FULL},
    stream::{Metered, Socket},
};

/// The read buffer of a connection, which bounds the length of a head.
const BUFFER: usize = 32 * 1024;
/// How long a timer without a deadline sleeps.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

/// Serves a connection until either side closes it.
pub(crate) async fn serve<E: Endpoint>(stream: TcpStream, from: RemoteAddr, shared: &Shared<E>) {
    let closed = match run(stream, &from, shared).await {
        Ok(()) => return,
        Err(cause) => cause.as_str(),
    };
    metrics::counter!("http_connections_closed_total", "listener" => shared.options.name, "cause" => closed)
        .increment(1);
    tracing::debug!(listener = shared.options.name, remote = %from, cause = closed, "connection closed");
}

async fn run<E: Endpoint>(stream: TcpStream, from: &RemoteAddr, shared: &Shared<E>) -> Result<(), Cause> {
    // Setting up a socket fails if its client has disconnected.
    if stream.set_nodelay(true).is_err() {
        return Ok(());
    }
    let mut signals = shared.signals.subscribe();
    let socket = match &shared.options.tls {
        None => Socket::Plain(stream),
        Some(tls) => match handshake(tls, stream, shared, &mut signals).await? {
            Some(socket) => socket,
            None => return Ok(()),
        },
    };
    let meter = Arc::new(Meter::new(shared.options.limits));
    let rejected = Mutex::new(None);
    let service = service_fn(|request| answer(request, from, shared, &meter, &rejected));
    let stream = TokioIo::new(Metered::new(socket, meter.clone()));
    let connection = http1::Builder::new().max_buf_size(BUFFER).serve_connection(stream, service);
    pin!(connection);
    let mut watchdog = Watchdog(Box::pin(sleep_until(Instant::now() + FOREVER)));
    let mut is_closing = false;
    loop {
        if !is_closing && signals.borrow_and_update().stage == Stage::Closing {
            is_closing = true;
            meter.closing();
            connection.as_mut().graceful_shutdown();
        }
        tokio::select! {
            biased;
            // The error is the client's: a bad head, which hyper has answered, or a broken connection.
            _ = connection.as_mut() => return Ok(()),
            cause = std::future::poll_fn(|cx| watchdog.poll(cx, &meter)) => return Err(cause),
            changed = signals.changed() => {
                if changed.is_err() || (signals.borrow().stage != Stage::Closing && meter.makes_room()) {
                    return Err(Cause::Full);
                }
            }
        }
    }
}

/// `None` if the client disconnected or the server is closing.
async fn handshake<E>(
    tls: &Tls,
    stream: TcpStream,
    shared: &Shared<E>,
    signals: &mut watch::Receiver<Signals>,
) -> Result<Option<Socket>, Cause> {
    let limits = &shared.options.limits;
    let greet = async {
        match timeout(limits.idle, stream.peek(&mut [0])).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Ok(None),
            Err(_) => return Err(Cause::Idle),
        }
        match timeout(limits.head, tls.accept(stream)).await {
            Ok(Ok(stream)) => Ok(Some(Socket::Secured(Box::new(stream)))),
            Ok(Err(_)) => Ok(None),
            Err(_) => Err(Cause::Handshake),
        }
    };
    tokio::select! {
        biased;
        greeted = greet => greeted,
        interrupted = interrupted(signals) => interrupted.map(|()| None),
    }
}

/// Completes when a connection without a request is to be closed.
async fn interrupted(signals: &mut watch::Receiver<Signals>) -> Result<(), Cause> {
    let connected = Instant::now();
    while signals.borrow_and_update().stage != Stage::Closing {
        if signals.changed().await.is_err() {
            return Ok(());
        }
        if signals.borrow().stage != Stage::Closing && connected.elapsed() >= TIMEOUT_WHEN_FULL {
            return Err(Cause::Full);
        }
    }
    sleep(LAST_HEAD).await;
    Ok(())
}

async fn answer<E: Endpoint>(
    request: hyper::Request<Incoming>,
    from: &RemoteAddr,
    shared: &Shared<E>,
    meter: &Arc<Meter>,
    rejected: &Mutex<Option<Rejected>>,
) -> Result<hyper::Response<ResponseBody>, Infallible> {
    let (parts, body) = request.into_parts();
    meter.head_complete(body.size_hint().exact());
    let body = match body.is_end_stream() {
        true => Body::empty(),
        false => RequestBody::new(body, Instant::now() + shared.options.limits.body).boxed().into(),
    };
    let parts = RequestParts::from((parts, shared.local.clone(), from.clone(), shared.scheme.clone()));
    let mut request = Request::from_parts(parts, body);
    let earlier = rejected.lock().take();
    if let Some(earlier) = earlier {
        request.set_data(earlier);
    }
    let response = shared.endpoint.get_response(request).await;
    *rejected.lock() = response.data::<Rejected>().copied();
    let response: hyper::Response<BoxBody<_, _>> = response.into();
    Ok(response.map(|body| ResponseBody::new(body, meter.clone())))
}

/// The connection's only timer. It is reset when a deadline moves closer, and checks the deadline again when it fires,
/// so that most requests do not touch it.
struct Watchdog(Pin<Box<Sleep>>);

impl Watchdog {
    fn poll(&mut self, cx: &mut Context<'_>, meter: &Meter) -> Poll<Cause> {
        loop {
            let due = meter.due();
            if let Some((at, _)) = due
                && at < self.0.deadline()
            {
                self.0.as_mut().reset(at);
            }
            ready!(self.0.as_mut().poll(cx));
            let now = Instant::now();
            match due {
                Some((at, cause)) if at <= now => return Poll::Ready(cause),
                _ => self.0.as_mut().reset(due.map_or(now + FOREVER, |(at, _)| at)),
            }
        }
    }
}
