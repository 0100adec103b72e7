//! The state of one connection and its deadline.
//!
//! The stream reports bytes, the service reports requests. Only the service detects that a head is complete; the bytes
//! show when the next one began. They are counted against the length of each message, so that a part of a head that
//! came with the previous message does not pass for an idle connection.

use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Duration, Instant};

use crate::Limits;

/// How long a head that has begun may take once the server is closing.
pub(crate) const LAST_HEAD: Duration = Duration::from_secs(1);
/// A connection that waits for longer makes room for another.
pub(crate) const TIMEOUT_WHEN_FULL: Duration = Duration::from_secs(1);

/// Why a connection was closed before its client closed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Idle,
    Handshake,
    Head,
    Response,
    Stall,
    Full,
}

impl Cause {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Handshake => "handshake",
            Self::Head => "head",
            Self::Response => "response",
            Self::Stall => "stall",
            Self::Full => "full",
        }
    }
}

/// The state of one connection.
pub(crate) struct Meter {
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// Since when a write makes no progress.
    stalled: Option<Instant>,
    closing: Option<Instant>,
    message: Message,
    /// Whether every message so far ended where its bytes did. Once that is unknown, a next head is taken to have begun
    /// as soon as a response has been sent.
    is_aligned: bool,
}

#[derive(Clone, Copy)]
enum Phase {
    Idle {
        since: Instant,
    },
    Head {
        since: Instant,
    },
    /// The endpoint has the request.
    Handling,
    Responding {
        since: Instant,
        is_sized: bool,
    },
    /// The response is written, but not flushed.
    Flushing {
        since: Instant,
    },
}

/// The bytes of the current request.
#[derive(Default)]
struct Message {
    received: u64,
    /// The length of the head, blank line included.
    head: Option<u64>,
    /// The length of everything, once the head is read; unknown for a chunked body.
    expected: Option<u64>,
    has_begun: bool,
    line_is_empty: bool,
}

impl Message {
    fn received(&mut self, bytes: &[u8]) {
        if self.head.is_none() {
            self.head = self.end_of_head(bytes).map(|end| self.received + end as u64);
        }
        self.received += bytes.len() as u64;
    }

    /// Behind the first blank line that follows a line.
    fn end_of_head(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if self.line_is_empty && self.has_begun => return Some(at + 1),
                b'\n' => self.line_is_empty = true,
                b'\r' => {}
                _ => (self.has_begun, self.line_is_empty) = (true, false),
            }
        }
        None
    }
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Self {
        let state = State {
            phase: Phase::Idle { since: Instant::now() },
            stalled: None,
            closing: None,
            message: Message::default(),
            is_aligned: true,
        };
        Self { limits, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn received(&self, bytes: &[u8]) {
        let state = &mut *self.state();
        if matches!(state.phase, Phase::Idle { .. }) {
            state.phase = Phase::Head { since: Instant::now() };
        }
        if state.is_aligned {
            state.message.received(bytes);
        }
    }

    /// The service was called; `body` is the length of the body, if the head has it.
    pub(crate) fn head_complete(&self, body: Option<u64>) {
        let state = &mut *self.state();
        state.phase = Phase::Handling;
        state.message.expected = state.message.head.zip(body).map(|(head, body)| head + body);
    }

    pub(crate) fn response_begins(&self, is_sized: bool) {
        self.state().phase = Phase::Responding { since: Instant::now(), is_sized };
    }

    pub(crate) fn response_written(&self) {
        let state = &mut *self.state();
        let since = match state.phase {
            Phase::Responding { since, is_sized: true } => since,
            _ => Instant::now(),
        };
        state.phase = Phase::Flushing { since };
    }

    pub(crate) fn stalled(&self) {
        self.state().stalled.get_or_insert_with(Instant::now);
    }

    pub(crate) fn wrote(&self) {
        self.state().stalled = None;
    }

    pub(crate) fn flushed(&self) {
        let state = &mut *self.state();
        state.stalled = None;
        if let Phase::Flushing { .. } = state.phase {
            let message = std::mem::take(&mut state.message);
            state.is_aligned = state.is_aligned && message.expected == Some(message.received);
            let since = Instant::now();
            state.phase = if state.is_aligned { Phase::Idle { since } } else { Phase::Head { since } };
        }
    }

    /// The server is closing: a head that has begun gets a moment, hyper closes what idles.
    pub(crate) fn closing(&self) {
        self.state().closing = Some(Instant::now() + LAST_HEAD);
    }

    /// Whether the connection has waited for a request for so long that it makes room for another.
    pub(crate) fn makes_room(&self) -> bool {
        match self.state().phase {
            Phase::Idle { since } | Phase::Head { since } => since.elapsed() >= TIMEOUT_WHEN_FULL,
            _ => false,
        }
    }

    /// When the connection is to be closed as it stands, and why.
    pub(crate) fn due(&self) -> Option<(Instant, Cause)> {
        let (state, limits) = (self.state(), &self.limits);
        let phase = match state.phase {
            Phase::Idle { since } => Some((since + limits.idle, Cause::Idle)),
            Phase::Head { since } => {
                let end = since + limits.head;
                Some((state.closing.map_or(end, |closing| closing.min(end)), Cause::Head))
            }
            Phase::Responding { since, is_sized: true } | Phase::Flushing { since } => {
                Some((since + limits.response, Cause::Response))
            }
            Phase::Handling | Phase::Responding { is_sized: false, .. } => None,
        };
        let stall = state.stalled.map(|since| (since + limits.stall, Cause::Stall));
        phase.into_iter().chain(stall).min_by_key(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    fn answer(meter: &Meter, body: Option<u64>) {
        meter.head_complete(body);
        meter.response_begins(true);
        meter.response_written();
        meter.flushed();
    }

    fn cause(meter: &Meter) -> Cause {
        meter.due().unwrap().1
    }

    #[test]
    fn a_connection_idles_between_whole_requests() {
        let meter = Meter::new(Limits::default());
        assert_eq!(cause(&meter), Cause::Idle);
        for piece in GET.chunks(5) {
            meter.received(piece);
            assert_eq!(cause(&meter), Cause::Head);
        }
        answer(&meter, Some(0));
        assert_eq!(cause(&meter), Cause::Idle);
        meter.received(b"\r\nPOST / HTTP/1.1\nContent-Length: 5\n\nhe");
        meter.received(b"llo");
        answer(&meter, Some(5));
        assert_eq!(cause(&meter), Cause::Idle);
    }

    #[test]
    fn a_head_that_began_with_the_message_before_it_is_no_idle_connection() {
        for (bytes, body) in [
            ([GET, b"GET"].concat(), Some(0)),
            (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET".to_vec(), Some(2)),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET".to_vec(), None),
        ] {
            let meter = Meter::new(Limits::default());
            meter.received(&bytes);
            answer(&meter, body);
            assert_eq!(cause(&meter), Cause::Head, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn a_request_has_its_own_bounds_and_a_response_of_unknown_length_only_that_of_a_stall() {
        let meter = Meter::new(Limits::default());
        meter.received(GET);
        meter.head_complete(Some(0));
        assert_eq!(meter.due(), None);
        meter.response_begins(false);
        assert_eq!(meter.due(), None);
        meter.stalled();
        assert_eq!(cause(&meter), Cause::Stall);
        meter.wrote();
        assert_eq!(meter.due(), None);
        meter.response_begins(true);
        assert_eq!(cause(&meter), Cause::Response);
    }
}
