//! The cursors, at or below which every event of a type was handled, and the newest epoch that was seen.

use std::collections::{BTreeSet, HashMap};

use contract::Position;
use sqlx::{PgConnection, PgPool, Row};

use super::{CatchUp, lease_prefix};
use crate::{columns, database::position, error::InternalError};

/// The event types of a source whose cursors the nodes of this domain have used in the last ten minutes, by their
/// leases. A node of another version may handle other types than this one.
pub(crate) async fn recently_used(pool: &PgPool, source: &str) -> Result<BTreeSet<String>, InternalError> {
    let sql = "select name from lease where starts_with(name, $1) and until > now() - interval '10 minutes'";
    let prefix = lease_prefix(source);
    let leases: Vec<String> = sqlx::query_scalar(sql).bind(&prefix).fetch_all(pool).await?;
    let names = leases.iter().filter_map(|lease| lease.strip_prefix(&prefix)).flat_map(|names| names.split(','));
    Ok(names.map(str::to_owned).collect())
}

impl CatchUp {
    /// The cursors of the types that this node handles. A type without a cursor starts at the beginning.
    pub(super) async fn cursors(
        &self,
        connection: &mut PgConnection,
    ) -> Result<HashMap<String, Position>, InternalError> {
        let mut cursors: HashMap<String, Position> =
            self.consumer.routes.iter().map(|route| (route.name.to_owned(), Position::START)).collect();
        let rows = sqlx::query("select name, epoch, xid from cursor where source = $1")
            .bind(self.consumer.source)
            .fetch_all(connection)
            .await?;
        for row in rows {
            // R8: a node moves only the cursors of types that it handles.
            if let Some(cursor) = cursors.get_mut(row.try_get::<&str, _>("name")?) {
                *cursor = position(&row)?;
            }
        }
        Ok(cursors)
    }

    /// The newest recorded epoch of the owner. A restore may have lowered it.
    pub(super) async fn written_epoch(&self) -> Result<i64, InternalError> {
        let epoch = sqlx::query_scalar("select epoch from source_epoch where source = $1")
            .bind(self.consumer.source)
            .fetch_optional(&self.db.lanes)
            .await?;
        Ok(epoch.unwrap_or(0))
    }

    pub(super) async fn move_up(
        &self,
        connection: &mut PgConnection,
        epoch: i64,
        cursors: &HashMap<String, Position>,
        targets: HashMap<String, Position>,
    ) -> Result<(), InternalError> {
        // R14: records the newest epoch that was seen, in the same transaction.
        let sql = "insert into source_epoch (source, epoch) values ($1, $2)
             on conflict (source) do update set epoch = excluded.epoch where source_epoch.epoch < excluded.epoch";
        sqlx::query(sql).bind(self.consumer.source).bind(epoch).execute(&mut *connection).await?;
        let mut moves: Vec<(String, Position)> = targets
            .into_iter()
            .filter(|(name, target)| cursors.get(name).is_some_and(|cursor| target > cursor))
            .collect();
        moves.sort_unstable();
        let sql = "insert into cursor (source, name, epoch, xid)
             select $1, * from unnest($2::text[], $3::bigint[], $4::bigint[])
             on conflict (source, name) do update set epoch = excluded.epoch, xid = excluded.xid
             where (cursor.epoch, cursor.xid) < (excluded.epoch, excluded.xid)";
        let query = sqlx::query(sql).bind(self.consumer.source);
        columns!(query, moves, moved; moved.0.as_str(), moved.1.epoch, moved.1.xid).execute(connection).await?;
        Ok(())
    }
}
