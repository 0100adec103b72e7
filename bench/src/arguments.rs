//! The command line. Every number has a bound, so that a typing error is rejected.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::faults;
use crate::http::Target;
use crate::load::Plan;

/// Timeout of a request; above the longest `Prefer: wait` that the shop grants.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);

/// Open files besides the clients' connections.
pub const SPARE_FILES: u64 = 100;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    #[default]
    Browse,
    Checkout,
    Flash,
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
    /// Browse a running shop: nine product pages per listing
    Browse(Arguments),
    /// Place orders over up to 40 variants and wait until each is confirmed
    Checkout(Arguments),
    /// Place orders spread over variants and on one variant, twice each; prints the ratio and its noise
    Flash(Arguments),
    /// Buy from a private cluster under injected faults, then verify its final state
    Faults(faults::Arguments),
}

/// Puts load on a running shop and prints its figures beside the limits of the machine.
///
/// Needs the accounts of the demo shop. `checkout` and `flash` raise the stock of the variants they buy, permanently.
/// Exit code 1 after any unexpected result.
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

    /// Clients, each with a keep-alive connection of its own
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub clients: u32,

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

    /// URL of a PostgreSQL superuser, for the limit of the SQL write; by default that of the running local stack
    #[arg(long, value_name = "URL", env = "SOUK_BENCH_DATABASE_URL", hide_env_values = true)]
    #[serde(skip)]
    pub database_url: Option<String>,

    /// Home of the local stack
    #[arg(long, value_name = "DIR", env = "SOUK_HOME", default_value = ".souk")]
    pub home: PathBuf,
}

impl Arguments {
    pub fn plan(&self) -> Plan {
        Plan {
            clients: self.clients,
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
            ..self.plan()
        }
    }

    pub fn open_files_needed(&self) -> u64 {
        u64::from(self.clients) + SPARE_FILES
    }
}

/// The arguments of a load.
#[cfg(test)]
pub fn parse(line: &str) -> Result<Arguments, clap::Error> {
    let program = Program::try_parse_from(std::iter::once("bench").chain(line.split_whitespace()))?;
    match program.command {
        Command::Browse(arguments) | Command::Checkout(arguments) | Command::Flash(arguments) => Ok(arguments),
        Command::Faults(arguments) => panic!("{arguments:?}"),
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
}
