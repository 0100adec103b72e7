//! The load scenarios, one file each, with shared code beside them.

mod browse;
mod checkout;
mod flash;
mod ledger;
mod order;
mod preparation;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::arguments::{Arguments, Scenario};
use crate::load::{self, Measured, Script};
use crate::metrics::{self, BatchSize};

pub use self::flash::Comparison;
pub use self::ledger::{Check, Verdict};

#[derive(Debug, Serialize)]
pub struct Outcome {
    pub phases: Vec<Phase>,
    pub comparison: Option<Comparison>,
    pub checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
pub struct Phase {
    #[serde(flatten)]
    pub measured: Measured,
    pub batches: Batches,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Batches {
    Sizes(Vec<BatchSize>),
    Missing(String),
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    match arguments.scenario {
        Scenario::Browse => browse::run(arguments).await,
        Scenario::Checkout => checkout::run(arguments).await,
        Scenario::Flash => flash::run(arguments).await,
    }
}

/// Runs one phase, and reads the nodes' batch sizes before and after it.
async fn phase<S: Script>(arguments: &Arguments, name: &str, script: Arc<S>) -> anyhow::Result<Phase> {
    let read = || metrics::read(&arguments.metrics, Duration::from_secs(5));
    let before = read().await;
    let measured = load::run(name, script, &arguments.plan()).await?;
    let batches = match (before, read().await) {
        (Ok(before), Ok(after)) => Batches::Sizes(before.batches_until(&after)),
        (Err(error), _) | (_, Err(error)) => Batches::Missing(format!("{error:#}")),
    };
    Ok(Phase { measured, batches })
}
