//! Injects the planned faults on schedule, and undoes each after its pause.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use subjects::DOMAINS;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::cluster::{Cluster, SIZE};
use super::plan::{Fault, Planned, PostgresEnd, Target};
use super::process::Process;
use super::timeline::Timeline;

/// The interval of checks for processes that exited by themselves.
const POLL: Duration = Duration::from_millis(500);

/// Injects all planned faults, returns when the last one is undone, and reports those that failed.
pub async fn run(cluster: &Arc<Cluster>, plan: Vec<Planned>, timeline: &Arc<Timeline>) -> Vec<String> {
    let began = Instant::now();
    let mut faults = JoinSet::new();
    for planned in plan {
        let (cluster, timeline) = (Arc::clone(cluster), Arc::clone(timeline));
        faults.spawn(async move {
            sleep_until(began + planned.at).await;
            one(&cluster, planned, &timeline).await.map_err(|error| format!("{:?}: {error:#}", planned.fault))
        });
    }
    let mut failed = Vec::new();
    while let Some(done) = faults.join_next().await {
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failed.push(error),
            Err(error) => failed.push(error.to_string()),
        }
    }
    failed
}

/// Restarts processes that exited by themselves, as a cluster manager would. Never completes.
pub async fn keep_running(cluster: Arc<Cluster>, timeline: Arc<Timeline>) {
    loop {
        sleep(POLL).await;
        for process in cluster.processes() {
            // Locked by a fault, which restarts the process itself.
            let Ok(mut process) = process.try_lock() else { continue };
            match process.ended() {
                Ok(None) => {}
                Ok(Some(status)) => {
                    let words = process.last_words();
                    timeline.step(&format!("{} exited by itself ({status}), restarting: {words}", process.name));
                    if let Err(error) = process.start() {
                        timeline.step(&format!("{error:#}"));
                    }
                }
                Err(error) => timeline.step(&format!("{}: {error:#}", process.name)),
            }
        }
    }
}

async fn one(cluster: &Cluster, planned: Planned, timeline: &Timeline) -> Result<()> {
    let Planned { fault, pause, .. } = planned;
    let seconds = pause.as_secs_f64();
    match fault {
        Fault::Kill(target) => {
            let process = cluster.process(target)?;
            let mut process = process.lock().await;
            process.kill().await?;
            timeline.fault(&format!("kill -9 of {}, back after {seconds:.1} s", process.name));
            sleep(pause).await;
            process.start()
        }
        Fault::Terminate(target) => {
            let process = cluster.process(target)?;
            let mut process = process.lock().await;
            timeline.fault(&format!("SIGTERM to {}, back {seconds:.1} s after its end", process.name));
            process.stop().await?;
            sleep(pause).await;
            process.start()
        }
        Fault::Freeze(Target::Postgres) => {
            let frozen = freeze_postgres(cluster)?;
            timeline.fault(&format!("SIGSTOP of PostgreSQL, {} processes, for {seconds:.1} s", frozen.len()));
            sleep(pause).await;
            frozen.iter().try_for_each(|pid| signal(*pid, Signal::CONT))
        }
        Fault::Freeze(target) => {
            let process = cluster.process(target)?;
            let process = process.lock().await;
            if let Err(error) = process.signal(Signal::STOP) {
                timeline.step(&format!("nothing to freeze: {error:#}"));
                return Ok(());
            }
            timeline.fault(&format!("SIGSTOP of {} for {seconds:.1} s", process.name));
            sleep(pause).await;
            process.signal(Signal::CONT)
        }
        Fault::Wipe(server) => wipe(cluster, &[server], pause, timeline).await,
        Fault::WipeAll => wipe(cluster, &(0..SIZE.nats).collect::<Vec<_>>(), pause, timeline).await,
        Fault::EndPostgres(end) => {
            let signal = match end {
                PostgresEnd::Fast => Signal::INT,
                PostgresEnd::Immediate => Signal::QUIT,
                PostgresEnd::Kill => Signal::KILL,
            };
            timeline.fault(&format!("PostgreSQL: {end}"));
            kill_process(postmaster(cluster)?, signal).context("PostgreSQL")
        }
        Fault::StepDown => {
            let stream = DOMAINS[planned.pause.as_millis() as usize % DOMAINS.len()].to_uppercase();
            timeline.fault(&format!("the leaders of the stream {stream} and of its consumers step down"));
            // Without a leader there is nothing to step down; another fault causes that.
            if let Err(error) = step_down(cluster, &stream).await {
                timeline.step(&format!("not all of them did: {error:#}"));
            }
            Ok(())
        }
        Fault::WrongClock { node, seconds } => {
            let process = cluster.process(Target::Node(node))?;
            let mut process = process.lock().await;
            process.kill().await?;
            process.start_at_wrong_time(seconds)?;
            timeline.fault(&format!("{}'s clock is {seconds:+} s off for {:.1} s", process.name, pause.as_secs_f64()));
            sleep(pause).await;
            process.kill().await?;
            process.start()
        }
    }
}

fn postmaster(cluster: &Cluster) -> Result<Pid> {
    i32::try_from(cluster.stack.pg_pid()).ok().and_then(Pid::from_raw).context("no PostgreSQL")
}

/// Stops the postmaster first, so that it forks no further processes, then its children.
fn freeze_postgres(cluster: &Cluster) -> Result<Vec<Pid>> {
    let postmaster = postmaster(cluster)?;
    signal(postmaster, Signal::STOP)?;
    let number = postmaster.as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{number}/task/{number}/children"))
        .context("PostgreSQL's processes cannot be listed")?;
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw);
    let frozen: Vec<Pid> = std::iter::once(postmaster).chain(children).collect();
    frozen.iter().try_for_each(|pid| signal(*pid, Signal::STOP))?;
    Ok(frozen)
}

/// Signals a process; one that has ended in the meantime is not an error.
fn signal(pid: Pid, signal: Signal) -> Result<()> {
    match kill_process(pid, signal) {
        Err(error) if error != rustix::io::Errno::SRCH => Err(error).context("a process of PostgreSQL"),
        _ => Ok(()),
    }
}

async fn wipe(cluster: &Cluster, servers: &[usize], pause: Duration, timeline: &Timeline) -> Result<()> {
    let processes: Vec<Arc<Mutex<Process>>> =
        servers.iter().map(|server| cluster.process(Target::Nats(*server))).collect::<Result<_>>()?;
    let mut held = Vec::new();
    for process in &processes {
        held.push(process.lock().await);
    }
    for process in &mut held {
        process.kill().await?;
    }
    for server in servers {
        let store = cluster.store(*server);
        if store.exists() {
            std::fs::remove_dir_all(&store).with_context(|| format!("{}", store.display()))?;
        }
    }
    let which = match servers {
        [one] => format!("nats-{one}'s store is"),
        _ => "the stores of all nats-servers are".to_owned(),
    };
    timeline.fault(&format!("{which} wiped, back after {:.1} s", pause.as_secs_f64()));
    sleep(pause).await;
    held.iter_mut().try_for_each(|process| process.start())
}

async fn step_down(cluster: &Cluster, stream: &str) -> Result<()> {
    let work = async {
        let jetstream = cluster.jetstream().await?;
        let consumers: Vec<String> = jetstream.get_stream(stream).await?.consumer_names().try_collect().await?;
        for consumer in consumers {
            let subject = format!("CONSUMER.LEADER.STEPDOWN.{stream}.{consumer}");
            let _: Value = jetstream.request(subject, &()).await?;
        }
        let _: Value = jetstream.request(format!("STREAM.LEADER.STEPDOWN.{stream}"), &()).await?;
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(5), work).await.context("no answer within 5 s")?
}
