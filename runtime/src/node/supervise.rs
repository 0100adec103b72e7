//! Supervision: one-for-one restarts with exponential backoff and a restart limit. By default, the actor library stops
//! a supervisor when a child fails; this module replaces that policy.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};

use crate::error::InternalError;

/// The restart limit: with more restarts of one child within [`WINDOW`], its domain is not ready.
const INTENSITY: usize = 10;

/// The window in which restarts are counted, and the time a failing child must run without a restart before its domain
/// is ready again.
const WINDOW: Duration = Duration::from_secs(60);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Starts a child, at first and after each failure.
pub(crate) type Spawn = Box<dyn Fn(ActorCell) -> BoxFuture<'static, Result<ActorCell, SpawnErr>> + Send + Sync>;

/// A child of a supervisor.
pub(crate) struct Child {
    pub name: String,
    pub spawn: Spawn,
}

/// State that a supervisor shares with the health check.
#[derive(Default)]
pub(crate) struct Watch {
    /// Set when a child was restarted too often: the time until which the domain is not ready, unless it is extended.
    failing_until: Mutex<Option<Instant>>,
    /// Set on shutdown: children that end are not restarted.
    pub is_draining: AtomicBool,
}

impl Watch {
    fn failing_until(&self, until: Instant) {
        let mut latest = self.failing_until.lock();
        *latest = (*latest).max(Some(until));
    }

    pub(crate) fn is_failing(&self, now: Instant) -> bool {
        self.failing_until.lock().is_some_and(|until| now < until)
    }
}

/// The restarts of one child.
#[derive(Default)]
struct Restarts {
    /// Restarts within the last [`WINDOW`].
    recent: Vec<Instant>,
    failing_until: Option<Instant>,
}

impl Restarts {
    /// Records a restart and returns the pause before it. A child that was restarted too often stays failing until it
    /// has run for [`WINDOW`]: otherwise the backoff alone would bring its restarts below the limit.
    fn record(&mut self, now: Instant, watch: &Watch) -> Duration {
        self.recent.retain(|at| now.duration_since(*at) < WINDOW);
        self.recent.push(now);
        let doublings = u32::try_from(self.recent.len() - 1).unwrap_or(u32::MAX).min(7);
        let pause = (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
        if self.recent.len() > INTENSITY || self.failing_until.is_some_and(|until| now < until) {
            let until = now + pause + WINDOW;
            self.failing_until = Some(until);
            watch.failing_until(until);
        }
        pause
    }
}

pub(crate) struct Supervisor;

pub(crate) enum SupervisorMessage {
    Start(usize),
}

struct Running {
    child: Child,
    cell: Option<ActorCell>,
    restarts: Restarts,
}

pub(crate) struct SupervisorState {
    name: String,
    children: Vec<Running>,
    watch: Arc<Watch>,
}

impl Actor for Supervisor {
    type Msg = SupervisorMessage;
    type State = SupervisorState;
    type Arguments = (String, Vec<Child>, Arc<Watch>);

    async fn pre_start(
        &self,
        _myself: ActorRef<SupervisorMessage>,
        (name, children, watch): (String, Vec<Child>, Arc<Watch>),
    ) -> Result<SupervisorState, ActorProcessingErr> {
        let children =
            children.into_iter().map(|child| Running { child, cell: None, restarts: Restarts::default() }).collect();
        Ok(SupervisorState { name, children, watch })
    }

    async fn post_start(
        &self,
        myself: ActorRef<SupervisorMessage>,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        for running in &mut state.children {
            running.cell = Some((running.child.spawn)(myself.get_cell()).await?);
        }
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<SupervisorMessage>,
        SupervisorMessage::Start(number): SupervisorMessage,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        if state.watch.is_draining.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Some(running) = state.children.get_mut(number) else { return Ok(()) };
        match (running.child.spawn)(myself.get_cell()).await {
            Ok(cell) => running.cell = Some(cell),
            Err(error) => {
                tracing::error!(
                    supervisor = state.name,
                    child = running.child.name,
                    %error,
                    "child actor did not start"
                );
                restart(&myself, state, number);
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<SupervisorMessage>,
        event: SupervisionEvent,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, reason) = match event {
            SupervisionEvent::ActorFailed(cell, error) => (cell, error.to_string()),
            SupervisionEvent::ActorTerminated(cell, _, reason) => (cell, reason.unwrap_or_else(|| "ended".into())),
            _ => return Ok(()),
        };
        if state.watch.is_draining.load(Ordering::Relaxed) {
            return Ok(());
        }
        let found = state.children.iter().position(|r| r.cell.as_ref().is_some_and(|c| c.get_id() == cell.get_id()));
        if let Some(number) = found {
            tracing::error!(
                supervisor = state.name,
                child = state.children[number].child.name,
                reason,
                "child actor failed"
            );
            restart(&myself, state, number);
        }
        Ok(())
    }
}

fn restart(myself: &ActorRef<SupervisorMessage>, state: &mut SupervisorState, number: usize) {
    let Some(running) = state.children.get_mut(number) else { return };
    running.cell = None;
    metrics::counter!("actor_restarts_total", "actor" => running.child.name.clone()).increment(1);
    let pause = running.restarts.record(Instant::now(), &state.watch);
    myself.send_after(pause, move || SupervisorMessage::Start(number));
}

/// Runs a loop as an actor, which fails when the loop returns an error or panics, and stops when the loop ends.
pub(crate) struct Task;

pub(crate) type TaskBody = Arc<dyn Fn() -> BoxFuture<'static, Result<(), InternalError>> + Send + Sync>;

/// How the loop ended.
type TaskEnd = Result<(), InternalError>;

impl Actor for Task {
    type Msg = TaskEnd;
    type State = tokio::task::AbortHandle;
    type Arguments = TaskBody;

    async fn pre_start(
        &self,
        myself: ActorRef<TaskEnd>,
        body: TaskBody,
    ) -> Result<tokio::task::AbortHandle, ActorProcessingErr> {
        let task = tokio::spawn(body());
        let abort = task.abort_handle();
        tokio::spawn(async move {
            let end = task.await.unwrap_or_else(|error| Err(InternalError::other(error)));
            // Fails if the actor has been stopped, which aborts the task; no notification is needed then.
            drop(myself.cast(end));
        });
        Ok(abort)
    }

    async fn handle(
        &self,
        myself: ActorRef<TaskEnd>,
        end: TaskEnd,
        _state: &mut tokio::task::AbortHandle,
    ) -> Result<(), ActorProcessingErr> {
        end?;
        myself.stop(None);
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<TaskEnd>,
        task: &mut tokio::task::AbortHandle,
    ) -> Result<(), ActorProcessingErr> {
        task.abort();
        Ok(())
    }
}

/// A child that runs a loop.
pub(crate) fn task<F>(name: impl Into<String>, body: impl Fn() -> F + Send + Sync + 'static) -> Child
where
    F: Future<Output = Result<(), InternalError>> + Send + 'static,
{
    let body: TaskBody = Arc::new(move || Box::pin(body()));
    Child {
        name: name.into(),
        spawn: Box::new(move |supervisor| {
            let body = body.clone();
            Box::pin(async move {
                let (task, _) = Actor::spawn_linked(None, Task, body, supervisor).await?;
                Ok(task.get_cell())
            })
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Restarts a child `count` times, a second apart; gives the time of the last restart.
    fn restart(restarts: &mut Restarts, watch: &Watch, began: Instant, count: usize) -> Instant {
        let times = std::iter::successors(Some(began), |at| Some(*at + Duration::from_secs(1)));
        let times: Vec<_> = times.take(count).collect();
        for at in &times {
            restarts.record(*at, watch);
        }
        times[count - 1]
    }

    #[test]
    fn a_child_that_ran_for_the_window_after_too_many_restarts_is_healthy_again() {
        let (watch, mut restarts) = (Watch::default(), Restarts::default());
        let last = restart(&mut restarts, &watch, Instant::now(), INTENSITY);
        assert!(!watch.is_failing(last));
        let last = restart(&mut restarts, &watch, last, 1);
        assert!(watch.is_failing(last) && watch.is_failing(last + WINDOW));
        assert!(!watch.is_failing(last + LONGEST_PAUSE + WINDOW));
    }

    #[test]
    fn a_failing_child_that_dies_again_within_the_window_stays_failing() {
        let (watch, mut restarts) = (Watch::default(), Restarts::default());
        let mut last = restart(&mut restarts, &watch, Instant::now(), INTENSITY + 1);
        // From here on, no window contains more restarts than the limit.
        for _ in 0..20 {
            last = restart(&mut restarts, &watch, last + WINDOW / 2, 1);
            assert!(watch.is_failing(last + WINDOW / 2));
        }
        // A restart of another child does not prolong it.
        restart(&mut Restarts::default(), &watch, last + WINDOW / 2, 1);
        assert!(!watch.is_failing(last + LONGEST_PAUSE + WINDOW));
    }
}
