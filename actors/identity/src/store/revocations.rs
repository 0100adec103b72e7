//! Revoked access tokens.

use chrono::{DateTime, Utc};
use contract::{Revocation, RevocationCursor, Revoked, TokenOwner};
use runtime::{InternalError, Reads, Writes};
use sqlx::Row;
use uuid::Uuid;

/// Inserts a revocation. The head row stays locked until the transaction ends, so positions become visible in order.
pub(crate) async fn insert_revocation(
    db: Writes<'_>,
    revoked: Revoked,
    expires_at: DateTime<Utc>,
) -> Result<(), InternalError> {
    let (user, least_version, session) = match revoked {
        Revoked::Account { id, least_version } => (Some(id), Some(least_version), None),
        Revoked::Session { id } => (None, None, Some(id)),
    };
    let sql = "with head as (update revocation_head set position = position + 1 returning position)
        insert into revocations (position, user_id, least_version, session_id, expires_at)
        select position, $1, $2, $3, $4 from head";
    sqlx::query(sql).bind(user).bind(least_version).bind(session).bind(expires_at).execute(db).await?;
    Ok(())
}

/// The unexpired revocations after a cursor, by position. An unknown cursor, whose row has expired or was lost with a
/// restore, yields them from the start.
pub(crate) async fn revocations_after(
    db: Reads<'_>,
    cursor: Option<RevocationCursor>,
    limit: i64,
) -> Result<Vec<Revocation>, InternalError> {
    let cursor = cursor.unwrap_or(RevocationCursor { position: 0, id: Uuid::nil() });
    let sql =
        "select position, id, user_id, least_version, session_id, extract(epoch from expires_at)::bigint as expires_at
        from revocations
        where position > coalesce((select position from revocations where position = $1 and id = $2), 0)
            and expires_at > now()
        order by position limit $3";
    let rows = sqlx::query(sql).bind(cursor.position).bind(cursor.id).bind(limit).fetch_all(db).await?;
    rows.iter()
        .map(|row| {
            let user = row.try_get::<Option<Uuid>, _>("user_id")?;
            let revoked = match (user, row.try_get("least_version")?, row.try_get("session_id")?) {
                (Some(id), Some(least_version), None) => Revoked::Account { id, least_version },
                (None, None, Some(id)) => Revoked::Session { id },
                _ => return Err(InternalError::other("a revocation of both an account and a session, or of neither")),
            };
            let cursor = RevocationCursor { position: row.try_get("position")?, id: row.try_get("id")? };
            Ok(Revocation { cursor, revoked, expires_at: row.try_get("expires_at")? })
        })
        .collect()
}

/// Whether a token is revoked.
pub(crate) async fn is_revoked(db: Reads<'_>, token: &TokenOwner) -> Result<bool, InternalError> {
    let sql = "select exists (select from revocations where user_id = $1 and least_version > $2)
            or exists (select from revocations where session_id = $3)";
    Ok(sqlx::query_scalar(sql).bind(token.account).bind(token.version).bind(token.session).fetch_one(db).await?)
}

/// Whether a session was ended. The row of a session may already be deleted; then its revocation shows it.
pub(crate) async fn has_session_ended(db: Reads<'_>, id: Uuid) -> Result<bool, InternalError> {
    let sql = "select exists (select from sessions where id = $1 and revoked_at is not null)
            or exists (select from revocations where session_id = $1)";
    Ok(sqlx::query_scalar(sql).bind(id).fetch_one(db).await?)
}

/// Deletes up to `limit` expired revocations and returns how many were deleted.
pub(crate) async fn delete_expired_revocations(db: Writes<'_>, limit: u64) -> Result<u64, InternalError> {
    let limit = i64::try_from(limit).map_err(InternalError::other)?;
    let sql = "delete from revocations where position = any(array(
            select position from revocations where expires_at <= now() order by expires_at limit $1
        ))";
    Ok(sqlx::query(sql).bind(limit).execute(db).await?.rows_affected())
}
