//! Effect results: claimed by deleting the effect's row in the transaction that writes them.

use std::{any::Any, collections::HashSet};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{
    LaneContext, Lanes,
    batch::{Kind, run_batch},
    commit::AnswerRow,
    publish,
};
use crate::{
    api::{
        routes::{EffectRoute, EffectRow, Erased},
        tx::Tx,
    },
    error::InternalError,
};

/// The result of an effect, in the lane of its entity.
pub(crate) struct EffectItem {
    pub route: EffectRoute,
    pub row: EffectRow,
    pub effect_result: Erased,
    /// RAII guard: dropping it releases the permit.
    pub _permit: OwnedSemaphorePermit,
}

pub(super) async fn run(lanes: &Lanes, items: Vec<EffectItem>) {
    let mut work = vec![items];
    while let Some(batch) = work.pop() {
        run_batch::<EffectResults>(lanes, batch, &mut work, |committed| publish(lanes, committed)).await;
    }
}

/// Batches of effect results.
enum EffectResults {}

impl Kind for EffectResults {
    type Item = EffectItem;
    type Claimed = Claimed;
    /// Whether other effects of these entities wait for their turn.
    type Outcome = bool;

    const NAME: &'static str = "effect";
    const CRASH_POINTS: [fn(); 2] =
        [|| crate::fail_point("lane.before_effect_commit"), || crate::fail_point("lane.after_effect_commit")];

    /// Deletes the rows of the effects. A result whose row is gone was written by another transaction.
    async fn claim(
        connection: &mut PgConnection,
        _context: &LaneContext,
        items: &[EffectItem],
    ) -> Result<(Claimed, DateTime<Utc>), InternalError> {
        let mut ids: Vec<Uuid> = items.iter().map(|item| item.row.id).collect();
        ids.sort_unstable();
        let sql = "with held as (select id, entity from effect where id = any($1) order by id for update),
                  gone as (delete from effect using held where effect.id = held.id returning effect.id)
             select now() as now, array(select id from gone) as ids,
                    exists (select 1 from effect o join held on o.entity = held.entity
                         where o.id <> all($1)) as has_waiting";
        let row = sqlx::query(sql).bind(ids).fetch_one(connection).await?;
        let ids = row.try_get::<Vec<Uuid>, _>("ids")?.into_iter().collect();
        Ok((Claimed { ids, has_waiting: row.try_get("has_waiting")? }, row.try_get("now")?))
    }

    async fn handle(
        tx: &mut Tx<'_>,
        items: &[EffectItem],
        mut claimed: Claimed,
    ) -> Result<(bool, Option<Vec<AnswerRow>>), InternalError> {
        let mut groups: Vec<(&EffectRoute, Vec<&(dyn Any + Send + Sync)>)> = Vec::new();
        // Of two results of one effect, whose lease ended while the first waited here, one is written.
        for item in items.iter().filter(|item| claimed.ids.remove(&item.row.id)) {
            match groups.iter_mut().find(|(route, _)| route.name == item.route.name) {
                Some((_, members)) => members.push(&*item.effect_result),
                None => groups.push((&item.route, vec![&*item.effect_result])),
            }
        }
        for (route, effect_result) in groups {
            tx.flush().await?;
            (route.finish)(tx, &effect_result).await?;
        }
        Ok((claimed.has_waiting, Some(Vec::new())))
    }

    async fn settle(lanes: &Lanes, items: Vec<EffectItem>, has_waiting: bool) {
        let effects = &lanes.context.effects;
        if has_waiting {
            // The next effect of one of these entities may start now.
            effects.wake_up();
        }
        // Releases their permits.
        drop(items);
        effects.has_room();
    }

    /// The rows remain: the effects are performed again with the same idempotency keys, and then finished.
    async fn give_up(lanes: &Lanes, items: Vec<EffectItem>, error: &InternalError) {
        for item in &items {
            lanes.context.effects.failed(&item.row, error).await;
        }
    }
}

/// The effect results that this transaction may write.
struct Claimed {
    ids: HashSet<Uuid>,
    /// Whether other effects of these entities wait for their turn.
    has_waiting: bool,
}
