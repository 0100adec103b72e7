//! TLS everywhere: NATS, PostgreSQL and the gateway, each by configuration, and no client connects without it.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use sqlx::{Connection, PgConnection};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::harness::{Authority, Person, Secured, send_signal, wait_until};

/// A failure with all its causes.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// What a server says to something that is no TLS, until it hangs up.
async fn answer_to(address: &str, said: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(said).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    // Reset or closed: it is over either way.
    drop(read.expect("it does not hang up"));
    answer
}

#[tokio::test]
async fn an_order_goes_through_a_shop_that_uses_tls_only() {
    let secured = Secured::start().await;
    let shop = &secured.shop;
    let variant = shop.product(5, 1000).await;
    let buyer = shop.customer().await;
    let order = buyer.order(&variant, 2, Some("pm_card_visa")).await.expect_status(201);
    assert_eq!(order.text_at("/status"), "confirmed");
    // What comes piece by piece comes at once.
    let mut stream = buyer.stream(&format!("/orders/{}/stream", order.text_at("/id")), &[]).await;
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("confirmed"), "{first:?}");
    wait_until("they are sold", || async { shop.stock(&variant).await.number_at("/on_hand") == 3 }).await;

    // Every connection of the node, on the servers' own word.
    let open = "select count(*) from pg_stat_activity join pg_stat_ssl using (pid)
                where client_addr is not null and ssl = ";
    assert!(shop.number("postgres", format!("{open} true")).await > 6);
    assert_eq!(shop.number("postgres", format!("{open} false")).await, 0);

    // The tools come by the same configuration.
    let (ok, said) = secured.souk(&["check"], &[]).await;
    assert!(ok, "{said}");
    let (ok, said) = secured.souk(&["migrate"], &[]).await;
    assert!(ok, "{said}");
    let (ok, said) = secured.souk(&["dead-letters", "list"], &[]).await;
    assert!(ok && said.ends_with("0 dead letters\n"), "{said}");

    let address = shop.url.trim_start_matches("https://").to_owned();
    strangers_are_rejected_by_the_gateway(&secured, &address).await;
    another_certificate_is_taken_without_a_restart(&secured).await;
}

async fn strangers_are_rejected_by_the_gateway(secured: &Secured, address: &str) {
    let plain = answer_to(address, b"GET /health/live HTTP/1.1\r\nHost: souk\r\n\r\n").await;
    assert!(!plain.starts_with(b"HTTP/") && plain.len() < 50, "{}", String::from_utf8_lossy(&plain));
    let stranger = reqwest::Client::new().get(format!("https://{address}/health/live")).send().await.unwrap_err();
    assert!(causes(&stranger).contains("UnknownIssuer"), "{}", causes(&stranger));
    // The certificate names the address, not the name that leads there.
    let other_name = format!("https://localhost:{}", address.rsplit(':').next().unwrap());
    let other_name = Person::new(&other_name).trusting(&secured.authority.ca());
    assert_eq!(other_name.try_get("//health/live").await, None);
    // A client that connects and says nothing holds up no other; half a handshake is closed.
    let _silent = TcpStream::connect(address).await.unwrap();
    secured.shop.anonymous().get("//health/live").await.expect_status(200);
    let began = Instant::now();
    answer_to(address, &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await;
    assert!(began.elapsed() < Duration::from_secs(13), "{:?}", began.elapsed());
}

async fn another_certificate_is_taken_without_a_restart(secured: &Secured) {
    let shop = &secured.shop;
    let successor = Authority::new();
    let successors_client = Person::new(&shop.url).trusting(&successor.ca());
    assert_eq!(successors_client.try_get("//health/live").await, None);
    let (certificate, key) = successor.issue("127.0.0.1");
    let (old_certificate, old_key) = (std::fs::read(&secured.http.0).unwrap(), std::fs::read(&secured.http.1).unwrap());
    // Half of the change is no change: a certificate without its key.
    std::fs::copy(&certificate, &secured.http.0).unwrap();
    shop.anonymous().get("//health/live").await.expect_status(200);
    std::fs::copy(&key, &secured.http.1).unwrap();
    // A new client each time, for connections that are open stay as they are.
    wait_until("the other certificate is shown", || async {
        Person::new(&shop.url).trusting(&successor.ca()).try_get("//health/live").await == Some(200)
    })
    .await;
    std::fs::write(&secured.http.0, old_certificate).unwrap();
    std::fs::write(&secured.http.1, old_key).unwrap();
    wait_until("the first one is shown again", || async {
        shop.anonymous().try_get("//health/live").await == Some(200)
    })
    .await;
}

#[tokio::test]
async fn a_node_that_does_not_know_its_servers_does_not_start_and_says_why() {
    let secured = Secured::servers().await;
    let stack = secured.shop.stack();
    let (ok, said) = secured.souk(&["migrate"], &[]).await;
    assert!(ok, "{said}");
    let other = Authority::new();
    let (_, other_key) = other.issue("127.0.0.1");
    let other_ca = other.ca().to_str().unwrap().to_owned();
    let database = |tls: &str| format!("postgres://any@127.0.0.1:{}/postgres?{tls}", stack.pg_port);
    let file = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    for (variable, value, reasons) in [
        ("SOUK_NATS_CA", other_ca.clone(), ["NATS at tls://", "UnknownIssuer"]),
        ("SOUK_NATS_CA", "/nonexistent/ca.pem".to_owned(), ["/nonexistent/ca.pem cannot be read", "No such file"]),
        ("SOUK_NATS_CLIENT_CERT", other_ca.clone(), ["SOUK_NATS_CLIENT_KEY", "belong together"]),
        (
            "DATABASE_URL",
            database(&format!("sslmode=verify-full&sslrootcert={other_ca}")),
            ["the schema of orders", "UnknownIssuer"],
        ),
        ("DATABASE_URL", database("sslmode=disable"), ["the schema of orders", "no encryption"]),
        ("SOUK_HTTP_TLS_KEY", file(&other_key), ["SOUK_HTTP_TLS_CERT and SOUK_HTTP_TLS_KEY", "cannot be used"]),
        ("SOUK_HTTP_TLS_KEY", String::new(), ["SOUK_HTTP_TLS_KEY", "belong together"]),
        ("SOUK_PAYMENTS_PROVIDER", String::new(), ["SOUK_PAYMENTS_PROVIDER is not set", "stripe or simulated"]),
    ] {
        let domains = "orders,payments";
        let (ok, said) = secured.souk(&["node", "--domains", domains, "--gateway"], &[(variable, value)]).await;
        assert!(!ok && reasons.iter().all(|reason| said.contains(reason)), "{variable}: {reasons:?}\n{said}");
    }
}

#[tokio::test]
async fn servers_with_tls_reject_clients_without() {
    let secured = Secured::servers().await;
    let stack = secured.shop.stack();
    let rejected = |url: String| async move { PgConnection::connect(&url).await.unwrap_err().to_string() };
    let plain = rejected(stack.superuser_url("postgres").replace("verify-full", "disable")).await;
    assert!(plain.contains("no encryption"), "{plain}");

    let nats = TcpStream::connect(("127.0.0.1", stack.nats_port)).await.unwrap();
    let mut nats = BufReader::new(nats);
    let mut info = String::new();
    nats.read_line(&mut info).await.unwrap();
    assert!(info.contains("\"tls_required\":true"), "{info}");
    nats.write_all(b"CONNECT {\"verbose\":true}\r\nPING\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(tokio::time::timeout(Duration::from_secs(30), nats.read_to_end(&mut answer)).await.expect("it hangs up"));
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("+OK") && !answer.contains("PONG"), "{answer}");

    // Once the server asks clients for a certificate too, it takes ours and no other.
    let tls = runtime::NatsTls { ca: stack.ca().map(ToOwned::to_owned), client: None };
    let mut config = runtime::NatsConfig { url: stack.nats_url(), keys: Some(stack.nats_keys().to_owned()), tls };
    runtime::connect(&config, "operator", "test").await.unwrap();
    let path = stack.home.join("nats/tls.conf");
    let asking = format!("ca_file: \"{}\"\n  verify: true\n}}", secured.authority.ca().display());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.trim_end().trim_end_matches('}').to_owned() + &asking).unwrap();
    let before = secured.shop.nats_pid();
    send_signal(before, Signal::KILL);
    let (certificate, key) = secured.authority.issue("127.0.0.1");
    config.tls.client = Some((certificate, key));
    wait_until("nats-server is back", || async {
        secured.shop.nats_pid() != before && runtime::connect(&config, "operator", "test").await.is_ok()
    })
    .await;
    let strange = Authority::new();
    for client in [None, Some(strange.issue("127.0.0.1"))] {
        config.tls.client = client;
        runtime::connect(&config, "operator", "test").await.map(|_| ()).unwrap_err();
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_without_tls_where_tls_is_required() {
    let authority = Authority::new();
    for (scheme, ca) in [("tls", None), ("nats", Some(authority.ca()))] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let info = r#"INFO {"server_id":"x","version":"2.12.0","port":4222,"max_payload":1048576,"headers":true}"#;
            stream.write_all(format!("{info}\r\n").as_bytes()).await.unwrap();
            let mut said = [0; 3];
            stream.read_exact(&mut said).await.unwrap();
            said
        });
        let tls = runtime::NatsTls { ca, client: None };
        let config = runtime::NatsConfig { url: format!("{scheme}://127.0.0.1:{port}"), keys: None, tls };
        let rejected = runtime::connect(&config, "operator", "test").await.map(|_| ()).unwrap_err().to_string();
        assert!(rejected.contains(&format!("NATS at {scheme}://127.0.0.1:{port}")), "{rejected}");
        // A handshake of TLS, and not the first letters of CONNECT with a token.
        assert_eq!(server.await.unwrap()[..2], [0x16, 0x03]);
    }
}
