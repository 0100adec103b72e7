//! Restarts a server that exits, and stops it on shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::process::Server;
use crate::program::{Program, start};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A server that ran for this long resets the restart backoff.
const STABLE: Duration = Duration::from_secs(30);

/// A server under supervision.
pub(crate) struct Supervised {
    pid: Arc<AtomicU32>,
    task: Option<JoinHandle<()>>,
}

impl Supervised {
    /// Supervises a running server until `stopping` becomes true.
    pub(crate) fn watch<P: Program>(program: P, server: Server, stopping: watch::Receiver<bool>) -> Self {
        let pid = Arc::new(AtomicU32::new(server.pid));
        let task = tokio::spawn(supervise(program, server, pid.clone(), stopping));
        Self { pid, task: Some(task) }
    }

    /// The current process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.load(Ordering::Acquire)
    }

    /// Waits for the supervising task, which stops the server before it ends.
    pub(crate) async fn stopped(&mut self) -> Result<()> {
        match self.task.take() {
            Some(task) => task.await.context("a supervising task failed"),
            None => Ok(()),
        }
    }
}

async fn supervise<P: Program>(
    program: P,
    mut server: Server,
    pid: Arc<AtomicU32>,
    mut stopping: watch::Receiver<bool>,
) {
    let name = P::NAME;
    let mut pause = FIRST_PAUSE;
    loop {
        let since = Instant::now();
        tokio::select! {
            biased;
            () = stop_requested(&mut stopping) => return server.stop().await,
            how = server.ended() => tracing::warn!(server = name, pid = server.pid, how, "server exited, restarting"),
        }
        if since.elapsed() > STABLE {
            pause = FIRST_PAUSE;
        }
        server = loop {
            tokio::select! {
                biased;
                () = stop_requested(&mut stopping) => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            let mut stopping = stopping.clone();
            match start(&program, stop_requested(&mut stopping)).await {
                Ok(server) => break server,
                Err(error) => tracing::error!(server = name, error = format!("{error:#}"), "server restart failed"),
            }
        };
        pid.store(server.pid, Ordering::Release);
        tracing::info!(server = name, pid = server.pid, "server restarted");
    }
}

/// Completes when the stack stops or is dropped.
async fn stop_requested(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}
