//! The command line of `bench faults`.

use std::path::PathBuf;

use clap::Args;

/// Starts a cluster on this machine, buys from it under injected faults, waits until it has recovered, and compares
/// every reply with the final state.
///
/// The cluster: three nats-servers with streams on all three, PostgreSQL, a payment provider that misbehaves, two nodes
/// of every group of domains, two gateways. Faults are drawn from the seed: kill -9 and SIGSTOP of any process, SIGTERM
/// of nodes, a store directory wiped (or all three), a restart or crash of PostgreSQL, leaders that step down, a node
/// whose clock is wrong. Exit code 1 if an order was lost or doubled, stock oversold, money wrong, or `souk check`
/// finds a violation.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The seed of the plan of faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// The number of runs, each with the next seed and a new cluster
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub runs: u64,

    /// Seconds of fault injection
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=600))]
    pub seconds: u64,

    /// The number of concurrent buyers
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub buyers: u32,

    /// The `souk` program; by default the one beside this program, built first if cargo runs this
    #[arg(long, value_name = "PROGRAM")]
    pub souk: Option<PathBuf>,

    /// Keep the directory of a failed run, with the logs of every process
    #[arg(long)]
    pub keep: bool,
}
