//! The simulated provider: the default of the local stack and of tests. It remembers its charges in tables of its own,
//! commits before it answers, and knows Stripe's test methods by name. What is asked at once is one transaction.

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

/// Its name.
pub const NAME: &str = "simulated";

/// Questions that wait at once; whoever comes then waits, within the time an effect has.
const QUEUE: usize = 1024;

/// Questions in one transaction.
const BATCH: usize = 128;

struct Job {
    question: Question,
    /// Comes along, so that a domain that was started again is not asked for a pool that was closed.
    db: PgPool,
    answer: oneshot::Sender<Answer>,
}

/// The simulated provider.
#[derive(Debug, Default)]
pub struct Simulated {
    desk: Mutex<Option<mpsc::Sender<Job>>>,
}

impl Simulated {
    /// Where questions go; opened by the first one, and again should it have closed.
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

/// Answers what is asked, as much at once as came while the last transaction ran.
async fn serve(mut jobs: mpsc::Receiver<Job>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut waiting, BATCH).await > 0 {
        let Some(db) = waiting.first().map(|job| job.db.clone()) else { continue };
        let questions: Vec<&Question> = waiting.iter().map(|job| &job.question).collect();
        match memory::answer(&db, &questions).await {
            Ok(answers) => {
                for (job, answer) in waiting.drain(..).zip(answers) {
                    // Who does not wait any more asks again.
                    drop(job.answer.send(answer));
                }
            }
            Err(breakage) => {
                tracing::warn!(%breakage, questions = questions.len(), "the simulated provider could not remember");
                // Nobody is answered: nobody knows.
                waiting.clear();
            }
        }
    }
}

/// What it says where it has no answer to the question.
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
