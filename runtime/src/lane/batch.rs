//! Runs a batch of any kind: one transaction that claims the items, handles and writes them. A batch that fails is
//! retried, halved or given up.

use std::time::Instant;

use chrono::{DateTime, Utc};
use contract::Position;
use sqlx::{Connection, PgConnection};
use tracing::Instrument;

use super::{
    LaneContext, Lanes, Next,
    commit::{AnswerRow, Committed, write},
    measure, next_after,
};
use crate::{api::tx::Tx, error::InternalError, guard::guarded};

/// A kind of work for a lane.
pub(super) trait Kind {
    type Item: Send + Sync;
    /// What the transaction may handle.
    type Claimed: Send;
    /// What became of the items.
    type Outcome: Send;

    /// The kind in metrics.
    const NAME: &'static str;
    /// The crash points before and after the commit.
    const CRASH_POINTS: [fn(); 2];

    /// Removes items that nothing waits for any longer. Called before each attempt.
    fn drop_late(_context: &LaneContext, _items: &mut Vec<Self::Item>) {}

    /// Claims the items, and returns the database's time.
    fn claim(
        connection: &mut PgConnection,
        context: &LaneContext,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<(Self::Claimed, DateTime<Utc>), InternalError>> + Send;

    /// Runs the handlers, and returns the answers to store. Without them the transaction is rolled back.
    fn handle(
        tx: &mut Tx<'_>,
        items: &[Self::Item],
        claimed: Self::Claimed,
    ) -> impl Future<Output = Result<(Self::Outcome, Option<Vec<AnswerRow>>), InternalError>> + Send;

    /// Releases the items after the commit.
    fn settle(lanes: &Lanes, items: Vec<Self::Item>, outcome: Self::Outcome) -> impl Future<Output = ()> + Send;

    /// Prepares the next attempt after a rollback that `handle` asked for. Items may be moved to `work`.
    fn rolled_back(_items: &mut Vec<Self::Item>, _outcome: Self::Outcome, _work: &mut Vec<Vec<Self::Item>>) {}

    /// Releases the items after the last failure.
    fn give_up(lanes: &Lanes, items: Vec<Self::Item>, error: &InternalError) -> impl Future<Output = ()> + Send;
}

/// Runs a batch until it is committed, split or given up. What was committed is passed to `publish` before the items
/// are released, because its leases run. Parts that are split off are pushed onto `work`. Returns whether it was
/// committed.
pub(super) async fn run_batch<K: Kind>(
    lanes: &Lanes,
    mut items: Vec<K::Item>,
    work: &mut Vec<Vec<K::Item>>,
    publish: impl FnOnce(Committed) + Send,
) -> bool {
    let context = &lanes.context;
    let mut attempt = 0;
    loop {
        K::drop_late(context, &mut items);
        if items.is_empty() {
            return false;
        }
        attempt += 1;
        let began = Instant::now();
        let confirmed = context.publisher.take_confirmed();
        // Without a request id: the items belong to many requests. Lines about one of them name its request.
        let size = items.len();
        let span = tracing::info_span!(target: "span", "batch", domain = context.domain, kind = K::NAME, size);
        let error = match guarded(transact::<K>(context, &items, &confirmed)).instrument(span).await {
            Ok((outcome, Some(committed))) => {
                measure(context, K::NAME, items.len(), began);
                publish(committed);
                K::settle(lanes, items, outcome).await;
                return true;
            }
            Ok((outcome, None)) => {
                context.publisher.put_back(confirmed);
                K::rolled_back(&mut items, outcome, work);
                continue;
            }
            Err(error) => error,
        };
        context.publisher.put_back(confirmed);
        match next_after(context, &error, items.len(), attempt).await {
            Next::Again => {}
            Next::Halve => {
                let second = items.split_off(items.len() / 2);
                work.extend([second, items]);
                return false;
            }
            Next::GiveUp => {
                K::give_up(lanes, items, &error).await;
                return false;
            }
        }
    }
}

async fn transact<K: Kind>(
    context: &LaneContext,
    items: &[K::Item],
    confirmed: &[Position],
) -> Result<(K::Outcome, Option<Committed>), InternalError> {
    let mut connection = context.db.lane().await?;
    let mut transaction = connection.begin().await?;
    let (claimed, now) = K::claim(&mut transaction, context, items).await?;
    let mut tx = Tx::new(&mut transaction, now, context.effects.names());
    let (outcome, answers) = K::handle(&mut tx, items, claimed).await?;
    tx.check_order()?;
    let last_writes = std::mem::take(&mut tx.last_writes);
    let (events, effects) = (std::mem::take(&mut tx.events), std::mem::take(&mut tx.effects));
    if !(context.emits || events.is_empty()) {
        return Err(InternalError::other("a projection domain emitted an event"));
    }
    let Some(answers) = answers else {
        transaction.rollback().await?;
        context.db.hold(connection);
        return Ok((outcome, None));
    };
    let committed = write(&mut transaction, last_writes, &answers, events, effects, confirmed).await?;
    K::CRASH_POINTS[0]();
    transaction.commit().await?;
    context.db.hold(connection);
    K::CRASH_POINTS[1]();
    Ok((outcome, Some(committed)))
}
