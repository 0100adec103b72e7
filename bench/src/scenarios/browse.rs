//! Browsing: nine product pages per listing.

use std::sync::Arc;

use super::{Outcome, Runner};
use crate::http::Client;
use crate::load::{self, Script};
use crate::shop::{Shop, rejection};

const PRODUCT: &[usize] = &[0, 2];
const LISTING: &[usize] = &[1, 2];

pub async fn run(runner: &Runner<'_>) -> anyhow::Result<Outcome> {
    let browse = Arc::new(Browse { pages: Pages::of(Shop::open(runner.arguments).await?).await? });
    let mut outcome = Outcome::default();
    for &clients in &runner.arguments.clients {
        let (name, plan) = (format!("browse/{clients}"), runner.arguments.plan(clients));
        outcome.phases.push(runner.phase(&name, &plan, Arc::clone(&browse)).await?);
    }
    Ok(outcome)
}

/// The public pages of the shop.
pub struct Pages {
    shop: Shop,
    products: Vec<String>,
}

/// The reply to a request for a page.
pub enum Page {
    Product,
    Listing,
    /// 503, with the time after which to try again.
    Rejected,
    Failed(String),
}

impl Pages {
    pub async fn of(shop: Shop) -> anyhow::Result<Self> {
        let products = shop.products().await?.into_iter();
        let products = products.map(|product| format!("/api/v1/products/{}", product.id)).collect();
        Ok(Self { shop, products })
    }

    pub fn client(&self, number: u32) -> Client {
        self.shop.client(number)
    }

    /// Requests the n-th page.
    pub async fn read(&self, client: &mut Client, n: u64) -> Page {
        let (page, path) =
            if n % 10 == 9 { (Page::Listing, "/api/v1/products?limit=20") } else { (Page::Product, self.product(n)) };
        match client.get(path).await {
            Ok(answer) if answer.status.is_success() => page,
            Ok(answer) if answer.status == 503 && answer.retry_after.is_some() => Page::Rejected,
            Ok(answer) => Page::Failed(rejection(&answer)),
            Err(failure) => Page::Failed(failure.0),
        }
    }

    /// Picks products in scattered order: taken in turn, a shop of ten products would never show the tenth, whose turn
    /// is always that of the listing.
    fn product(&self, n: u64) -> &str {
        let scattered = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        &self.products[scattered as usize % self.products.len()]
    }
}

struct Browse {
    pages: Pages,
}

impl Script for Browse {
    type Hand = Client;
    const SERIES: &'static [&'static str] = &["product", "listing", "page"];

    async fn hand(&self, client: u32) -> anyhow::Result<Client> {
        Ok(self.pages.client(client))
    }

    async fn step(&self, client: &mut Client, n: u64) -> load::Outcome {
        match self.pages.read(client, n).await {
            Page::Product => load::Outcome::one(PRODUCT),
            Page::Listing => load::Outcome::one(LISTING),
            Page::Rejected => load::Outcome::error("503 with Retry-After"),
            Page::Failed(kind) => load::Outcome::error(kind),
        }
    }
}
