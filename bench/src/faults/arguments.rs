//! What a run of faults is asked to do.

use std::path::PathBuf;

use clap::Args;

/// Starts a cluster on this machine, buys from it, breaks it, lets it heal, and compares every answer with the end.
///
/// The cluster: three nats-servers with streams on all three, PostgreSQL, a payment provider that misbehaves, two nodes
/// of every group of domains, two gateways. Faults are drawn from the seed: kill -9 and SIGSTOP of any process, SIGTERM
/// of nodes, a store directory wiped (or all three), a restart or crash of PostgreSQL, leaders that step down, a node
/// whose clock is wrong. Exit code 1 when an order was lost or doubled, stock oversold, money wrong, or `souk check`
/// names a fault.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Which faults, when and where: the same seed plans the same ones
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Runs in a row, each with the next seed and a new cluster
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub runs: u64,

    /// Seconds under faults
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=600))]
    pub seconds: u64,

    /// People who buy at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub buyers: u32,

    /// The `souk` program; without it the one beside this program, built first when cargo runs this
    #[arg(long, value_name = "PROGRAM")]
    pub souk: Option<PathBuf>,

    /// Keep the directory of the run, with the logs of every process, when it fails
    #[arg(long)]
    pub keep: bool,
}
