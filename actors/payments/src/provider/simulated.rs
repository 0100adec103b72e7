//! The simulated provider: the default of the local stack and of tests. It stores its charges in tables of
//! its own, commits before it responds, and supports Stripe's test payment methods by name. Concurrent
//! requests share one transaction.

mod books;
mod memory;
mod methods;

use std::sync::{Mutex, PoisonError};

use contract::Fault;
use futures::future::FutureExt;
use runtime::{Breakage, Context};
use sqlx::PgPool;
use subjects::{Money, OrderId, payments::DOMAIN};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Asked, Cancellation, Confirmation, Created, NewObject, Provider, ProviderObject, RefundOutcome};
use books::{Answer, Question, object_id};

pub(crate) use methods::{AUTHENTICATED, NOT_AUTHENTICATED};

/// The provider's name.
pub const NAME: &str = "simulated";

/// Capacity of the request queue. Further callers wait for a slot, within their own timeout.
const QUEUE: usize = 1024;

/// Maximum number of requests in one transaction.
const BATCH: usize = 128;

struct Job {
    question: Question,
    /// Passed with each request, so that the task does not keep the closed pool of a domain that was restarted.
    db: PgPool,
    answer: oneshot::Sender<Answer>,
}

/// The simulated provider.
#[derive(Debug, Default)]
pub struct Simulated {
    desk: Mutex<Option<mpsc::Sender<Job>>>,
}

impl Simulated {
    /// The request queue. Starts its task on first use, and again if the task has ended.
    fn desk(&self) -> mpsc::Sender<Job> {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        match &*desk {
            Some(open) if !open.is_closed() => open.clone(),
            _ => {
                let (sender, jobs) = mpsc::channel(QUEUE);
                tokio::spawn(serve(jobs));
                *desk = Some(sender.clone());
                sender
            }
        }
    }

    async fn ask(&self, cx: &Context, question: Question) -> Result<Answer, Breakage> {
        let (answer, answered) = oneshot::channel();
        let job = Job { question, db: cx.pool().clone(), answer };
        let unknown = || Breakage::from(Fault::unavailable(DOMAIN));
        self.desk().send(job).await.map_err(|_| unknown())?;
        answered.await.map_err(|_| unknown())
    }
}

/// Processes requests. Those that arrive during a transaction form the next batch.
async fn serve(mut jobs: mpsc::Receiver<Job>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut waiting, BATCH).await > 0 {
        let Some(db) = waiting.first().map(|job| job.db.clone()) else { continue };
        let questions: Vec<&Question> = waiting.iter().map(|job| &job.question).collect();
        match memory::answer(&db, &questions).await {
            Ok(answers) => {
                for (job, answer) in waiting.drain(..).zip(answers) {
                    // A caller that has timed out repeats its request.
                    drop(job.answer.send(answer));
                }
            }
            Err(breakage) => {
                tracing::warn!(%breakage, questions = questions.len(), "the simulated provider could not remember");
                // Dropping the jobs fails every call: the outcome is unknown.
                waiting.clear();
            }
        }
    }
}

/// The error for an answer that does not fit the request.
fn no_answer(answer: &Answer) -> Breakage {
    Breakage::other(match answer {
        Answer::Unknown => "the simulated provider does not know this object",
        _ => "the simulated provider answered another question",
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

    fn create<'a>(&'a self, cx: &'a Context, new: &'a NewObject) -> Asked<'a, Created> {
        async move {
            match self.ask(cx, Question::Create(new.clone())).await? {
                Answer::Seen(Some(object)) => Ok(Created::Object(object)),
                other => Err(no_answer(&other)),
            }
        }
        .boxed()
    }

    fn get<'a>(&'a self, cx: &'a Context, object: &'a str) -> Asked<'a, Option<ProviderObject>> {
        async move {
            match self.ask(cx, Question::Get(object.to_owned())).await? {
                Answer::Seen(object) => Ok(object),
                other => Err(no_answer(&other)),
            }
        }
        .boxed()
    }

    fn find<'a>(&'a self, cx: &'a Context, key: Uuid, _order: OrderId) -> Asked<'a, Option<ProviderObject>> {
        async move {
            match self.ask(cx, Question::Get(object_id(key))).await? {
                Answer::Seen(object) => Ok(object),
                other => Err(no_answer(&other)),
            }
        }
        .boxed()
    }

    fn confirm<'a>(&'a self, cx: &'a Context, object: &'a str, method: &'a str, key: Uuid) -> Asked<'a, Confirmation> {
        async move {
            let question = Question::Confirm { object: object.to_owned(), method: method.to_owned(), attempt: key };
            match self.ask(cx, question).await? {
                Answer::Confirmed(confirmation) => Ok(confirmation),
                other => Err(no_answer(&other)),
            }
        }
        .boxed()
    }

    fn cancel<'a>(&'a self, cx: &'a Context, object: &'a str, _key: Uuid) -> Asked<'a, Cancellation> {
        async move {
            match self.ask(cx, Question::Cancel(object.to_owned())).await? {
                Answer::Cancelled(cancellation) => Ok(cancellation),
                other => Err(no_answer(&other)),
            }
        }
        .boxed()
    }

    fn refund<'a>(&'a self, cx: &'a Context, object: &'a str, amount: Money, key: Uuid) -> Asked<'a, RefundOutcome> {
        async move {
            let question = Question::Refund { object: object.to_owned(), amount, key };
            match self.ask(cx, question).await? {
                Answer::Refunded(outcome) => Ok(outcome),
                other => Err(no_answer(&other)),
            }
        }
        .boxed()
    }
}
