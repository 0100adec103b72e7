//! `bench short`: a short form of every scenario on a private shop, and the goals with their figures.

mod shop;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use crate::arguments::{self, Scenario};
use crate::report::{Achieved, Report, goal_table};
use crate::{machine, program};

use self::shop::PrivateShop;

/// A scenario, its clients and the seconds of each phase.
type Run = (Scenario, &'static [u32], u64);

/// Five minutes in all.
const RUNS: [Run; 5] = [
    (Scenario::Checkout, &[1, 16, 256], 15),
    (Scenario::Flash, &[256], 10),
    (Scenario::Mixed, &[64], 15),
    (Scenario::Browse, &[64], 15),
    (Scenario::Overload, &[256], 10),
];
const WARMUP_SECONDS: u64 = 2;
const LIMIT_SECONDS: u64 = 3;

/// Starts a shop of its own on free ports, with statistics, and removes it at the end. No other shop may run on the
/// machine. Exit code 1 after any unexpected result; a missed goal is none.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The `souk` program; by default the one beside this program, built first if cargo runs this
    #[arg(long, value_name = "PROGRAM")]
    pub souk: Option<PathBuf>,

    /// Also write the reports and the goals to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

#[derive(Serialize)]
struct All {
    reports: Vec<Report>,
    goals: Vec<Achieved>,
}

/// Runs everything and returns whether all results were as expected.
pub async fn run(arguments: &Arguments) -> Result<bool> {
    let souk = program::souk(arguments.souk.as_deref()).await?;
    let began = Instant::now();
    let shop = PrivateShop::start(&souk).await?;
    let mut loads = RUNS.iter().map(|run| load(&shop, *run)).collect::<Result<Vec<_>>>()?;
    // The machine does not change in between.
    loads[0].limit_seconds = LIMIT_SECONDS;
    for load in &loads {
        machine::require_open_files(load.open_files_needed())?;
    }
    let mut reports: Vec<Report> = Vec::new();
    for (number, load) in (1..).zip(&loads) {
        eprintln!("[{:5.1} s] {number} of {}: {:?}", began.elapsed().as_secs_f64(), loads.len(), load.scenario);
        let report = crate::measure(load, false).await?;
        println!("{report}");
        reports.push(report);
    }
    eprintln!("[{:5.1} s] stopping the shop", began.elapsed().as_secs_f64());
    shop.stop().await?;
    let is_clean = reports.iter().all(Report::is_clean);
    let goals: Vec<Achieved> = reports.iter().flat_map(|report| report.goals.clone()).collect();
    println!("{}", goal_table(&goals));
    if let Some(path) = &arguments.json {
        crate::write_json(path, &All { reports, goals })?;
    }
    Ok(is_clean)
}

fn load(shop: &PrivateShop, (scenario, clients, seconds): Run) -> Result<arguments::Arguments> {
    let target = |port: u16| format!("http://127.0.0.1:{port}").parse().map_err(anyhow::Error::msg).context("a URL");
    Ok(arguments::Arguments {
        scenario,
        urls: vec![target(shop.http)?],
        metrics: vec![target(shop.metrics)?],
        clients: clients.to_vec(),
        seconds,
        warmup: WARMUP_SECONDS,
        rate: None,
        json: None,
        limit_seconds: 0,
        nats: None,
        nats_monitor: None,
        database_url: None,
        home: shop.home(),
    })
}
