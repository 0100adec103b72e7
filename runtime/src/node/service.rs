//! A running service: a responder under a supervisor.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use ractor::{Actor, ActorRef};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    HostedService, NodeConfig, children,
    endpoints::endpoints_of_service,
    health::{DomainHealth, Pulse},
    running::Tokens,
};
use crate::{
    client::Client,
    clock::Clock,
    connect::connect,
    failure::Breakage,
    responder::{Micro, Responder},
    supervise::{Supervisor, SupervisorMessage, Watch},
};

pub(super) struct RunningService {
    name: &'static str,
    supervisor: ActorRef<SupervisorMessage>,
    watch: Arc<Watch>,
    pulse: Arc<Pulse>,
    stop: CancellationToken,
    tasks: TaskTracker,
    connection: async_nats::Client,
}

impl RunningService {
    pub(super) async fn start(
        config: &NodeConfig,
        hosted: HostedService,
        tokens: &mut Tokens,
    ) -> Result<Self, Breakage> {
        let HostedService { name, user, queries, .. } = hosted;
        let connection = connect(&config.nats, user, "requests").await?;
        let client = Client::new(connection.clone()).await.map_err(Breakage::other)?;
        let clock = Clock::default();
        let verifier = tokens.verifier(&client, &clock);
        let (endpoints, infos) = endpoints_of_service(&queries);
        let [queries, internal_queries, commands] = Responder::admission();
        let tasks = TaskTracker::new();
        let responder = Arc::new(Responder {
            domain: name,
            connection: connection.clone(),
            client,
            backing: None,
            verifier: verifier.verifier.clone(),
            endpoints,
            queries,
            internal_queries,
            commands,
            micro: Arc::new(Micro::new("service", name, infos)),
            tasks: tasks.clone(),
        });
        let stop = CancellationToken::new();
        let watch = Arc::new(Watch::default());
        let pulse = Arc::new(Pulse::new(name, watch.clone(), clock));
        let children = vec![
            children::watching_connection(name, &connection, &pulse),
            children::learning_of_tokens(name, &verifier),
            children::responding(responder, &stop),
        ];
        let arguments = (name.to_owned(), children, watch.clone());
        let (supervisor, _) = Actor::spawn(None, Supervisor, arguments).await.map_err(Breakage::other)?;
        Ok(Self { name, supervisor, watch, pulse, stop, tasks, connection })
    }

    pub(super) fn health(&self) -> DomainHealth {
        self.pulse.health()
    }

    pub(super) async fn drain(&self, deadline: Instant) {
        self.watch.is_draining.store(true, Ordering::Relaxed);
        self.stop.cancel();
        let work = async {
            self.tasks.close();
            self.tasks.wait().await;
        };
        if tokio::time::timeout_at(deadline.into(), work).await.is_err() {
            tracing::warn!(service = self.name, "the drain took too long; what is open is not answered");
        }
        self.supervisor.stop_children(None);
        self.supervisor.stop(None);
        if let Err(error) = self.connection.drain().await {
            tracing::debug!(service = self.name, %error, "a connection was lost while closing");
        }
    }
}
