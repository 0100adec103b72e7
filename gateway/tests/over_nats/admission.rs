//! Admission with a stand-in for the domain of orders that never replies.

use std::time::{Duration, Instant};

use contract::subject;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::support::{Gateway, gateway, nats, until};

/// The bound on new orders at the start.
const FIRST: usize = 256;

fn order(key: &str) -> String {
    let body = r#"{"shipping_address":{"street":"1 High St","city":"York","zip_code":"YO1","country":"GB"}}"#;
    format!(
        "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nX-Cart-Token: guest\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A connection whose order was rejected, and its `Retry-After`. Those that get no reply were admitted.
async fn rejected(gateway: &Gateway, admitted: &mut Vec<TcpStream>) -> (TcpStream, Duration) {
    loop {
        let mut stream = gateway.send(&order("a")).await;
        if let Ok(answer) = timeout(Duration::from_millis(500), until(&mut stream, "\"service\"")).await {
            return (stream, retry_after(&answer));
        }
        admitted.push(stream);
        assert!(admitted.len() < 2 * FIRST, "nothing is rejected");
    }
}

fn retry_after(answer: &str) -> Duration {
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"overloaded\""), "{answer}");
    let seconds = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    Duration::from_secs(seconds.parse().unwrap())
}

#[tokio::test]
async fn a_repeat_before_retry_after_is_held_and_other_requests_are_not() {
    let Some((_server, connection)) = nats().await else { return };
    let _requests = connection.subscribe(subject::requests_of("orders")).await.unwrap();
    connection.flush().await.unwrap();
    let gateway = gateway(connection).await;
    let mut admitted = Vec::new();
    for _ in 0..FIRST {
        admitted.push(gateway.send(&order("a")).await);
    }
    let (mut stream, pause) = rejected(&gateway, &mut admitted).await;

    let began = Instant::now();
    stream.write_all(order("b").as_bytes()).await.unwrap();
    let other_pause = retry_after(&until(&mut stream, "\"service\"").await);
    assert!(began.elapsed() < pause, "another order on the same connection is not held");

    let began = Instant::now();
    stream.write_all(order("b").as_bytes()).await.unwrap();
    retry_after(&until(&mut stream, "\"service\"").await);
    assert!(began.elapsed() > other_pause - Duration::from_millis(500), "{:?}", began.elapsed());

    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(until(&mut stream, "ok").await.starts_with("HTTP/1.1 200"));
}
