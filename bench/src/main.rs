//! Load tests of a running shop through its public API, compared with the limits of the machine.
//!
//! A rate means little without the machine it was measured on. Every run therefore first measures the limits of the
//! machine (a bare poem server, a bare NATS request-reply, the batched SQL write alone) and prints each figure as a
//! share of them.
//!
//! To read first: `arguments.rs` (the command line), `load/mod.rs` (the load loop), `faults/mod.rs` (fault injection).

mod arguments;
mod faults;
mod http;
mod limits;
mod load;
mod machine;
mod metrics;
mod processes;
mod report;
mod scenarios;
mod shop;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::arguments::{Arguments, Command, Program, Scenario};
use crate::report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    let work = async {
        let (scenario, arguments) = match Program::parse().command {
            Command::Browse(arguments) => (Scenario::Browse, arguments),
            Command::Checkout(arguments) => (Scenario::Checkout, arguments),
            Command::Flash(arguments) => (Scenario::Flash, arguments),
            Command::Faults(arguments) => return faults::run(&arguments).await,
        };
        Ok(run(&Arguments { scenario, ..arguments }).await?.is_clean())
    };
    let result = tokio::select! {
        result = work => result,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted, nothing is reported")),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    machine::require_open_files(arguments.open_files_needed())?;
    let limits = limits::take(arguments).await;
    let outcome = scenarios::run(arguments).await?;
    let report = Report::new(arguments, limits, outcome);
    println!("{report}");
    if let Some(path) = &arguments.json {
        let json = serde_json::to_vec_pretty(&report).context("the report as JSON")?;
        std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(report)
}
