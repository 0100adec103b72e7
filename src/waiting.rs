//! Waits at the start of a process until its servers are ready for it, since a container engine may start all programs
//! at once.

use std::{
    io::ErrorKind,
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures::{FutureExt, future::select_ok};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};
use tokio::net::TcpStream;

use crate::settings::Servers;

/// The pause before the second attempt, which doubles with each further one up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The timeout of one attempt.
const ATTEMPT: Duration = Duration::from_secs(2);
/// PostgreSQL's codes for a role that is missing or has another password, for a missing database and for too many
/// connections: what creates roles and databases may start at the same time. Class 57P: it starts or stops.
const PASSING: [&str; 3] = ["28P01", "3D000", "53300"];

/// Waits for one NATS server and the databases of `domains`. Waits only for what time may change: an error of TLS, for
/// example, is left to the connection that follows.
///
/// # Errors
/// If a server is not ready within `timeout`.
pub(crate) async fn for_servers(servers: &Servers, domains: &[&str], timeout: Duration) -> Result<()> {
    let until = Instant::now() + timeout;
    let urls = servers.nats.url.split(',').map(nats_address).collect::<Result<Vec<_>>>()?;
    let name = format!("NATS at nats://{}", urls.join(","));
    repeat(until, &name, || any_accepts(&urls)).await?;
    for domain in domains {
        let options = PgConnectOptions::from_str(&servers.database(domain)?).context("not a URL of a database")?;
        repeat(until, &format!("the database of {domain}"), || accepts_sessions(&options)).await?;
    }
    Ok(())
}

async fn repeat<F: Future<Output = Result<()>>>(until: Instant, server: &str, attempt: impl Fn() -> F) -> Result<()> {
    let (mut pause, mut is_logged) = (PAUSE, false);
    loop {
        let result = tokio::time::timeout(ATTEMPT, attempt()).await.unwrap_or_else(|_| bail!("no answer within 2 s"));
        let Err(error) = result else { return Ok(()) };
        if Instant::now() + pause > until {
            return Err(error.context(format!("{server} is not ready")));
        }
        if !is_logged {
            tracing::warn!(server, error = %format!("{error:#}"), "waiting for a server");
            is_logged = true;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Connects to all at once: a host that does not answer must not hide one that does.
async fn any_accepts(addresses: &[String]) -> Result<()> {
    let connections = addresses.iter().map(|address| {
        let connect = async move { TcpStream::connect(address).await.with_context(|| address.clone()) };
        connect.boxed()
    });
    select_ok(connections).await.map(drop)
}

async fn accepts_sessions(options: &PgConnectOptions) -> Result<()> {
    match options.connect().await {
        Ok(connection) => Ok(connection.close().await?),
        // A handshake of TLS that fails is an `InvalidData`.
        Err(sqlx::Error::Io(error)) if error.kind() != ErrorKind::InvalidData => {
            Err(error).with_context(|| format!("{}:{}", options.get_host(), options.get_port()))
        }
        Err(error) => match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
            Some(code) if PASSING.contains(&code.as_ref()) || code.starts_with("57P") => Err(error.into()),
            _ => Ok(()),
        },
    }
}

/// `host:port` of a NATS URL, whose scheme, user and port are optional.
fn nats_address(url: &str) -> Result<String> {
    let url = url.trim();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host).trim_end_matches('/');
    if host.is_empty() {
        bail!("NATS_URL names no server");
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port { host.to_owned() } else { format!("{host}:4222") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_nats_url() {
        for (url, address) in [
            ("nats://n1:4222", "n1:4222"),
            (" tls://n2 ", "n2:4222"),
            ("127.0.0.1:14222", "127.0.0.1:14222"),
            ("nats://user:secret@n3:5222/", "n3:5222"),
        ] {
            assert_eq!(nats_address(url).unwrap(), address);
        }
        assert!(nats_address("nats://").is_err());
    }

    #[tokio::test]
    async fn a_server_that_never_accepts_is_an_error_at_the_timeout() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let addresses = [free];
        let until = Instant::now() + Duration::from_millis(300);
        assert!(repeat(until, "NATS", || any_accepts(&addresses)).await.is_err());
    }
}
