//! Sessions and their refresh tokens.

use chrono::{DateTime, Utc};
use runtime::{InternalError, Locks, Reads, Writes};
use sqlx::FromRow;
use uuid::Uuid;

use crate::token::TokenDigest;

/// The most sessions of an account. Ended and expired ones are deleted first, then those refreshed longest ago.
const MAX_SESSIONS: i64 = 50;

/// How many generations of refresh tokens are kept: more than a month of refreshing every 15 minutes.
const KNOWN_GENERATIONS: i64 = 3000;

/// A token to be issued, and when it expires.
#[derive(Debug)]
pub(crate) struct NewToken {
    pub session: Uuid,
    pub digest: TokenDigest,
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Opens a session with its first token, and deletes the account's sessions above [`MAX_SESSIONS`].
pub(crate) async fn open_session(mut db: Writes<'_>, user: Uuid, token: &NewToken) -> Result<(), InternalError> {
    let NewToken { session, digest, now, expires_at } = token;
    let sql = "with opened as (
            insert into sessions (id, user_id, rotated_at, created_at, expires_at) values ($1, $2, $4, $4, $5)
            returning id, generation
        )
        insert into refresh_tokens (digest, session_id, generation, expires_at)
        select $3, id, generation, $5 from opened";
    sqlx::query(sql).bind(session).bind(user).bind(digest).bind(now).bind(expires_at).execute(db.reborrow()).await?;
    let sql = "delete from sessions where id = any(array(
            select id from sessions where user_id = $1
            order by (revoked_at is null and expires_at > $2) desc, rotated_at desc
            offset $3
            for update skip locked
        ))";
    sqlx::query(sql).bind(user).bind(now).bind(MAX_SESSIONS).execute(db).await?;
    Ok(())
}

/// The immutable part of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct Token {
    pub session_id: Uuid,
    pub user_id: Uuid,
    pub generation: i64,
    pub expires_at: DateTime<Utc>,
}

/// Finds a refresh token by its digest.
pub(crate) async fn find_token(db: Reads<'_>, digest: &TokenDigest) -> Result<Option<Token>, InternalError> {
    let sql = "select t.session_id, s.user_id, t.generation, t.expires_at
        from refresh_tokens t join sessions s on s.id = t.session_id
        where t.digest = $1";
    Ok(sqlx::query_as(sql).bind(digest).fetch_optional(db).await?)
}

/// The mutable part of a session.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct SessionState {
    pub generation: i64,
    pub siblings: i32,
    pub rotated_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Locks a session for update.
pub(crate) async fn lock_session(db: Locks<'_>, id: Uuid) -> Result<Option<SessionState>, InternalError> {
    let sql = "select generation, siblings, rotated_at, revoked_at from sessions where id = $1 for no key update";
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// Starts the next generation of a session, and deletes tokens older than [`KNOWN_GENERATIONS`].
pub(crate) async fn rotate(db: Writes<'_>, token: &NewToken) -> Result<(), InternalError> {
    let NewToken { session, digest, now, expires_at } = token;
    let sql = "with session as (
            update sessions set generation = generation + 1, siblings = 1, rotated_at = $3, expires_at = $4
            where id = $1
            returning id, generation
        ), forgotten as (
            delete from refresh_tokens t using session s
            where t.session_id = s.id and t.generation < s.generation - $5
        )
        insert into refresh_tokens (digest, session_id, generation, expires_at)
        select $2, id, generation, $4 from session";
    let query = sqlx::query(sql).bind(session).bind(digest).bind(now).bind(expires_at);
    query.bind(KNOWN_GENERATIONS).execute(db).await?;
    Ok(())
}

/// Adds a token to the current generation of a session.
pub(crate) async fn reissue(db: Writes<'_>, token: &NewToken) -> Result<(), InternalError> {
    let sql = "with session as (
            update sessions set siblings = siblings + 1, expires_at = $3 where id = $1 returning id, generation
        )
        insert into refresh_tokens (digest, session_id, generation, expires_at)
        select $2, id, generation, $3 from session";
    sqlx::query(sql).bind(token.session).bind(token.digest).bind(token.expires_at).execute(db).await?;
    Ok(())
}

/// Ends a session.
pub(crate) async fn revoke_session(
    db: Writes<'_>,
    id: Uuid,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), InternalError> {
    let sql = "update sessions set revoked_at = $3, revoked_by = $2 where id = $1 and revoked_at is null";
    sqlx::query(sql).bind(id).bind(by).bind(now).execute(db).await?;
    Ok(())
}

/// Ends every session of an account.
pub(crate) async fn revoke_sessions(
    db: Writes<'_>,
    user: Uuid,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), InternalError> {
    let sql = "update sessions set revoked_at = $3, revoked_by = $2
        where id in (select id from sessions where user_id = $1 and revoked_at is null order by id for no key update)";
    sqlx::query(sql).bind(user).bind(by).bind(now).execute(db).await?;
    Ok(())
}
