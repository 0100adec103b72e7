//! What nats-server and PostgreSQL have in common: being found, adopted, started and waited for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::Progress;
use crate::home;
use crate::process::{Farewell, Server, eventually, find_orphan, tail};

/// An orphan that does not answer in this time is replaced.
const ADOPTION: Duration = Duration::from_secs(5);
/// PostgreSQL replays its log after a crash before it answers.
const START: Duration = Duration::from_secs(120);

/// One of the two servers.
pub(crate) trait Program: Send + Sync + 'static {
    /// Its name in messages.
    const NAME: &'static str;
    /// The variable that sets its port.
    const PORT_VARIABLE: &'static str;

    /// Its port on 127.0.0.1.
    fn port(&self) -> u16;
    /// The argument that tells its process from all others: a path below the home.
    fn marker(&self) -> &str;
    /// Where its process id is noted.
    fn pid_file(&self) -> PathBuf;
    /// Where its words go.
    fn log(&self) -> &Path;
    /// How it is told to stop.
    fn farewell(&self) -> Farewell;
    /// Starts the process.
    fn spawn(&self) -> Result<Server>;
    /// Whether it answers a client.
    fn answers(&self) -> impl Future<Output = bool> + Send;
}

/// Adopts the orphan of a killed parent where it answers and its configuration is unchanged, else starts anew.
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

/// Starts the process and waits until it answers, or until the wait is cancelled.
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
