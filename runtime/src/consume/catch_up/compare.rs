//! Compares the owner's log with the inbox.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::atomic::Ordering,
};

use contract::{EventHead, Position};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::CatchUp;
use crate::{
    database::position,
    error::InternalError,
    log::event_log::{Digest, LogPage, LogRow},
};

impl CatchUp {
    /// Positions where digests differ, before the transaction that decides: their events are fetched from the owner.
    pub(super) async fn suspects(
        &self,
        page: &LogPage,
        cursors: &HashMap<String, Position>,
    ) -> Result<Vec<Position>, InternalError> {
        let inbox = self.inbox_digests(&mut *self.db.lanes.acquire().await?, &page.rows).await?;
        Ok(page
            .rows
            .iter()
            .filter(|row| differing(row, cursors, &inbox).next().is_some())
            .map(|row| row.position)
            .collect())
    }

    /// R7: count and xor per commit and type.
    async fn inbox_digests(
        &self,
        connection: &mut PgConnection,
        rows: &[LogRow],
    ) -> Result<HashMap<(Position, String), Digest>, InternalError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(HashMap::new()) };
        let sql = "select epoch, xid, name, count(*) as count, bit_xor(id_hash) as xor from inbox
             where source = $1 and (epoch, xid) >= ($2, $3) and (epoch, xid) <= ($4, $5) group by epoch, xid, name";
        let rows = sqlx::query(sql)
            .bind(self.consumer.source)
            .bind(first.position.epoch)
            .bind(first.position.xid)
            .bind(last.position.epoch)
            .bind(last.position.xid)
            .fetch_all(connection)
            .await?;
        rows.iter()
            .map(|row| {
                let position = position(row)?;
                let digest = Digest { count: row.try_get("count")?, xor: row.try_get("xor")? };
                Ok(((position, row.try_get("name")?), digest))
            })
            .collect()
    }

    /// R2: compares and moves in one transaction, which reads the cursors again, gives up if one has fallen below
    /// `lower` (a restore in between), and only ever moves cursors up. Returns the missing events, or `None` if it gave
    /// up.
    pub(super) async fn compare_and_move(
        &self,
        page: &LogPage,
        types: &HashMap<String, Position>,
        (lower, after): (Position, Position),
        found: &BTreeMap<Position, Vec<(EventHead, bytes::Bytes)>>,
        gaps: &mut HashSet<String>,
    ) -> Result<Option<Vec<(EventHead, bytes::Bytes)>>, InternalError> {
        if page.rows.is_empty() && self.seen_epoch.load(Ordering::Relaxed) >= page.epoch {
            return Ok(Some(Vec::new()));
        }
        let mut transaction = self.db.lanes.begin().await?;
        let mut cursors = self.cursors(&mut transaction).await?;
        cursors.retain(|name, _| types.contains_key(name));
        if cursors.values().any(|cursor| *cursor < lower) {
            return Ok(None);
        }
        let inbox = self.inbox_digests(&mut transaction, &page.rows).await?;
        let handled = self.handled(&mut transaction, found).await?;
        let mut targets: HashMap<String, Position> = HashMap::new();
        let mut missing = Vec::new();
        for (name, cursor) in cursors.iter().filter(|_| !page.rows.is_empty()) {
            // A gap on an earlier page holds the cursor back; events missing on this page are still handed over.
            if gaps.contains(name) || *cursor < after {
                gaps.insert(name.clone());
            } else {
                targets.insert(name.clone(), page.horizon);
            }
        }
        for row in &page.rows {
            for name in differing(row, &cursors, &inbox) {
                let of_type = || found.get(&row.position).into_iter().flatten().filter(|(head, _)| head.name == *name);
                let open: Vec<_> = of_type().filter(|(head, _)| !handled.contains(&head.id)).cloned().collect();
                // The fetched events are complete only if they match the log's digest: an event missing from an answer
                // proves nothing.
                let is_whole = row.digest.get(name) == Some(&Digest::of(of_type().map(|(head, _)| head.id)));
                if is_whole && open.is_empty() {
                    continue;
                }
                // R9: just below the first commit with a missing event of its type.
                if let Some(target) = targets.get_mut(name) {
                    *target = (*target).min(row.position.just_below());
                    gaps.insert(name.clone());
                }
                missing.extend(open);
            }
        }
        self.move_up(&mut transaction, page.epoch, &cursors, targets).await?;
        crate::fail_point("catch_up.before_move");
        transaction.commit().await?;
        crate::fail_point("catch_up.after_move");
        Ok(Some(missing))
    }

    async fn handled(
        &self,
        connection: &mut PgConnection,
        found: &BTreeMap<Position, Vec<(EventHead, bytes::Bytes)>>,
    ) -> Result<HashSet<Uuid>, InternalError> {
        let ids: Vec<Uuid> = found.values().flatten().map(|(head, _)| head.id).collect();
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let rows: Vec<Uuid> = sqlx::query_scalar("select event_id from inbox where source = $1 and event_id = any($2)")
            .bind(self.consumer.source)
            .bind(ids)
            .fetch_all(connection)
            .await?;
        Ok(rows.into_iter().collect())
    }
}

/// The types of a commit, above their cursors, whose digests differ from those of the inbox.
fn differing<'a>(
    row: &'a LogRow,
    cursors: &'a HashMap<String, Position>,
    inbox: &'a HashMap<(Position, String), Digest>,
) -> impl Iterator<Item = &'a String> {
    row.digest.iter().filter_map(move |(name, digest)| {
        let cursor = cursors.get(name)?;
        let have = inbox.get(&(row.position, name.clone()));
        (row.position > *cursor && have != Some(digest)).then_some(name)
    })
}
