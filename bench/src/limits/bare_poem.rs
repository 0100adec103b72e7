//! The cost of HTTP alone: poem with one trivial route, requested by the same clients as the shop.

use std::sync::Arc;

use anyhow::Context;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{Endpoint, Request, Response, Server};

use super::apart::Apart;
use crate::arguments::{Arguments, SPARE_FILES};
use crate::http::{Address, Client};
use crate::load::{self, Measured, Outcome, Plan, Script};
use crate::machine;

/// About the size of a product as JSON.
const ANSWER_BYTES: usize = 600;

pub async fn take(arguments: &Arguments) -> anyhow::Result<Measured> {
    let apart = Apart::new()?;
    let listening = TcpListener::bind("127.0.0.1:0").into_acceptor();
    let acceptor = apart.run(async { listening.await.context("a port for bare poem") }).await?;
    let port = acceptor.local_addr().iter().find_map(|addr| addr.as_socket_addr().map(std::net::SocketAddr::port));
    let port = port.context("bare poem listens on no port")?;
    let answer = Fixed { body: format!("{{\"text\":\"{}\"}}", "x".repeat(ANSWER_BYTES - 11)) };
    apart.spawn(async move {
        // A failure shows in the errors of the clients.
        let _ = Server::new_with_acceptor(acceptor).run(answer).await;
    });

    let limit = arguments.limit_plan();
    // Both ends of a connection count against the open files of this process; with the shop, only one does.
    let room = machine::open_files_allowed().map_or(u64::MAX, |allowed| allowed.saturating_sub(SPARE_FILES) / 2);
    let clients = limit.clients.min(u32::try_from(room).unwrap_or(u32::MAX)).max(1);
    let plan = Plan { clients, ..limit };
    let script = Asking { address: Address::loopback(port), timeout: plan.timeout };
    load::run("bare poem", Arc::new(script), &plan).await
}

struct Fixed {
    body: String,
}

impl Endpoint for Fixed {
    type Output = Response;

    async fn call(&self, _: Request) -> poem::Result<Response> {
        Ok(Response::builder().content_type("application/json").body(self.body.clone()))
    }
}

struct Asking {
    address: Address,
    timeout: std::time::Duration,
}

impl Script for Asking {
    type Hand = Client;
    const SERIES: &'static [&'static str] = &["bare poem"];

    async fn hand(&self, _: u32) -> anyhow::Result<Client> {
        Ok(Client::new(self.address.clone(), self.timeout))
    }

    async fn step(&self, client: &mut Client, _: u64) -> Outcome {
        match client.get("/").await {
            Ok(answer) if answer.status.is_success() => Outcome::one(&[0]),
            Ok(answer) => Outcome::error(answer.status.as_str()),
            Err(failure) => Outcome::error(failure.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bare_poem_answers_the_client_without_errors() {
        let arguments = crate::arguments::parse("browse --clients 4 --limit-seconds 1").expect("parses");
        let measured = take(&arguments).await.expect("measured");
        assert_eq!(measured.errors.len(), 0);
        assert!(measured.figures[0].count > 0);
    }
}
