//! Runs a script with many clients and measures it. HTTP, NATS and SQL use the same code, so that a figure and the
//! limit beside it are comparable.

mod pace;
mod progress;
mod tally;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use self::tally::{Figures, Measured};

use self::pace::Pace;
use self::progress::Progress;
use self::tally::Tally;

/// The pause of a closed-loop client after an error. Errors come back faster than successful replies: without the pause
/// a shop that is down would get millions of requests and the error count would be meaningless.
pub const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);

#[derive(Debug, Clone)]
pub struct Plan {
    pub clients: u32,
    pub warmup: Duration,
    pub window: Duration,
    /// Steps per second over all clients; `None` is the closed loop.
    pub rate: Option<u32>,
    pub timeout: Duration,
}

/// The step that a client repeats.
pub trait Script: Send + Sync + 'static {
    /// The state of one client: its connection.
    type Hand: Send;

    /// The names of the series, each with its own histogram.
    const SERIES: &'static [&'static str];

    fn hand(&self, client: u32) -> impl Future<Output = anyhow::Result<Self::Hand>> + Send;

    /// Performs the n-th step of the run, counted over all clients.
    fn step(&self, hand: &mut Self::Hand, n: u64) -> impl Future<Output = Outcome> + Send;
}

#[derive(Debug)]
pub struct Outcome {
    /// Indices into the script's series.
    pub series: &'static [usize],
    /// How much work the step did: a SQL batch writes many orders.
    pub units: u64,
    /// The kind under which an unexpected result is counted.
    pub error: Option<String>,
    /// The pause of a closed-loop client before its next step, if not the usual one.
    pub pause: Option<Duration>,
}

impl Outcome {
    pub fn one(series: &'static [usize]) -> Self {
        Self { series, units: 1, error: None, pause: None }
    }

    pub fn error(kind: impl Into<String>) -> Self {
        Self { series: &[], units: 0, error: Some(kind.into()), pause: None }
    }
}

/// The time span in which steps are counted.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    start: Instant,
    pub open: Instant,
    pub close: Instant,
}

impl Window {
    fn holds(&self, at: Instant) -> bool {
        self.open <= at && at < self.close
    }
}

pub async fn run<S: Script>(name: &str, script: Arc<S>, plan: &Plan) -> anyhow::Result<Measured> {
    Ok(run_beside(name, script, plan, |_| std::future::ready(())).await?.0)
}

/// Also runs what `beside` makes of the window, and returns its result.
pub async fn run_beside<S, T, F>(
    name: &str,
    script: Arc<S>,
    plan: &Plan,
    beside: impl FnOnce(Window) -> F,
) -> anyhow::Result<(Measured, T)>
where
    S: Script,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut hands = Vec::new();
    for client in 0..plan.clients {
        hands.push(script.hand(client).await.with_context(|| format!("{name}: client {client}"))?);
    }
    let start = Instant::now();
    let window = Window { start, open: start + plan.warmup, close: start + plan.warmup + plan.window };
    let tally = Arc::new(Tally::new(S::SERIES, window)?);
    let pace = Arc::new(Pace::new(window, plan.rate));

    let beside = tokio::spawn(beside(window));
    let progress = Progress::start(name, Arc::clone(&tally), window);
    let mut clients = JoinSet::new();
    for (number, hand) in hands.into_iter().enumerate() {
        let (script, pace, tally) = (Arc::clone(&script), Arc::clone(&pace), Arc::clone(&tally));
        clients.spawn(async move { client(number, hand, &*script, &pace, &tally).await });
    }
    while let Some(ended) = clients.join_next().await {
        if ended.is_err() {
            tally.error("a client of the load tool failed");
        }
    }
    let beside = beside.await.with_context(|| format!("{name}: the costs"))?;
    tally.errors("the clients were too few or too slow to send in time", pace.never_sent());
    progress.stop();
    Ok((tally.measured(name, plan), beside))
}

async fn client<S: Script>(number: usize, mut hand: S::Hand, script: &S, pace: &Pace, tally: &Tally) {
    while let Some(turn) = pace.next().await {
        let outcome = script.step(&mut hand, turn.number).await;
        tally.note(number, turn.due, Instant::now(), &outcome);
        let pause = outcome.pause.or(outcome.error.is_some().then_some(PAUSE_AFTER_ERROR));
        if let Some(pause) = pause.filter(|_| pace.is_closed_loop()) {
            tokio::time::sleep(pause).await;
        }
    }
}
