//! Catalog's projections of stock and sellers, against the rows of inventory and identity.

use anyhow::Result;
use sqlx::FromRow;
use subjects::{catalog, identity, inventory};

use super::MOST;
use crate::{
    Sources, Suspect,
    join::{join, side},
};

const OWNED: &str =
    "select variant_id, version, on_hand - reserved as available from stock where version > 0 order by 1";
const SHOWN: &str = "select variant_id, version, available from variant_stock where version > 0 order by 1";

const ACCOUNTS: &str = "select id, is_active and role in ('seller', 'admin') as may_sell from users order by 1";
const SELLERS: &str = "select id, may_sell from sellers where version > 0 order by 1";

#[derive(PartialEq, FromRow)]
struct Stock {
    version: i64,
    available: i64,
}

#[derive(PartialEq, FromRow)]
struct Seller {
    may_sell: bool,
}

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let mut suspects = stock(sources).await?;
    suspects.extend(sellers(sources).await?);
    Ok(suspects)
}

async fn stock(sources: &Sources) -> Result<Vec<Suspect>> {
    let shown = side::<Stock>(sources.database(catalog::DOMAIN)?, SHOWN);
    let owned = side::<Stock>(sources.database(inventory::DOMAIN)?, OWNED);
    let mut suspects = Vec::new();
    join(owned, shown, |id, owned, shown| {
        if owned != shown && suspects.len() < MOST {
            let text = |stock: Option<Stock>| {
                stock.map_or_else(|| "nothing".to_owned(), |s| format!("{} at version {}", s.available, s.version))
            };
            let text = format!("inventory has {} available, catalog shows {}", text(owned), text(shown));
            suspects.push(Suspect::new(format!("variant {id}"), text));
        }
    })
    .await?;
    Ok(suspects)
}

/// Catalog has no row for an account that never changed.
async fn sellers(sources: &Sources) -> Result<Vec<Suspect>> {
    let shown = side::<Seller>(sources.database(catalog::DOMAIN)?, SELLERS);
    let owned = side::<Seller>(sources.database(identity::DOMAIN)?, ACCOUNTS);
    let mut suspects = Vec::new();
    join(owned, shown, |id, owned, shown| {
        if shown.is_some() && owned != shown && suspects.len() < MOST {
            let text = |seller: Option<Seller>| match seller {
                Some(Seller { may_sell: true }) => "may sell",
                Some(Seller { may_sell: false }) => "may not sell",
                None => "does not exist",
            };
            let text = format!("the account {}, catalog shows that it {}", text(owned), text(shown));
            suspects.push(Suspect::new(format!("account {id}"), text));
        }
    })
    .await?;
    Ok(suspects)
}
