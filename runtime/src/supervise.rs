//! Supervision: one for one, with a growing pause and a limit of intensity. The actor library would stop a supervisor
//! when a child dies; the policy here is ours.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};

use crate::failure::Breakage;

/// More restarts of one child within a minute than this, and its domain is not ready.
const INTENSITY: usize = 10;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How a child is started, also again.
pub(crate) type Spawn = Box<dyn Fn(ActorCell) -> BoxFuture<'static, Result<ActorCell, SpawnErr>> + Send + Sync>;

/// A child of a supervisor.
pub(crate) struct Child {
    pub name: String,
    pub spawn: Spawn,
}

/// What a supervisor and those who ask for its health share.
#[derive(Default)]
pub(crate) struct Watch {
    /// A child died too often.
    pub is_failing: AtomicBool,
    /// Whoever ends now was told to.
    pub is_draining: AtomicBool,
}

pub(crate) struct Supervisor;

pub(crate) enum SupervisorMessage {
    Start(usize),
}

struct Running {
    child: Child,
    cell: Option<ActorCell>,
    restarts: Vec<Instant>,
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
        let children = children.into_iter().map(|child| Running { child, cell: None, restarts: Vec::new() }).collect();
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
                tracing::error!(supervisor = state.name, child = running.child.name, %error, "a child did not start");
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
            SupervisionEvent::ActorTerminated(cell, _, reason) => (cell, reason.unwrap_or_else(|| "it ended".into())),
            _ => return Ok(()),
        };
        if state.watch.is_draining.load(Ordering::Relaxed) {
            return Ok(());
        }
        let found = state.children.iter().position(|r| r.cell.as_ref().is_some_and(|c| c.get_id() == cell.get_id()));
        if let Some(number) = found {
            tracing::error!(supervisor = state.name, child = state.children[number].child.name, reason, "a child died");
            restart(&myself, state, number);
        }
        Ok(())
    }
}

fn restart(myself: &ActorRef<SupervisorMessage>, state: &mut SupervisorState, number: usize) {
    let Some(running) = state.children.get_mut(number) else { return };
    running.cell = None;
    let now = Instant::now();
    running.restarts.retain(|at| now.duration_since(*at) < Duration::from_secs(60));
    running.restarts.push(now);
    let count = running.restarts.len();
    metrics::counter!("actor_restarts_total", "actor" => running.child.name.clone()).increment(1);
    if count > INTENSITY {
        state.watch.is_failing.store(true, Ordering::Relaxed);
    }
    let doublings = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX).min(7);
    let pause = (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
    myself.send_after(pause, move || SupervisorMessage::Start(number));
}

/// A long-running loop as an actor: it fails when the loop breaks or panics, and ends when the loop ends.
pub(crate) struct Task;

pub(crate) type TaskBody = Arc<dyn Fn() -> BoxFuture<'static, Result<(), Breakage>> + Send + Sync>;

pub(crate) enum TaskEnd {
    Ended,
    Broke(String),
}

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
            let end = match task.await {
                Ok(Ok(())) => TaskEnd::Ended,
                Ok(Err(breakage)) => TaskEnd::Broke(breakage.to_string()),
                Err(error) => TaskEnd::Broke(error.to_string()),
            };
            // The actor may have been stopped meanwhile, which aborts the task: then nobody needs to be told.
            drop(myself.cast(end));
        });
        Ok(abort)
    }

    async fn handle(
        &self,
        myself: ActorRef<TaskEnd>,
        message: TaskEnd,
        _state: &mut tokio::task::AbortHandle,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            TaskEnd::Ended => {
                myself.stop(None);
                Ok(())
            }
            TaskEnd::Broke(reason) => Err(reason.into()),
        }
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
    F: Future<Output = Result<(), Breakage>> + Send + 'static,
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
