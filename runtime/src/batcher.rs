//! Natural batching: items that arrive while batches run form the next one. There is no timer.

use std::{borrow::Cow, collections::VecDeque, sync::Arc};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{
    error::{InternalError, RetryClass},
    guard::guarded,
};

/// The most items of one batch.
const SIZE: usize = 128;

type Load<C, I, O> = Box<dyn Fn(C, Vec<Arc<I>>) -> BoxFuture<'static, Result<Vec<O>, InternalError>> + Send + Sync>;

/// Collects items into batches. The limit on concurrent requests bounds how many items wait.
///
/// `C` is the means by which a batch is loaded, such as a pool of connections. All items must come with the same.
pub struct Batcher<C, I, O> {
    /// What is batched, for metrics.
    name: Cow<'static, str>,
    load: Load<C, I, O>,
    concurrent: usize,
    /// The most weight of a batch. An item that has more is loaded alone.
    most: usize,
    weigh: fn(&I) -> usize,
    queue: Mutex<Queue<I, O>>,
}

struct Queue<I, O> {
    waiting: VecDeque<Waiting<I, O>>,
    running: usize,
}

struct Waiting<I, O> {
    item: Arc<I>,
    output: oneshot::Sender<Result<O, InternalError>>,
}

impl<C, I, O> Batcher<C, I, O>
where
    C: Clone + Send + Sync + 'static,
    I: Send + Sync + 'static,
    O: Send + 'static,
{
    /// Creates a batcher. `load` returns one output per item, in order; it runs at most `concurrent` times at once.
    pub fn new(name: &'static str, concurrent: usize, load: Load<C, I, O>) -> Arc<Self> {
        Self::weighing(name.into(), concurrent, (SIZE, |_| 1), load)
    }

    /// As [`new`](Self::new), with the most weight of a batch and the weight of an item.
    pub(crate) fn weighing(
        name: Cow<'static, str>,
        concurrent: usize,
        (most, weigh): (usize, fn(&I) -> usize),
        load: Load<C, I, O>,
    ) -> Arc<Self> {
        let queue = Mutex::new(Queue { waiting: VecDeque::new(), running: 0 });
        Arc::new(Self { name, load, concurrent, most, weigh, queue })
    }

    /// Loads an item as part of a batch. An item whose caller stops waiting is left out of later batches.
    ///
    /// # Errors
    /// The error of the batch. If the data of an item caused it, the other items are loaded without it.
    pub async fn load(self: &Arc<Self>, means: &C, item: Arc<I>) -> Result<O, InternalError> {
        let (output, result) = oneshot::channel();
        let starts_batch = {
            let mut queue = self.queue.lock();
            queue.waiting.push_back(Waiting { item, output });
            let starts_batch = queue.running < self.concurrent;
            queue.running += usize::from(starts_batch);
            starts_batch
        };
        if starts_batch {
            let (batcher, means) = (self.clone(), means.clone());
            // A separate task: the caller may stop waiting while other callers of its batch do not. A drain waits for
            // the callers.
            tokio::spawn(async move {
                while let Some(batch) = batcher.next() {
                    batcher.run(&means, batch).await;
                }
            });
        }
        result.await.unwrap_or_else(|_| Err(InternalError::other("a batch ended without an output")))
    }

    /// The next batch; `None` if no item waits, which ends this runner.
    fn next(&self) -> Option<Vec<Waiting<I, O>>> {
        let mut queue = self.queue.lock();
        queue.waiting.retain(|waiting| !waiting.output.is_closed());
        if queue.waiting.is_empty() {
            queue.running -= 1;
            return None;
        }
        let mut weight = 0;
        let fitting = queue.waiting.iter().take(SIZE).take_while(|waiting| {
            let is_first = weight == 0;
            weight += (self.weigh)(&waiting.item).max(1);
            is_first || weight <= self.most
        });
        let size = fitting.count();
        Some(queue.waiting.drain(..size).collect())
    }

    async fn run(&self, means: &C, batch: Vec<Waiting<I, O>>) {
        let size = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        metrics::histogram!("query_batch_size", "operation" => self.name.clone()).record(f64::from(size));
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            let items = part.iter().map(|waiting| waiting.item.clone()).collect();
            match guarded((self.load)(means.clone(), items)).await {
                Ok(outputs) if outputs.len() == part.len() => {
                    for (waiting, output) in part.into_iter().zip(outputs) {
                        // Fails if the caller has stopped waiting.
                        let _ = waiting.output.send(Ok(output));
                    }
                }
                Err(error) if part.len() > 1 && error.retry_class() == RetryClass::Data => {
                    let rest = part.split_off(part.len() / 2);
                    parts.extend([rest, part]);
                }
                outcome => {
                    let error = outcome.err().unwrap_or_else(|| {
                        InternalError::other(format!("`{}` did not load one output per query", self.name))
                    });
                    for waiting in part {
                        let _ = waiting.output.send(Err(error.clone()));
                    }
                }
            }
        }
    }
}
