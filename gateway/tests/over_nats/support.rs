//! A nats-server and a gateway, each of its own test.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use gateway::{GatewayConfig, Local, RateLimits, Shutdown, TrustedProxies, VerifyToken, serve};
use runtime::Client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn binary() -> Option<PathBuf> {
    if Command::new("nats-server").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    {
        return Some("nats-server".into());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    let entries = std::fs::read_dir(cache.join("souk/bin")).ok()?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("nats-server")))
}

pub async fn nats() -> Option<(Server, async_nats::Client)> {
    let Some(binary) = binary() else {
        eprintln!("SKIPPED: no nats-server on PATH or in the cache of the local stack");
        return None;
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(binary);
    command.args(["-a", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server(command.spawn().unwrap());
    for _ in 0..200 {
        if let Ok(connection) = async_nats::connect(format!("127.0.0.1:{port}")).await {
            return Some((server, connection));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nats-server did not start");
}

pub struct Gateway {
    pub address: std::net::SocketAddr,
    pub stop: Option<oneshot::Sender<()>>,
    pub served: tokio::task::JoinHandle<std::io::Result<()>>,
}

pub async fn gateway(connection: async_nats::Client) -> Gateway {
    let verify: VerifyToken = Arc::new(|_| Box::pin(async { Err(contract::ServiceError::internal("")) }));
    let config = GatewayConfig {
        client: Client::new(connection).await.unwrap(),
        verify,
        revoked: Arc::new(|_| Box::pin(std::future::pending())),
        body_limit: GatewayConfig::BODY_LIMIT,
        cors_origins: Vec::new(),
        trusted_proxies: TrustedProxies::default(),
        rates: RateLimits::LOCAL,
        local_stack: true,
        local: Local::default(),
        tls: None,
        shutdown: Shutdown::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, config, async move { drop(stopped.await) }));
    Gateway { address, stop: Some(stop), served }
}

impl Gateway {
    pub async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

/// Reads until the text is there.
pub async fn until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = String::new();
    let reading = async {
        while !read.contains(text) {
            let mut chunk = [0; 4096];
            let length = stream.read(&mut chunk).await.unwrap();
            assert!(length > 0, "the stream ended before {text:?}: {read}");
            read.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
    };
    timeout(Duration::from_secs(10), reading).await.unwrap_or_else(|_| panic!("never came: {text:?}"));
    read
}
