//! `souk health`: the health check of a container, whose image has no HTTP client.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::settings::Settings;

/// Shorter than the timeout of the container's health check, so that the output names the reason.
const TIMEOUT: Duration = Duration::from_millis(2500);

pub(crate) async fn run() -> Result<()> {
    let mut address = Settings::load()?.metrics;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        anyhow::Ok(reply)
    };
    let reply = tokio::time::timeout(TIMEOUT, exchange).await;
    let reply = reply.context("no answer within 2.5 s").and_then(|reply| reply);
    let reply = reply.with_context(|| format!("http://{address}/health/ready"))?;
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    if head.split(' ').nth(1) != Some("200") {
        bail!("the node is not ready: {}", body.trim());
    }
    println!("{}", body.trim());
    Ok(())
}
