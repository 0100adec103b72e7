//! The command log: the answers stored under command ids, with which a repeated command is answered.

use contract::{ErrorKind, Format, ServiceError};
use sqlx::{FromRow, PgExecutor, Row};
use uuid::Uuid;

use crate::{columns, error::InternalError, lane::LaneReply};

/// What identifies a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CommandKey<'a> {
    pub caller: &'a str,
    pub operation: &'static str,
    pub id: Uuid,
}

impl CommandKey<'_> {
    /// The number of the advisory lock that a run of the command holds.
    pub(crate) fn lock_number(&self) -> i64 {
        let name = format!("{}/{}", self.caller, self.operation);
        crate::log::event_log::id_hash(Uuid::new_v5(&self.id, name.as_bytes()))
    }
}

/// A stored reply.
#[derive(sqlx::FromRow)]
pub(crate) struct StoredReply {
    fingerprint: Vec<u8>,
    status: i16,
    /// `None` if the operation stores no replies.
    reply: Option<Vec<u8>>,
}

impl StoredReply {
    /// The reply to a repeat of the command with this fingerprint; `None` if the operation stores no replies, so that
    /// the command runs again.
    pub(crate) fn reply(self, fingerprint: &[u8], domain: &str) -> Result<Option<LaneReply>, InternalError> {
        if is_reused(&self.fingerprint, fingerprint) {
            let text = "The command id was already used with another body.";
            let error = ServiceError::new(ErrorKind::Invalid, "command_id_reused", text).of(domain);
            return Ok(Some(LaneReply::ServiceError(error)));
        }
        let Some(reply) = self.reply else { return Ok(None) };
        if self.status == 0 {
            return Ok(Some(LaneReply::Reply { body: reply, replayed: true }));
        }
        let body = Box::new(Format::MessagePack.decode(&reply).map_err(InternalError::other)?);
        Ok(Some(LaneReply::Rejected { body, replayed: true }))
    }
}

/// Whether a command id was used before with another body. Always false if no fingerprint was stored.
pub(crate) fn is_reused(stored: &[u8], given: &[u8]) -> bool {
    !stored.is_empty() && stored != given
}

/// Reads the replies of these commands, with the index of each.
pub(crate) async fn look_up(
    db: impl PgExecutor<'_>,
    keys: &[CommandKey<'_>],
) -> Result<Vec<(usize, StoredReply)>, InternalError> {
    let sql = "select place - 1 as index, fingerprint, status, reply
         from unnest($1::text[], $2::text[], $3::uuid[]) with ordinality as t(caller, operation, id, place)
         join command_log using (caller, operation, id)";
    let rows = columns!(sqlx::query(sql), keys, key; key.caller, key.operation, key.id).fetch_all(db).await?;
    rows.into_iter()
        .map(|row| {
            let index = usize::try_from(row.try_get::<i64, _>("index")?).map_err(InternalError::other)?;
            Ok((index, StoredReply::from_row(&row)?))
        })
        .collect()
}

/// Stores a reply, in MessagePack. Returns false if the command has a reply already.
pub(crate) async fn store(
    db: impl PgExecutor<'_>,
    key: CommandKey<'_>,
    fingerprint: &[u8],
    reply: &[u8],
) -> Result<bool, InternalError> {
    let sql = "insert into command_log (caller, operation, id, fingerprint, status, reply)
         values ($1, $2, $3, $4, 0, $5) on conflict do nothing";
    let stored = sqlx::query(sql)
        .bind(key.caller)
        .bind(key.operation)
        .bind(key.id)
        .bind(fingerprint)
        .bind(reply)
        .execute(db)
        .await?;
    Ok(stored.rows_affected() == 1)
}
