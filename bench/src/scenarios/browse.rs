//! Browsing: nine product pages per listing.

use std::sync::Arc;

use super::{Outcome, phase};
use crate::arguments::Arguments;
use crate::http::Client;
use crate::load::{self, Script};
use crate::shop::{Shop, rejection};

const PRODUCT: &[usize] = &[0, 2];
const LISTING: &[usize] = &[1, 2];

pub async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let shop = Shop::open(arguments).await?;
    let products =
        shop.products().await?.into_iter().map(|product| format!("/api/v1/products/{}", product.id)).collect();
    let phase = phase(arguments, "browse", Arc::new(Browse { shop, products })).await?;
    Ok(Outcome { phases: vec![phase], comparison: None, checks: Vec::new() })
}

struct Browse {
    shop: Shop,
    products: Vec<String>,
}

impl Script for Browse {
    type Hand = Client;
    const SERIES: &'static [&'static str] = &["product", "listing", "both"];

    async fn hand(&self, client: u32) -> anyhow::Result<Client> {
        Ok(self.shop.client(client))
    }

    async fn step(&self, client: &mut Client, n: u64) -> load::Outcome {
        let (series, path) =
            if n % 10 == 9 { (LISTING, "/api/v1/products?limit=20") } else { (PRODUCT, self.product(n)) };
        match client.get(path).await {
            Ok(answer) if answer.status.is_success() => load::Outcome::one(series),
            Ok(answer) => load::Outcome::error(rejection(&answer)),
            Err(failure) => load::Outcome::error(failure.0),
        }
    }
}

impl Browse {
    /// Picks products in scattered order: taken in turn, a shop of ten products would never show the tenth, whose turn
    /// is always that of the listing.
    fn product(&self, n: u64) -> &str {
        let scattered = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        &self.products[scattered as usize % self.products.len()]
    }
}
