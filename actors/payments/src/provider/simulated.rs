//! The simulated provider: the default of the local stack and of tests. It stores its charges in tables of
//! its own, commits before it responds, and supports Stripe's test payment methods by name. Concurrent
//! requests share one transaction.

mod books;
mod methods;
mod store;

use std::sync::Arc;

use futures::future::FutureExt;
use runtime::{Batcher, Context, InternalError};
use sqlx::PgPool;
use subjects::{Money, OrderId};
use uuid::Uuid;

use super::{Cancellation, Confirmation, Created, NewObject, Provider, ProviderFuture, ProviderObject, RefundOutcome};
use books::{Answer, Question, object_id};

pub(crate) use methods::{AUTHENTICATED, NOT_AUTHENTICATED};

/// The provider's name.
pub const NAME: &str = "simulated";

/// The simulated provider.
pub struct Simulated {
    books: Arc<Batcher<PgPool, Question, Answer>>,
}

impl Default for Simulated {
    fn default() -> Self {
        let load =
            |db: PgPool, questions: Vec<Arc<Question>>| async move { store::answer(&db, &questions).await }.boxed();
        Self { books: Batcher::new("payments.simulated", 1, Box::new(load)) }
    }
}

/// Asks the books a question that has one kind of answer.
macro_rules! ask {
    ($simulated:ident, $cx:ident, $question:expr, $answer:pat => $value:expr) => {
        async move {
            match $simulated.books.load($cx.pool(), Arc::new($question)).await? {
                $answer => Ok($value),
                other => Err(no_answer(&other)),
            }
        }
        .boxed()
    };
}

/// The error for an answer that does not fit the request.
fn no_answer(answer: &Answer) -> InternalError {
    InternalError::other(match answer {
        Answer::Unknown => "the simulated provider does not know this object",
        _ => "the simulated provider sent an unexpected reply",
    })
}

impl Provider for Simulated {
    fn name(&self) -> &'static str {
        NAME
    }

    fn publishable_key(&self) -> &str {
        "pk_simulated"
    }

    fn is_sandbox(&self) -> bool {
        true
    }

    fn create<'a>(&'a self, cx: &'a Context, new: &'a NewObject) -> ProviderFuture<'a, Created> {
        ask!(self, cx, Question::Create(new.clone()), Answer::Seen(Some(object)) => Created::Object(object))
    }

    fn get<'a>(&'a self, cx: &'a Context, object: &'a str) -> ProviderFuture<'a, Option<ProviderObject>> {
        ask!(self, cx, Question::Get(object.to_owned()), Answer::Seen(object) => object)
    }

    fn find<'a>(&'a self, cx: &'a Context, key: Uuid, _order: OrderId) -> ProviderFuture<'a, Option<ProviderObject>> {
        ask!(self, cx, Question::Get(object_id(key)), Answer::Seen(object) => object)
    }

    fn confirm<'a>(
        &'a self,
        cx: &'a Context,
        object: &'a str,
        method: &'a str,
        key: Uuid,
    ) -> ProviderFuture<'a, Confirmation> {
        let question = Question::Confirm { object: object.to_owned(), method: method.to_owned(), attempt: key };
        ask!(self, cx, question, Answer::Confirmed(confirmation) => confirmation)
    }

    fn cancel<'a>(&'a self, cx: &'a Context, object: &'a str, _key: Uuid) -> ProviderFuture<'a, Cancellation> {
        ask!(self, cx, Question::Cancel(object.to_owned()), Answer::Cancelled(cancellation) => cancellation)
    }

    fn refund<'a>(
        &'a self,
        cx: &'a Context,
        object: &'a str,
        amount: Money,
        key: Uuid,
    ) -> ProviderFuture<'a, RefundOutcome> {
        let question = Question::Refund { object: object.to_owned(), amount, key };
        ask!(self, cx, question, Answer::Refunded(outcome) => outcome)
    }
}
