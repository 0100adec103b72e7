//! What catalog shows of the stock, against inventory's own rows.

use anyhow::Result;
use sqlx::FromRow;

use super::MOST;
use crate::{
    Sources, Suspect,
    join::{join, side},
};

const TOLD: &str =
    "select variant_id, version, on_hand - reserved as available from stock where version > 0 order by 1";
const SHOWN: &str = "select variant_id, version, available from variant_stock where version > 0 order by 1";

#[derive(PartialEq, FromRow)]
struct Stock {
    version: i64,
    available: i64,
}

pub(super) async fn look(sources: &Sources) -> Result<Vec<Suspect>> {
    let shown = side::<Stock>(sources.database(subjects::catalog::DOMAIN)?, SHOWN);
    let told = side::<Stock>(sources.database(subjects::inventory::DOMAIN)?, TOLD);
    let mut suspects = Vec::new();
    join(told, shown, |id, told, shown| {
        if told != shown && suspects.len() < MOST {
            let text = |stock: Option<Stock>| {
                stock.map_or_else(|| "nothing".to_owned(), |s| format!("{} at version {}", s.available, s.version))
            };
            let text = format!("inventory has {} available, catalog shows {}", text(told), text(shown));
            suspects.push(Suspect::new(format!("variant {id}"), text));
        }
    })
    .await?;
    Ok(suspects)
}
