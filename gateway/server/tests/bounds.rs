//! What a connection may hold, on a real socket with short bounds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by them")]

use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use poem::{Body, Endpoint, EndpointExt, Request, Response, endpoint::make, http::StatusCode};
use server::{Limits, Options, Stage, Tls, serve};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

/// The bound of a head, a body and a stalled write.
const SHORT: Duration = Duration::from_millis(600);
/// That of an idle connection and of a response.
const LONG: Duration = Duration::from_millis(2400);
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

struct Server {
    address: SocketAddr,
    stage: watch::Sender<Stage>,
    served: JoinHandle<std::io::Result<()>>,
    /// Lets requests of `/wait` go on.
    go_on: Arc<Notify>,
}

fn limits() -> Limits {
    Limits { head: SHORT, idle: LONG, body: SHORT, response: LONG, stall: SHORT, connections: 1000 }
}

fn endpoint(go_on: Arc<Notify>) -> impl Endpoint + 'static {
    make(move |mut request: Request| {
        let go_on = go_on.clone();
        async move {
            if request.uri().path() == "/large" {
                return Ok(Response::from(vec![b'x'; 64 << 20]));
            }
            if request.uri().path() == "/endless" {
                let zeros = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 65536]));
                return Ok(Response::from(Body::from_bytes_stream(zeros)));
            }
            if request.uri().path() == "/wait" {
                go_on.notified().await;
            }
            let answer = match request.take_body().into_bytes_limit(1 << 20).await {
                Ok(body) => Response::from(body),
                Err(poem::error::ReadBodyError::Io(error)) if error.kind() == ErrorKind::TimedOut => {
                    Response::from(StatusCode::REQUEST_TIMEOUT)
                }
                Err(error) => panic!("{error}"),
            };
            Ok::<_, poem::Error>(answer)
        }
    })
    .map_to_response()
}

async fn server(limits: Limits, tls: Option<Tls>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stage, stages) = watch::channel(Stage::Open);
    let go_on = Arc::<Notify>::default();
    let options = Options { tls, limits, timeout: Duration::from_secs(20), ..Options::new("test") };
    let served = tokio::spawn(serve(listener, endpoint(go_on.clone()), options, stages));
    Server { address, stage, served, go_on }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn said(&self, text: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text).await.unwrap();
        stream
    }
}

/// How long it takes until the server closes the connection, however it does; and what it sent.
async fn closed(stream: &mut (impl AsyncRead + Unpin)) -> (Duration, String) {
    let (began, mut sent) = (Instant::now(), Vec::new());
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut sent)).await;
    drop(read.unwrap_or_else(|_| panic!("it is still open: {:?}", String::from_utf8_lossy(&sent))));
    (began.elapsed(), String::from_utf8_lossy(&sent).into_owned())
}

async fn answered(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = timeout(Duration::from_secs(10), stream.read(&mut answer)).await.expect("no answer").unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn a_head_that_never_ends_is_closed_however_it_is_sent() {
    let server = server(limits(), None).await;
    let half = b"GET / HTTP/1.1\r\nHost: x\r\n";
    let mut at_once = server.said(half).await;
    let (took, sent) = closed(&mut at_once).await;
    assert!((SHORT / 2..LONG).contains(&took) && sent.is_empty(), "{took:?}: {sent}");

    // A little at a time: a header, a byte, and the blank lines that may stand before a request.
    for (first, piece) in [(&half[..], &b"X-A: b\r\n"[..]), (b"G", b"E"), (b"\r\n", b"\r\n")] {
        let (mut reader, mut writer) = server.said(first).await.into_split();
        let dripping = tokio::spawn(async move {
            while writer.write_all(piece).await.is_ok() {
                sleep(SHORT / 5).await;
            }
        });
        let (took, _) = closed(&mut reader).await;
        assert!(took < LONG, "{piece:?}: {took:?}");
        dripping.abort();
    }
}

/// Scenario 28: the head comes behind a request, or with it.
#[tokio::test]
async fn a_head_that_never_ends_behind_another_request_is_closed_too() {
    let server = server(limits(), None).await;
    let mut later = server.connect().await;
    assert!(answered(&mut later, GET).await.starts_with("HTTP/1.1 200"));
    sleep(SHORT * 2).await;
    later.write_all(b"GET /").await.unwrap();
    let (took, _) = closed(&mut later).await;
    assert!(took < LONG / 2, "{took:?}");

    let posted = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET";
    let chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nGET";
    for together in [&[GET, b"GET"].concat()[..], posted, chunked] {
        let mut stream = server.said(together).await;
        let (took, sent) = closed(&mut stream).await;
        assert!(sent.starts_with("HTTP/1.1 200") && took < LONG / 2, "{took:?}: {sent}");
    }
}

#[tokio::test]
async fn the_time_between_requests_is_not_that_of_a_head_and_has_a_bound_of_its_own() {
    let server = server(limits(), None).await;
    let mut stream = server.connect().await;
    for request in [GET, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", GET] {
        sleep(SHORT * 2).await;
        assert!(answered(&mut stream, request).await.starts_with("HTTP/1.1 200"));
    }
    let (took, _) = closed(&mut stream).await;
    assert!(took >= LONG / 2, "{took:?}");
    let (took, _) = closed(&mut server.connect().await).await;
    assert!(took >= LONG / 2, "{took:?}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_with_a_timeout() {
    let server = server(limits(), None).await;
    for (head, piece) in [("Content-Length: 99", "1"), ("Transfer-Encoding: chunked", "1\r\nx\r\n")] {
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n");
        let (mut reader, mut writer) = server.said(head.as_bytes()).await.into_split();
        let dripping = tokio::spawn(async move {
            while writer.write_all(piece.as_bytes()).await.is_ok() {
                sleep(SHORT / 5).await;
            }
        });
        let (took, sent) = closed(&mut reader).await;
        assert!(sent.starts_with("HTTP/1.1 408") && took < LONG, "{took:?}: {sent}");
        dripping.abort();
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let server = server(limits(), None).await;
    for path in ["/large", "/endless"] {
        let stream = server.said(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
        sleep(SHORT + LONG / 2).await;
        // What was sent before is in the system's buffers, and no more than that.
        let (_, sent) = closed(&mut { stream }).await;
        assert!(sent.len() < 32 << 20, "{path}: {} bytes", sent.len());
    }
    // One that reads a little now and then makes progress, yet not for ever.
    let mut stream = server.said(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let began = Instant::now();
    let mut piece = vec![0; 256 * 1024];
    while stream.read(&mut piece).await.is_ok_and(|length| length > 0) {
        sleep(Duration::from_millis(100)).await;
        assert!(began.elapsed() < Duration::from_secs(20), "it is still open");
    }
}

#[tokio::test]
async fn at_the_bound_connections_that_wait_make_room_and_requests_do_not() {
    let server = server(Limits { connections: 16, head: LONG * 4, idle: LONG * 4, ..limits() }, None).await;
    let mut busy = server.said(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut waiting = Vec::new();
    for number in 0..15 {
        waiting.push(server.said(if number % 2 == 0 { b"GET" } else { b"" }).await);
    }
    let began = Instant::now();
    assert!(answered(&mut server.connect().await, GET).await.starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    for stream in &mut waiting {
        assert!(closed(stream).await.0 < LONG);
    }
    server.go_on.notify_one();
    assert!(answered(&mut busy, b"").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_server_that_closes_waits_for_requests_and_for_nothing_else() {
    let server = server(Limits { head: LONG * 4, idle: LONG * 4, ..limits() }, None).await;
    let mut busy = server.said(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut others = join_all([server.connect(), server.connect()]).await;
    others.push(server.said(b"GET / HTTP/1.1\r\n").await);
    let mut kept = server.connect().await;
    answered(&mut kept, GET).await;
    others.push(kept);
    server.stage.send_replace(Stage::Draining);
    assert!(answered(&mut others[0], GET).await.starts_with("HTTP/1.1 200"), "connections are still served");
    server.stage.send_replace(Stage::Closing);
    for stream in &mut others {
        let (took, _) = closed(stream).await;
        assert!(took < LONG, "{took:?}");
    }
    assert_eq!(TcpStream::connect(server.address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    server.go_on.notify_one();
    assert!(closed(&mut busy).await.1.starts_with("HTTP/1.1 200"));
    timeout(LONG, server.served).await.expect("it ends").unwrap().unwrap();
}

#[tokio::test]
async fn nothing_but_http_1_is_spoken() {
    let server = server(limits(), None).await;
    let mut stream = server.said(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let (took, sent) = closed(&mut stream).await;
    assert!(took < LONG && !sent.contains("200"), "{took:?}: {sent}");
    let long = [&b"GET / HTTP/1.1\r\nX-A: "[..], &[b'a'; 64 * 1024], b"\r\n\r\n"].concat();
    let (mut reader, mut writer) = server.connect().await.into_split();
    let writing = tokio::spawn(async move { drop(writer.write_all(&long).await) });
    let (_, sent) = closed(&mut reader).await;
    assert!(sent.is_empty() || sent.starts_with("HTTP/1.1 431"), "{sent}");
    writing.await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_closed_and_one_that_ends_is_followed_by_the_same_bounds() {
    let home = tempfile::tempdir().unwrap();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (home.path().join("cert.pem"), home.path().join("key.pem"));
    std::fs::write(&certificate, issued.cert.pem()).unwrap();
    std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let server = server(limits(), Some(Tls::from_files(&certificate, &key).unwrap())).await;

    // The first bytes of a client's greeting, at once and one at a time.
    let (took, _) = closed(&mut server.said(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await).await;
    assert!((SHORT / 2..LONG).contains(&took), "{took:?}");
    let (mut reader, mut writer) = server.said(&[0x16, 0x03, 0x01, 0x02, 0x00]).await.into_split();
    let dripping = tokio::spawn(async move {
        while writer.write_all(&[1]).await.is_ok() {
            sleep(SHORT / 5).await;
        }
    });
    assert!(closed(&mut reader).await.0 < LONG);
    dripping.abort();

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, server.connect().await).await.unwrap();
    sleep(SHORT * 2).await;
    assert!(answered(&mut stream, GET).await.starts_with("HTTP/1.1 200"));
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let (took, _) = closed(&mut stream).await;
    assert!((SHORT / 2..LONG).contains(&took), "{took:?}");
    let (took, _) = closed(&mut server.connect().await).await;
    assert!(took >= LONG / 2, "no byte at all: {took:?}");
}
