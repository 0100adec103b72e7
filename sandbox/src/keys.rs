//! Idempotency keys: the first reply to a key, including an error, is stored and repeated for as long as the key is
//! kept.

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Postgres, Transaction};

use crate::{
    Sandbox, disputes,
    fail::{AFTER_COMMIT, BEFORE_COMMIT, fail_point},
    intents,
    methods::{Creation, Manner},
    operation::{Answer, Fields, Operation},
    refunds,
};

/// A reply, and whether it is a stored one.
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) is_replayed: bool,
}

impl Outcome {
    fn new(answer: Answer) -> Self {
        Self { answer, is_replayed: false }
    }
}

impl Sandbox {
    /// Carries out a request and commits it, together with the reply under its key, before replying.
    pub(crate) async fn carry_out(
        &self,
        operation: &Operation,
        fields: &Fields,
        key: Option<&str>,
    ) -> Result<Outcome, sqlx::Error> {
        let mut transaction = self.db.begin().await?;
        let Some(key) = key else {
            let answer = run(&mut transaction, operation, fields).await?;
            commit(transaction, operation).await?;
            return Ok(Outcome::new(answer));
        };
        let is_free: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(key)
            .fetch_one(&mut *transaction)
            .await?;
        if !is_free {
            let message = "Another request with this key is running.";
            return Ok(Outcome::new(Answer::error(409, "idempotency_error", "idempotency_key_in_use", message)));
        }
        let fingerprint = fingerprint(operation, fields);
        let known: Option<(String, i32, String)> = sqlx::query_as(
            "select fingerprint, status, answer from idempotency_key
             where key = $1 and created_at > now() - make_interval(secs => $2)",
        )
        .bind(key)
        .bind(self.key_life.as_secs_f64())
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some((before, status, text)) = known {
            if before != fingerprint {
                let message = "The key was used with another request.";
                return Ok(Outcome::new(Answer::error(400, "idempotency_error", "idempotency_key_reused", message)));
            }
            let status = u16::try_from(status).unwrap_or(500);
            let body: Value = serde_json::from_str(&text).unwrap_or_default();
            return Ok(Outcome { answer: Answer { status, body, manner: Manner::Plain }, is_replayed: true });
        }
        let answer = run(&mut transaction, operation, fields).await?;
        if answer.manner != Manner::Forgetful {
            sqlx::query(
                "insert into idempotency_key (key, fingerprint, status, answer) values ($1, $2, $3, $4)
                 on conflict (key) do update set fingerprint = excluded.fingerprint, status = excluded.status,
                     answer = excluded.answer, created_at = excluded.created_at",
            )
            .bind(key)
            .bind(fingerprint)
            .bind(i32::from(answer.status))
            .bind(answer.body.to_string())
            .execute(&mut *transaction)
            .await?;
        }
        commit(transaction, operation).await?;
        Ok(Outcome::new(answer))
    }
}

/// Commits the effect of a request, whether or not its reply will be delivered.
async fn commit(transaction: Transaction<'_, Postgres>, operation: &Operation) -> Result<(), sqlx::Error> {
    fail_point(operation, BEFORE_COMMIT);
    transaction.commit().await?;
    fail_point(operation, AFTER_COMMIT);
    Ok(())
}

async fn run(db: &mut PgConnection, operation: &Operation, fields: &Fields) -> Result<Answer, sqlx::Error> {
    match operation {
        Operation::CreateIntent => {
            if breaks(db, operation, fields).await? {
                return Ok(Answer::ok(Value::Null).manner(Manner::Failing));
            }
            intents::create(db, fields).await
        }
        Operation::FindIntents => intents::find(db, fields).await,
        Operation::GetIntent(id) => intents::get(db, id).await,
        Operation::UpdateIntent(id) => intents::update(db, id, fields).await,
        Operation::Confirm(id) => intents::confirm(db, id, fields).await,
        Operation::Cancel(id) => intents::cancel(db, id).await,
        Operation::Authenticate { intent, succeeds } => intents::authenticate(db, intent, *succeeds).await,
        Operation::CreateRefund => refunds::create(db, fields).await,
        Operation::GetRefund(id) => refunds::get(db, id).await,
        Operation::ListRefunds => refunds::list(db, fields).await,
        Operation::GetDispute(id) => disputes::get(db, id).await,
        Operation::ListDisputes => disputes::list(db, fields).await,
        Operation::AnswerDispute(id) => disputes::answer(db, id, fields).await,
        Operation::CloseDispute(id) => disputes::decide(db, id, false).await,
    }
}

/// Whether the request creates an object that must fail once, and has not yet failed under any key.
async fn breaks(db: &mut PgConnection, operation: &Operation, fields: &Fields) -> Result<bool, sqlx::Error> {
    if !fields.number("amount").is_some_and(|amount| Creation::of(amount).breaks_once) {
        return Ok(false);
    }
    sqlx::query_scalar("select not exists (select 1 from idempotency_key where fingerprint = $1)")
        .bind(fingerprint(operation, fields))
        .fetch_one(db)
        .await
}

fn fingerprint(operation: &Operation, fields: &Fields) -> String {
    let digest = Sha256::digest(format!("{operation:?} {:?}", fields.0).as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
