//! The cost of a NATS hop alone: request-reply with a responder that replies at once.

use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use futures::StreamExt;

use super::apart::Apart;
use super::nats_server::PrivateServer;
use crate::arguments::Arguments;
use crate::load::{self, Measured, Outcome, Plan, Script};

const SUBJECT: &str = "bench.echo";
const REQUEST_BYTES: usize = 200;
const ANSWER_BYTES: usize = 600;

/// More requests in flight would only queue in the two connections.
const MOST_IN_FLIGHT: u32 = 1024;

pub async fn take(arguments: &Arguments) -> anyhow::Result<Measured> {
    let limit = arguments.limit_plan();
    let plan = Plan { clients: limit.clients.min(MOST_IN_FLIGHT), ..limit };
    match &arguments.nats {
        Some(url) => measure(url, &plan).await,
        None => {
            // On the shop's own server a client without credentials may only publish to the domains, and their replies
            // would wake them.
            let server = PrivateServer::start(&arguments.home).await?;
            let measured = measure(server.url(), &plan).await;
            server.stop().await;
            measured
        }
    }
}

async fn measure(url: &str, plan: &Plan) -> anyhow::Result<Measured> {
    let apart = Apart::new()?;
    let server = url.to_owned();
    let (responder, requests) = apart.run(async move { subscribe(&server).await }).await?;
    apart.spawn(answer_all(responder, requests));
    let client = async_nats::connect(url).await.with_context(|| format!("connecting to {url}"))?;
    load::run("bare NATS", Arc::new(Asking { client }), plan).await
}

async fn subscribe(url: &str) -> anyhow::Result<(async_nats::Client, async_nats::Subscriber)> {
    let responder = async_nats::connect(url).await.with_context(|| format!("connecting to {url}"))?;
    let requests = responder.queue_subscribe(SUBJECT, "bench".into()).await.context("subscribing")?;
    responder.flush().await.context("subscribing")?;
    Ok((responder, requests))
}

async fn answer_all(responder: async_nats::Client, mut requests: async_nats::Subscriber) {
    let answer = Bytes::from(vec![b'x'; ANSWER_BYTES]);
    while let Some(request) = requests.next().await {
        let Some(reply) = request.reply else { continue };
        if responder.publish(reply, answer.clone()).await.is_err() {
            break;
        }
    }
}

struct Asking {
    client: async_nats::Client,
}

impl Script for Asking {
    type Hand = (async_nats::Client, Bytes);
    const SERIES: &'static [&'static str] = &["bare NATS"];

    /// All clients share one connection, as the requests of a node do.
    async fn hand(&self, _: u32) -> anyhow::Result<Self::Hand> {
        Ok((self.client.clone(), Bytes::from(vec![b'x'; REQUEST_BYTES])))
    }

    async fn step(&self, (client, request): &mut Self::Hand, _: u64) -> Outcome {
        match client.request(SUBJECT, request.clone()).await {
            Ok(_) => Outcome::one(&[0]),
            Err(error) => Outcome::error(error.kind().to_string()),
        }
    }
}
