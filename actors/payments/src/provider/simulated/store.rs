//! The tables of the simulated provider. A batch of requests is one transaction, committed before any
//! of them gets its response.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use runtime::{InternalError, columns};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{
    super::NewObject,
    books::{Answer, Books, Intent, OPEN, Question, object_id, refund_id},
};

/// Processes a batch of requests in their order, and commits the results.
pub(super) async fn answer(db: &PgPool, questions: &[Arc<Question>]) -> Result<Vec<Answer>, InternalError> {
    let mut transaction = db.begin().await?;
    insert(&mut transaction, questions).await?;
    let mut books = open(&mut transaction, questions).await?;
    let answers = questions.iter().map(|question| books.answer(question)).collect();
    close(&mut transaction, &books).await?;
    transaction.commit().await?;
    Ok(answers)
}

async fn insert(db: &mut PgConnection, questions: &[Arc<Question>]) -> Result<(), InternalError> {
    let mut new: BTreeMap<String, &NewObject> = BTreeMap::new();
    for question in questions {
        if let Question::Create(object) = &**question {
            new.insert(object_id(object.key), object);
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let sql = "insert into sim_intent (id, amount, currency, client_secret, order_id, order_number, user_id, status)
         select new.*, $8
         from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::uuid[])
              as new (id, amount, currency, client_secret, order_id, order_number, user_id)
         order by id
         on conflict (id) do nothing";
    let query = columns!(sqlx::query(sql), new, one;
        one.0.as_str(), one.1.amount.amount, one.1.amount.currency,
        format!("{}_secret_{}", one.0, Uuid::new_v4().simple()), one.1.order_id, one.1.order_number.as_str(),
        one.1.user_id);
    query.bind(OPEN).execute(db).await?;
    Ok(())
}

async fn open(db: &mut PgConnection, questions: &[Arc<Question>]) -> Result<Books, InternalError> {
    let ids: BTreeSet<String> = questions.iter().map(|question| question.object()).collect();
    let sql = "select id, amount, currency, client_secret, status, payment_method, refunded
         from sim_intent where id = any($1) order by id for update";
    let intents: Vec<Intent> =
        sqlx::query_as(sql).bind(ids.into_iter().collect::<Vec<_>>()).fetch_all(&mut *db).await?;
    let keys: Vec<Uuid> = questions
        .iter()
        .filter_map(|question| match &**question {
            Question::Refund { key, .. } => Some(*key),
            _ => None,
        })
        .collect();
    let mut refunded_keys: Vec<Uuid> = Vec::new();
    if !keys.is_empty() {
        let sql = "select idempotency_key from sim_refund where idempotency_key = any($1)";
        refunded_keys = sqlx::query_scalar(sql).bind(keys).fetch_all(db).await?;
    }
    Ok(Books {
        intents: intents.into_iter().map(|intent| (intent.id.clone(), intent)).collect(),
        refunded_keys: refunded_keys.into_iter().collect(),
        ..Books::default()
    })
}

async fn close(db: &mut PgConnection, books: &Books) -> Result<(), InternalError> {
    let changed: Vec<&Intent> = books.changed.iter().filter_map(|id| books.intents.get(id)).collect();
    if !changed.is_empty() {
        let sql = "update sim_intent set status = moved.status, payment_method = moved.payment_method,
                 refunded = moved.refunded
             from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
                  as moved (id, status, payment_method, refunded)
             where sim_intent.id = moved.id";
        let query = columns!(sqlx::query(sql), changed, i;
            i.id.as_str(), i.status.as_str(), i.payment_method.as_deref(), i.refunded);
        query.execute(&mut *db).await?;
    }
    if !books.refunds.is_empty() {
        let sql = "insert into sim_refund (idempotency_key, id, intent_id, amount)
             select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])";
        let query = columns!(sqlx::query(sql), books.refunds, r;
            r.key, refund_id(r.key), r.object.as_str(), r.amount);
        query.execute(&mut *db).await?;
    }
    Ok(())
}
