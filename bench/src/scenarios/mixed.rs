//! A mixed load: 95 reads of products and listings to 5 orders, each awaited until it is confirmed.

use std::sync::Arc;

use super::browse::{Page, Pages};
use super::order::Buying;
use super::preparation::prepare;
use super::{Outcome, Runner};
use crate::http::Client;
use crate::load::{self, Script};

const READ: &[usize] = &[0, 2];
const ORDER: &[usize] = &[1, 2];

/// One step of so many is an order.
const STEPS_PER_ORDER: u64 = 20;

pub async fn run(runner: &Runner<'_>) -> anyhow::Result<Outcome> {
    let arguments = runner.arguments;
    let prepared = prepare(arguments, arguments.clients.len()).await?;
    let pages = Pages::of(prepared.shop().clone()).await?;
    let mixed = Arc::new(Mixed { pages, buying: prepared.buying(prepared.variants.len()) });
    let mut outcome = Outcome::default();
    for &clients in &arguments.clients {
        let (name, plan) = (format!("mixed/{clients}"), arguments.plan(clients));
        outcome.phases.push(runner.phase(&name, &plan, Arc::clone(&mixed)).await?);
    }
    outcome.checks.push(prepared.settle().await?);
    Ok(outcome)
}

struct Mixed {
    pages: Pages,
    buying: Arc<Buying>,
}

impl Script for Mixed {
    type Hand = Client;
    const SERIES: &'static [&'static str] = &["read", "order", "request"];

    async fn hand(&self, client: u32) -> anyhow::Result<Client> {
        Ok(self.pages.client(client))
    }

    async fn step(&self, client: &mut Client, n: u64) -> load::Outcome {
        if n.is_multiple_of(STEPS_PER_ORDER) {
            let order = self.buying.buy(client, n / STEPS_PER_ORDER).await;
            return match order.error {
                Some(kind) => load::Outcome::error(kind),
                None => load::Outcome::one(ORDER),
            };
        }
        match self.pages.read(client, n).await {
            Page::Product | Page::Listing => load::Outcome::one(READ),
            Page::Rejected => load::Outcome::error("503 with Retry-After"),
            Page::Failed(kind) => load::Outcome::error(kind),
        }
    }
}
