//! The command line. Every number has a bound, so that a typing error is rejected.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::http::Target;
use crate::load::Plan;
use crate::scenarios::overload;
use crate::{faults, short};

/// Timeout of a request; above the longest `Prefer: wait` that the shop grants.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);

/// Open files besides the clients' connections.
pub const SPARE_FILES: u64 = 100;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    #[default]
    Browse,
    Checkout,
    Flash,
    Mixed,
    Overload,
}

/// Load tests and fault injection.
#[derive(Debug, Parser)]
#[command(name = "bench", version, max_term_width = 110)]
pub struct Program {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Load(Load),
    /// Run a scenario and print its top costs: statements, and symbols of each process where perf is installed
    Profile {
        #[command(subcommand)]
        load: Load,
    },
    /// Run a short form of every scenario on a private shop, in less than ten minutes, and print the goals
    Short(short::Arguments),
    /// Buy from a private cluster under injected faults, then verify its final state
    Faults(faults::Arguments),
}

#[derive(Debug, Subcommand)]
pub enum Load {
    /// Browse a running shop: nine product pages per listing
    Browse(Arguments),
    /// Place orders over up to 40 variants and wait until each is confirmed
    Checkout(Arguments),
    /// Place orders spread over variants and on one variant, twice each; prints the ratio and its noise
    Flash(Arguments),
    /// Browse and place orders: 95 reads to 5 orders
    Mixed(Arguments),
    /// Place orders with 2, 4, 8 and 16 times the clients that saturate the shop, which `--clients` names; with clients
    /// that honour `Retry-After`, and with clients that do not. Reads go on beside them
    Overload(Arguments),
}

impl Load {
    pub fn arguments(self) -> Arguments {
        let (scenario, arguments) = match self {
            Self::Browse(arguments) => (Scenario::Browse, arguments),
            Self::Checkout(arguments) => (Scenario::Checkout, arguments),
            Self::Flash(arguments) => (Scenario::Flash, arguments),
            Self::Mixed(arguments) => (Scenario::Mixed, arguments),
            Self::Overload(arguments) => (Scenario::Overload, arguments),
        };
        Arguments { scenario, ..arguments }
    }
}

/// Puts load on a running shop and prints its figures beside the limits of the machine.
///
/// Needs the accounts of the demo shop. Orders raise the stock of the variants they buy, permanently. Statements and
/// messages are counted on a local stack that was started with SOUK_STACK_STATISTICS=true. Exit code 1 after any
/// unexpected result.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Arguments {
    #[arg(skip)]
    pub scenario: Scenario,

    /// Base URL of a gateway; repeat it for several nodes, clients use them in turn
    #[arg(long = "url", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub urls: Vec<Target>,

    /// Metrics endpoint of a node, for the batch sizes; repeat it for several nodes
    #[arg(long = "metrics", value_name = "URL", default_value = "http://127.0.0.1:9464")]
    pub metrics: Vec<Target>,

    /// Clients, each with a keep-alive connection of its own; several numbers are run in turn: 1,16,256
    #[arg(long, value_delimiter = ',', default_value = "64", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub clients: Vec<u32>,

    /// Measured seconds of each phase
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,

    /// Seconds of warm-up, whose errors count but whose figures do not
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub warmup: u64,

    /// Open loop: this many requests per second regardless of the replies, with latency counted from the scheduled
    /// time of each. By default, every client sends its next request after the reply to the last
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,

    /// Also write the report to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Seconds of measuring each limit of the machine; 0 skips them
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(0..=60))]
    pub limit_seconds: u64,

    /// Measure the NATS limit on this server, which must allow `bench.>`, instead of a private one
    #[arg(long, value_name = "URL")]
    #[serde(skip)]
    pub nats: Option<String>,

    /// nats-server's monitoring, for the number of messages; by default that of the running local stack
    #[arg(long, value_name = "URL")]
    pub nats_monitor: Option<Target>,

    /// URL of a PostgreSQL superuser, for the limit of the SQL write and the number of statements; by default that of
    /// the running local stack
    #[arg(long, value_name = "URL", env = "SOUK_BENCH_DATABASE_URL", hide_env_values = true)]
    #[serde(skip)]
    pub database_url: Option<String>,

    /// Home of the local stack
    #[arg(long, value_name = "DIR", env = "SOUK_HOME", default_value = ".souk")]
    pub home: PathBuf,
}

impl Arguments {
    pub fn plan(&self, clients: u32) -> Plan {
        Plan {
            clients,
            warmup: Duration::from_secs(self.warmup),
            window: Duration::from_secs(self.seconds),
            rate: self.rate,
            timeout: REQUEST_TIMEOUT,
        }
    }

    /// The limits run as a closed loop in every scenario, since they measure the maximum of the machine.
    pub fn limit_plan(&self) -> Plan {
        Plan {
            warmup: Duration::from_secs(1),
            window: Duration::from_secs(self.limit_seconds),
            rate: None,
            ..self.plan(self.most_clients())
        }
    }

    pub fn most_clients(&self) -> u32 {
        self.clients.iter().copied().max().unwrap_or(1)
    }

    pub fn open_files_needed(&self) -> u64 {
        let times = if self.scenario == Scenario::Overload { overload::MOST_TIMES } else { 1 };
        u64::from(self.most_clients()) * u64::from(times) + u64::from(overload::READERS) + SPARE_FILES
    }

    pub fn superuser_url(&self) -> anyhow::Result<String> {
        match &self.database_url {
            Some(url) => Ok(url.clone()),
            None => Ok(stack::find_running(&self.home)?.superuser_url("postgres")),
        }
    }
}

/// The arguments of a load.
#[cfg(test)]
pub fn parse(line: &str) -> Result<Arguments, clap::Error> {
    let program = Program::try_parse_from(std::iter::once("bench").chain(line.split_whitespace()))?;
    match program.command {
        Command::Load(load) | Command::Profile { load } => Ok(load.arguments()),
        other => panic!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_may_be_named_more_than_once() {
        let arguments = parse("checkout --url http://127.0.0.1:1 --url http://127.0.0.1:2").expect("parses");
        assert_eq!(arguments.urls.len(), 2);
        assert_eq!(arguments.metrics.len(), 1);
    }

    #[test]
    fn every_number_is_bounded() {
        for line in ["browse --clients 20001", "browse --clients 0", "browse --seconds 3601", "flash --rate 0"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("browse --clients 20000 --seconds 3600").is_ok());
    }

    #[test]
    fn several_numbers_of_clients_are_run_in_turn() {
        assert_eq!(parse("checkout").expect("parses").clients, [64]);
        let arguments = parse("profile checkout --clients 1,16,256").expect("parses");
        assert_eq!((arguments.scenario, arguments.clients.as_slice()), (Scenario::Checkout, [1, 16, 256].as_slice()));
        assert!(parse("checkout --clients 1,,2").is_err());
    }

    #[test]
    fn overload_needs_a_connection_for_each_of_its_clients() {
        assert!(parse("overload --clients 256").expect("parses").open_files_needed() > 4096);
        assert!(parse("checkout --clients 256").expect("parses").open_files_needed() < 1024);
    }
}
