//! What catalog shows of the stock, against inventory's own rows.

use anyhow::Result;
use futures::TryStreamExt;
use sqlx::Row;
use uuid::Uuid;

use super::MOST;
use crate::{Sources, Suspect, join::join};

const TOLD: &str =
    "select variant_id, version, on_hand - reserved as available from stock where version > 0 order by 1";
const SHOWN: &str = "select variant_id, version, available from variant_stock where version > 0 order by 1";

pub(super) async fn look(sources: &Sources) -> Result<Vec<Suspect>> {
    let read = |row: sqlx::postgres::PgRow| async move {
        let stock: (i64, i64) = (row.try_get("version")?, row.try_get("available")?);
        Ok((row.try_get::<Uuid, _>("variant_id")?, stock))
    };
    let shown = sqlx::query(SHOWN).fetch(sources.database(subjects::catalog::DOMAIN)?).and_then(read);
    let told = sqlx::query(TOLD).fetch(sources.database(subjects::inventory::DOMAIN)?).and_then(read);
    let mut suspects = Vec::new();
    join(Box::pin(told), Box::pin(shown), |id, told, shown| {
        if told != shown && suspects.len() < MOST {
            let text = |stock: Option<(i64, i64)>| {
                stock.map_or_else(|| "nothing".to_owned(), |(version, units)| format!("{units} at version {version}"))
            };
            let text = format!("inventory has {} available, catalog shows {}", text(told), text(shown));
            suspects.push(Suspect::new(format!("variant {id}"), text));
        }
    })
    .await?;
    Ok(suspects)
}
