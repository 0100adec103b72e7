//! What the simulated provider remembers: a batch of questions is one transaction, committed before any is answered.

use std::collections::{BTreeMap, BTreeSet};

use runtime::Stored;
use sqlx::{FromRow, PgConnection, PgPool};
use subjects::{Money, orders::Failure};
use uuid::Uuid;

use super::{
    super::{Cancellation, Confirmation, NewObject, ObjectStatus, ProviderObject, RefundOutcome},
    methods,
};

/// What is asked.
#[derive(Debug, Clone)]
pub(super) enum Question {
    Create(NewObject),
    Get(String),
    Confirm { object: String, method: String },
    Cancel(String),
    Refund { object: String, amount: Money, key: Uuid },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Seen(Option<ProviderObject>),
    Confirmed(Confirmation),
    Cancelled(Cancellation),
    Refunded(RefundOutcome),
}

/// The id of the object of a key.
pub(super) fn object_id(key: Uuid) -> String {
    format!("pi_sim_{}", key.simple())
}

fn refund_id(key: Uuid) -> String {
    format!("re_sim_{}", key.simple())
}

impl Question {
    fn object(&self) -> String {
        match self {
            Self::Create(new) => object_id(new.key),
            Self::Get(object) | Self::Cancel(object) => object.clone(),
            Self::Confirm { object, .. } | Self::Refund { object, .. } => object.clone(),
        }
    }
}

/// An object, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
struct Intent {
    id: String,
    amount: i64,
    currency: String,
    client_secret: String,
    status: String,
    payment_method: Option<String>,
    refunded: i64,
}

const OPEN: &str = "requires_payment_method";
const SUCCEEDED: &str = "succeeded";
const CANCELLED: &str = "canceled";

impl Intent {
    fn seen(&self) -> ProviderObject {
        let status = match self.status.as_str() {
            SUCCEEDED => ObjectStatus::Succeeded,
            CANCELLED => ObjectStatus::Cancelled,
            _ => ObjectStatus::Open,
        };
        ProviderObject { id: self.id.clone(), status, client_secret: self.client_secret.clone() }
    }

    fn confirm(&mut self, method: &str) -> Confirmation {
        match self.status.as_str() {
            SUCCEEDED => Confirmation::Succeeded,
            CANCELLED => Confirmation::Cancelled,
            _ => match methods::charge(method) {
                Ok(()) => {
                    self.status = SUCCEEDED.into();
                    self.payment_method = Some(method.to_owned());
                    Confirmation::Succeeded
                }
                Err(failure) => Confirmation::Declined(failure),
            },
        }
    }

    fn cancel(&mut self) -> Cancellation {
        if self.status == SUCCEEDED {
            return Cancellation::AlreadySucceeded;
        }
        self.status = CANCELLED.into();
        Cancellation::Cancelled
    }

    fn refund(&mut self, amount: Money) -> Result<(), Failure> {
        let refuse = |code: &str, message: &str| Err(Failure { code: code.into(), message: message.into() });
        if self.status != SUCCEEDED {
            return refuse("charge_not_captured", "There is nothing to give back.");
        }
        if self.payment_method.as_deref() == Some(methods::REFUNDS_FAIL) {
            return refuse("expired_or_canceled_card", "The card cannot be refunded any more.");
        }
        if amount.currency.code() != self.currency || amount.amount <= 0 || amount.amount > self.amount - self.refunded
        {
            return refuse("amount_too_large", "More than what is left cannot go back.");
        }
        self.refunded += amount.amount;
        Ok(())
    }
}

/// A refund that was made in this batch.
struct NewRefund {
    key: Uuid,
    object: String,
    amount: i64,
}

/// Everything that the questions are about.
#[derive(Default)]
struct Books {
    intents: BTreeMap<String, Intent>,
    refunded_keys: BTreeSet<Uuid>,
    changed: BTreeSet<String>,
    refunds: Vec<NewRefund>,
}

impl Books {
    fn answer(&mut self, question: &Question) -> Answer {
        let id = question.object();
        let missing =
            || Failure { code: "resource_missing".into(), message: "There is no such payment intent.".into() };
        let Some(intent) = self.intents.get_mut(&id) else {
            return match question {
                Question::Create(_) | Question::Get(_) => Answer::Seen(None),
                Question::Confirm { .. } => Answer::Confirmed(Confirmation::Declined(missing())),
                // What is not there cannot be paid.
                Question::Cancel(_) => Answer::Cancelled(Cancellation::Cancelled),
                Question::Refund { .. } => Answer::Refunded(RefundOutcome::Failed(missing())),
            };
        };
        let before = intent.clone();
        let answer = match question {
            Question::Create(_) | Question::Get(_) => Answer::Seen(Some(intent.seen())),
            Question::Confirm { method, .. } => Answer::Confirmed(intent.confirm(method)),
            Question::Cancel(_) => Answer::Cancelled(intent.cancel()),
            Question::Refund { key, amount, .. } => {
                let outcome = if self.refunded_keys.contains(key) { Ok(()) } else { intent.refund(*amount) };
                Answer::Refunded(match outcome {
                    Ok(()) => {
                        if self.refunded_keys.insert(*key) {
                            self.refunds.push(NewRefund { key: *key, object: id.clone(), amount: amount.amount });
                        }
                        RefundOutcome::Succeeded { refund_id: refund_id(*key) }
                    }
                    Err(failure) => RefundOutcome::Failed(failure),
                })
            }
        };
        if *intent != before {
            self.changed.insert(id);
        }
        answer
    }
}

/// Answers a batch of questions, in their order, and remembers what came of them.
pub(super) async fn answer(db: &PgPool, questions: &[&Question]) -> Stored<Vec<Answer>> {
    let mut transaction = db.begin().await?;
    insert(&mut transaction, questions).await?;
    let mut books = open(&mut transaction, questions).await?;
    let answers = questions.iter().map(|question| books.answer(question)).collect();
    close(&mut transaction, &books).await?;
    transaction.commit().await?;
    Ok(answers)
}

async fn insert(db: &mut PgConnection, questions: &[&Question]) -> Stored<()> {
    let mut new: BTreeMap<String, &NewObject> = BTreeMap::new();
    for question in questions {
        if let Question::Create(object) = question {
            new.insert(object_id(object.key), object);
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let secret = |id: &String| format!("{id}_secret_{}", Uuid::new_v4().simple());
    sqlx::query(
        "insert into sim_intent (id, amount, currency, client_secret, order_id, order_number, user_id, status)
         select asked.*, $8
         from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::uuid[])
              as asked (id, amount, currency, client_secret, order_id, order_number, user_id)
         order by id
         on conflict (id) do nothing",
    )
    .bind(new.keys().map(String::as_str).collect::<Vec<_>>())
    .bind(new.values().map(|o| o.amount.amount).collect::<Vec<_>>())
    .bind(new.values().map(|o| o.amount.currency.code().to_owned()).collect::<Vec<_>>())
    .bind(new.keys().map(secret).collect::<Vec<_>>())
    .bind(new.values().map(|o| o.order_id.0).collect::<Vec<_>>())
    .bind(new.values().map(|o| o.order_number.as_str()).collect::<Vec<_>>())
    .bind(new.values().map(|o| o.user_id.map(|user| user.0)).collect::<Vec<_>>())
    .bind(OPEN)
    .execute(db)
    .await?;
    Ok(())
}

async fn open(db: &mut PgConnection, questions: &[&Question]) -> Stored<Books> {
    let ids: BTreeSet<String> = questions.iter().map(|question| question.object()).collect();
    let intents: Vec<Intent> = sqlx::query_as(
        "select id, amount, currency, client_secret, status, payment_method, refunded
         from sim_intent where id = any($1) order by id for update",
    )
    .bind(ids.into_iter().collect::<Vec<_>>())
    .fetch_all(&mut *db)
    .await?;
    let keys: Vec<Uuid> = questions
        .iter()
        .filter_map(|question| match question {
            Question::Refund { key, .. } => Some(*key),
            _ => None,
        })
        .collect();
    let refunded_keys: Vec<Uuid> = if keys.is_empty() {
        Vec::new()
    } else {
        sqlx::query_scalar("select idempotency_key from sim_refund where idempotency_key = any($1)")
            .bind(keys)
            .fetch_all(db)
            .await?
    };
    Ok(Books {
        intents: intents.into_iter().map(|intent| (intent.id.clone(), intent)).collect(),
        refunded_keys: refunded_keys.into_iter().collect(),
        ..Books::default()
    })
}

async fn close(db: &mut PgConnection, books: &Books) -> Stored<()> {
    let changed: Vec<&Intent> = books.changed.iter().filter_map(|id| books.intents.get(id)).collect();
    if !changed.is_empty() {
        sqlx::query(
            "update sim_intent set status = moved.status, payment_method = moved.payment_method,
                 refunded = moved.refunded
             from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
                  as moved (id, status, payment_method, refunded)
             where sim_intent.id = moved.id",
        )
        .bind(changed.iter().map(|i| i.id.as_str()).collect::<Vec<_>>())
        .bind(changed.iter().map(|i| i.status.as_str()).collect::<Vec<_>>())
        .bind(changed.iter().map(|i| i.payment_method.as_deref()).collect::<Vec<_>>())
        .bind(changed.iter().map(|i| i.refunded).collect::<Vec<_>>())
        .execute(&mut *db)
        .await?;
    }
    if !books.refunds.is_empty() {
        sqlx::query(
            "insert into sim_refund (idempotency_key, id, intent_id, amount)
             select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])",
        )
        .bind(books.refunds.iter().map(|r| r.key).collect::<Vec<_>>())
        .bind(books.refunds.iter().map(|r| refund_id(r.key)).collect::<Vec<_>>())
        .bind(books.refunds.iter().map(|r| r.object.as_str()).collect::<Vec<_>>())
        .bind(books.refunds.iter().map(|r| r.amount).collect::<Vec<_>>())
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use subjects::Currency;

    use super::*;

    const ID: &str = "pi_sim_1";

    fn books() -> Books {
        let intent = Intent {
            id: ID.into(),
            amount: 100,
            currency: "USD".into(),
            client_secret: "secret".into(),
            status: OPEN.into(),
            payment_method: None,
            refunded: 0,
        };
        Books { intents: BTreeMap::from([(ID.into(), intent)]), ..Books::default() }
    }

    fn confirm(method: &str) -> Question {
        Question::Confirm { object: ID.into(), method: method.into() }
    }

    fn refund(amount: i64, key: u128) -> Question {
        Question::Refund { object: ID.into(), amount: Money::new(amount, Currency::USD), key: Uuid::from_u128(key) }
    }

    fn succeeded(answer: &Answer) -> bool {
        matches!(answer, Answer::Refunded(RefundOutcome::Succeeded { .. }))
    }

    #[test]
    fn a_declined_object_can_be_confirmed_with_another_method() {
        let mut books = books();
        let declined = books.answer(&confirm("pm_card_visa_chargeDeclined"));
        assert!(matches!(declined, Answer::Confirmed(Confirmation::Declined(_))));
        assert_eq!(books.answer(&confirm("pm_card_visa")), Answer::Confirmed(Confirmation::Succeeded));
        assert_eq!(books.answer(&confirm("pm_card_visa_chargeDeclined")), Answer::Confirmed(Confirmation::Succeeded));
        assert_eq!(books.answer(&Question::Cancel(ID.into())), Answer::Cancelled(Cancellation::AlreadySucceeded));
    }

    #[test]
    fn a_cancelled_object_is_never_charged() {
        let mut books = books();
        assert_eq!(books.answer(&Question::Cancel(ID.into())), Answer::Cancelled(Cancellation::Cancelled));
        assert_eq!(books.answer(&confirm("pm_card_visa")), Answer::Confirmed(Confirmation::Cancelled));
        assert!(!succeeded(&books.answer(&refund(1, 1))));
    }

    #[test]
    fn no_more_goes_back_than_came_and_a_key_counts_once() {
        let mut books = books();
        books.answer(&confirm("pm_card_visa"));
        assert!(succeeded(&books.answer(&refund(60, 1))));
        assert!(succeeded(&books.answer(&refund(60, 1))), "the same key");
        assert!(!succeeded(&books.answer(&refund(41, 2))));
        assert!(succeeded(&books.answer(&refund(40, 3))));
        assert_eq!((books.intents[ID].refunded, books.refunds.len()), (100, 2));
    }
}
