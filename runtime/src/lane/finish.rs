//! Effect results: claimed by deleting the effect's row in the transaction that writes them.

use std::{any::Any, time::Instant};

use sqlx::{Connection, PgConnection, Row};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{
    LaneContext, Lanes, Next, announce,
    commit::{AnswerRows, Committed, write},
    measure, next_after,
};
use crate::{
    failure::Breakage,
    guard::guarded,
    operation::{EffectRoute, Erased},
    tx::Tx,
};

/// The result of an effect, in the lane of its entity.
pub(crate) struct EffectItem {
    pub route: EffectRoute,
    pub id: Uuid,
    pub attempts: i32,
    pub performed: Erased,
    /// RAII guard: dropping it releases the permit.
    pub _permit: OwnedSemaphorePermit,
}

pub(super) async fn run(lanes: &Lanes, items: Vec<EffectItem>) {
    let mut work = vec![items];
    while let Some(mut batch) = work.pop() {
        if batch.is_empty() {
            continue;
        }
        let context = &lanes.context;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let began = Instant::now();
            let confirmed = context.publisher.take_confirmed();
            match guarded(transact(context, &batch, &confirmed)).await {
                Ok((committed, has_waiting)) => {
                    measure(context, "effect", batch.len(), began);
                    announce(context, committed);
                    if has_waiting {
                        // The next effect of one of these entities may start now.
                        context.effects.look();
                    }
                    // Drops the items, which releases their permits.
                    batch.clear();
                    context.effects.has_room();
                    break;
                }
                Err(breakage) => {
                    context.publisher.put_back(confirmed);
                    match next_after(context, &breakage, batch.len(), attempt).await {
                        Next::Again => continue,
                        Next::Halve => {
                            let second = batch.split_off(batch.len() / 2);
                            work.push(second);
                            work.push(batch);
                        }
                        // The rows remain: the effects are performed again with the same idempotency keys, and then
                        // finished.
                        Next::GiveUp => {
                            for item in &batch {
                                context.effects.failed(item.id, item.attempts, &breakage).await;
                            }
                        }
                    }
                    break;
                }
            }
        }
    }
}

async fn transact(
    context: &LaneContext,
    batch: &[EffectItem],
    confirmed: &[contract::Position],
) -> Result<(Committed, bool), Breakage> {
    let mut connection = context.db.lane().await?;
    let mut transaction = connection.begin().await?;
    let Claimed { ids: claimed, now, has_waiting } = claim(&mut transaction, batch).await?;
    let mut tx = Tx::new(&mut transaction, now, context.effects.names());
    let mut groups: Vec<(&EffectRoute, Vec<&(dyn Any + Send + Sync)>)> = Vec::new();
    for item in batch.iter().filter(|item| claimed.contains(&item.id)) {
        match groups.iter_mut().find(|(route, _)| route.name == item.route.name) {
            Some((_, members)) => members.push(&*item.performed),
            None => groups.push((&item.route, vec![&*item.performed])),
        }
    }
    for (route, performed) in groups {
        route.handler.finish(&mut tx, &performed).await?;
    }
    let (events, effects) = (std::mem::take(&mut tx.events), std::mem::take(&mut tx.effects));
    let committed = write(&mut transaction, AnswerRows::default(), &events, effects, confirmed).await?;
    crate::fail_point("lane.before_effect_commit");
    transaction.commit().await?;
    context.db.hold(connection);
    crate::fail_point("lane.after_effect_commit");
    Ok((committed, has_waiting))
}

/// The effect results that this transaction may write.
struct Claimed {
    ids: Vec<Uuid>,
    now: chrono::DateTime<chrono::Utc>,
    /// Whether other effects of these entities wait for their turn.
    has_waiting: bool,
}

/// Claims results by deleting their rows. A result whose row is gone was written by another transaction.
async fn claim(connection: &mut PgConnection, batch: &[EffectItem]) -> Result<Claimed, Breakage> {
    let mut ids: Vec<Uuid> = batch.iter().map(|item| item.id).collect();
    ids.sort_unstable();
    let row = sqlx::query(
        "with held as (select id, entity from effect where id = any($1) order by id for update),
              gone as (delete from effect using held where effect.id = held.id returning effect.id)
         select now() as now, array(select id from gone) as ids,
                exists (select 1 from effect o join held on o.entity = held.entity where o.id <> all($1)) as has_waiting",
    )
    .bind(ids)
    .fetch_one(connection)
    .await?;
    Ok(Claimed { ids: row.try_get("ids")?, now: row.try_get("now")?, has_waiting: row.try_get("has_waiting")? })
}
