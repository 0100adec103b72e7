//! Prerequisites of buying: a logged-in customer, and enough stock that no order is rejected for lack of it.

use std::sync::Arc;

use anyhow::Context;

use super::ledger::{Books, Check, Ledger};
use super::order::{Buying, body_of};
use crate::arguments::Arguments;
use crate::shop::{ADMIN, CUSTOMER, Session, Shop, Stock, Variant};

const MOST_VARIANTS: usize = 40;

/// More than any measured rate of orders, so that even a single variant does not sell out.
const UNITS_A_SECOND: i64 = 10_000;

/// The most units that a variant may have.
const MOST_UNITS: i64 = 1_000_000_000;

pub struct Prepared {
    shop: Shop,
    admin: Session,
    customer: Arc<Session>,
    pub variants: Vec<Variant>,
    before: Vec<Stock>,
    ledger: Arc<Ledger>,
}

/// Prepares for so many phases.
pub async fn prepare(arguments: &Arguments, phases: usize) -> anyhow::Result<Prepared> {
    let shop = Shop::open(arguments).await?;
    let variants: Vec<Variant> =
        shop.products().await?.into_iter().flat_map(|product| product.variants).take(MOST_VARIANTS).collect();
    anyhow::ensure!(!variants.is_empty(), "the shop's products have no variants");
    let seconds = i64::try_from((arguments.seconds + arguments.warmup) * phases as u64).context("the length")?;
    let on_hand = (seconds * UNITS_A_SECOND).clamp(1_000_000, MOST_UNITS);

    eprintln!("raising the stock of {} variants to {on_hand} units each", variants.len());
    let admin = shop.login(ADMIN).await?;
    let mut before = Vec::new();
    for variant in &variants {
        before.push(shop.set_stock(&admin, variant, on_hand).await?);
    }
    let customer = Arc::new(shop.login(CUSTOMER).await?);
    Ok(Prepared { shop, admin, customer, variants, before, ledger: Arc::default() })
}

impl Prepared {
    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// Clients that buy the first `variants` variants, in turn.
    pub fn buying(&self, variants: usize) -> Arc<Buying> {
        Arc::new(Buying {
            shop: self.shop.clone(),
            customer: Arc::clone(&self.customer),
            bodies: self.variants.iter().take(variants).map(body_of).collect(),
            ledger: Arc::clone(&self.ledger),
        })
    }

    /// Checks that the units sold match the stock.
    pub async fn settle(&self) -> anyhow::Result<Check> {
        let buying = self.buying(self.variants.len());
        let Self { shop, admin, variants, before, .. } = self;
        Books { shop, admin, variants, before }.settle(&buying).await
    }
}
