//! Deduplicates redrives: a redrive that is requested again with the same command id runs once, and the repeat gets the
//! stored answer.

use contract::{ErrorKind, Fault, Format};
use sha2::{Digest, Sha256};
use sqlx::{PgExecutor, PgPool, Row};
use uuid::Uuid;

use super::DeadLetter;
use crate::failure::Breakage;

/// Identifies a redrive, to detect a repeat.
pub(crate) struct Repeat<'a> {
    pub caller: &'a str,
    pub operation: &'static str,
    /// The command's id.
    pub id: Uuid,
    /// The event or effect that is redriven.
    pub letter: Uuid,
}

impl Repeat<'_> {
    fn fingerprint(&self) -> Vec<u8> {
        Sha256::digest(self.letter.as_bytes()).to_vec()
    }

    /// The stored answer to an earlier redrive with this id, or a service error if that was for another dead letter.
    pub(crate) async fn earlier_answer(&self, pool: &PgPool) -> Result<Option<Result<DeadLetter, Fault>>, Breakage> {
        let row =
            sqlx::query("select fingerprint, answer from command_log where caller = $1 and operation = $2 and id = $3")
                .bind(self.caller)
                .bind(self.operation)
                .bind(self.id)
                .fetch_optional(pool)
                .await?;
        let Some(row) = row else { return Ok(None) };
        if row.try_get::<Vec<u8>, _>("fingerprint")? != self.fingerprint() {
            let text = "This command id was used with another body.";
            return Ok(Some(Err(Fault::new(ErrorKind::Invalid, "command_id_reused", text))));
        }
        let answer: Vec<u8> = row.try_get("answer")?;
        Ok(Some(Ok(Format::MessagePack.decode(&answer).map_err(Breakage::other)?)))
    }

    /// Stores the answer. Returns false if another request has stored one in the meantime.
    pub(crate) async fn remember(&self, database: impl PgExecutor<'_>, answer: &DeadLetter) -> Result<bool, Breakage> {
        let answer = Format::MessagePack.encode(answer).map_err(Breakage::other)?;
        let kept = sqlx::query(
            "insert into command_log (caller, operation, id, fingerprint, status, answer)
             values ($1, $2, $3, $4, 0, $5) on conflict do nothing",
        )
        .bind(self.caller)
        .bind(self.operation)
        .bind(self.id)
        .bind(self.fingerprint())
        .bind(answer)
        .execute(database)
        .await?;
        Ok(kept.rows_affected() == 1)
    }
}
