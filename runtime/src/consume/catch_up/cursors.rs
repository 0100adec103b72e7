//! The cursors, at or below which every event of a type was handled, and the newest epoch that was seen.

use std::collections::HashMap;

use contract::Position;
use sqlx::{PgConnection, Row};

use super::CatchUp;
use crate::{columns, database::position, error::InternalError};

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
