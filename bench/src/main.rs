//! Load tests of a running shop through its public API, compared with the limits of the machine.
//!
//! A rate means little without the machine it was measured on. Every run therefore first measures the limits of the
//! machine (a bare poem server, a bare NATS request-reply, the batched SQL write alone) and prints each figure as a
//! share of them. What an order costs in CPU time, statements and messages depends less on the machine.
//!
//! To read first: `arguments.rs` (the command line), `load/mod.rs` (the load loop), `costs/mod.rs` (what is counted).

mod arguments;
mod costs;
mod faults;
mod generator;
mod http;
mod limits;
mod load;
mod machine;
mod profile;
mod program;
mod report;
mod scenarios;
mod shop;
mod short;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use serde::Serialize;

use crate::arguments::{Arguments, Command, Program};
use crate::costs::Watch;
use crate::generator::Share;
use crate::profile::{Profile, Recording};
use crate::report::Report;
use crate::scenarios::Runner;

#[tokio::main]
async fn main() -> ExitCode {
    let work = async {
        match Program::parse().command {
            Command::Load(load) => print(&load.arguments(), false).await,
            Command::Profile { load } => print(&load.arguments(), true).await,
            Command::Short(arguments) => short::run(&arguments).await,
            Command::Faults(arguments) => faults::run(&arguments).await,
        }
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

/// Runs one scenario, prints its report, and returns whether all results were as expected.
async fn print(arguments: &Arguments, is_profiled: bool) -> anyhow::Result<bool> {
    let report = measure(arguments, is_profiled).await?;
    println!("{report}");
    if let Some(path) = &arguments.json {
        write_json(path, &report)?;
    }
    Ok(report.is_clean())
}

async fn measure(arguments: &Arguments, is_profiled: bool) -> anyhow::Result<Report> {
    machine::require_open_files(arguments.open_files_needed())?;
    // A profile answers where the time goes, not how much the machine could do.
    let limits = if is_profiled { Vec::new() } else { limits::take(arguments).await };
    let watch = Watch::open(arguments).await;
    let recording = if is_profiled { Some(Recording::start().await) } else { None };
    // Only now: the servers of the limits and the recorders are not part of the load generator.
    let share = Share::enter();
    let outcome = scenarios::run(&Runner { arguments, watch: Arc::clone(&watch) }).await?;
    let generator = match &share {
        Ok(share) => format!("in a CPU share of its own: {share}"),
        Err(error) => format!("without a CPU share of its own: {error:#}"),
    };
    drop(share);
    let profile = match recording {
        Some(recording) => Some(Profile::of(&watch, &outcome.phases, recording).await),
        None => None,
    };
    Ok(Report::new(arguments, limits, generator, outcome, profile))
}

fn write_json(path: &Path, report: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(report).context("the report as JSON")?;
    std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))
}
