//! The common part of nats-server and PostgreSQL: they are found, adopted, started and awaited.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::Progress;
use crate::home;
use crate::process::{Farewell, Server, eventually, find_orphan, tail};

/// An orphan that does not answer within this time is replaced.
const ADOPTION: Duration = Duration::from_secs(5);
/// PostgreSQL replays its log after a crash before it answers.
const START: Duration = Duration::from_secs(120);

/// A server program.
pub(crate) trait Program: Send + Sync + 'static {
    /// The name in messages.
    const NAME: &'static str;
    /// The environment variable that sets the port.
    const PORT_VARIABLE: &'static str;

    /// The port on 127.0.0.1.
    fn port(&self) -> u16;
    /// The argument that identifies the process: a path below the home.
    fn marker(&self) -> &str;
    /// The path of the pid file.
    fn pid_file(&self) -> PathBuf;
    /// The path of the log.
    fn log(&self) -> &Path;
    /// How the process is stopped.
    fn farewell(&self) -> Farewell;
    /// Starts the process.
    fn spawn(&self) -> Result<Server>;
    /// Whether it answers a client.
    fn answers(&self) -> impl Future<Output = bool> + Send;
}

/// Adopts the orphan of a killed parent if it answers and its configuration is unchanged; otherwise starts a new
/// process.
pub(crate) async fn launch<P: Program>(program: &P, changed: bool, progress: &Progress) -> Result<Server> {
    let name = P::NAME;
    if let Some(pid) = find_orphan(&program.pid_file(), program.marker())? {
        let orphan = Server::adopt(pid, program.marker(), program.farewell());
        if !changed && eventually(ADOPTION, || program.answers()).await {
            progress(&format!("{name}: adopted pid {pid} of an earlier run on 127.0.0.1:{}", program.port()));
            return Ok(orphan);
        }
        progress(&format!("{name}: stopping pid {pid} of an earlier run"));
        orphan.stop().await;
    }
    if !home::is_free(program.port()) {
        bail!(
            "port {} of 127.0.0.1, wanted for {name}, is taken by another program: stop that or set {}",
            program.port(),
            P::PORT_VARIABLE
        );
    }
    let server = start(program, std::future::pending()).await?;
    progress(&format!("{name}: started on 127.0.0.1:{}, pid {}", program.port(), server.pid));
    Ok(server)
}

/// Starts the process and waits until it answers or `cancelled` completes.
pub(crate) async fn start<P: Program>(program: &P, cancelled: impl Future<Output = ()>) -> Result<Server> {
    let mut server = program.spawn()?;
    let answered = tokio::select! {
        answered = eventually(START, || program.answers()) => answered,
        () = cancelled => {
            server.stop().await;
            bail!("{} was stopped while it started", P::NAME);
        }
        how = server.ended() => bail!("{} ended at once ({how}):\n  {}", P::NAME, tail(program.log())),
    };
    if !answered {
        server.stop().await;
        bail!("{} does not answer after {} s:\n  {}", P::NAME, START.as_secs(), tail(program.log()));
    }
    Ok(server)
}
