//! The load scenarios, one file each, with shared code beside them.

mod browse;
mod checkout;
pub mod flash;
mod ledger;
mod mixed;
mod order;
pub mod overload;
mod preparation;

use std::sync::Arc;

use serde::Serialize;

use crate::arguments::{Arguments, Scenario};
use crate::costs::{Costs, Watch};
use crate::load::{self, Measured, Plan, Script};

pub use self::flash::Comparison;
pub use self::ledger::{Check, Verdict};
pub use self::overload::Step;

#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    pub phases: Vec<Phase>,
    pub comparisons: Vec<Comparison>,
    /// The steps of an overload.
    pub steps: Vec<Step>,
    pub checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
pub struct Phase {
    #[serde(flatten)]
    pub measured: Measured,
    #[serde(flatten)]
    pub costs: Costs,
}

/// Runs phases with the arguments of the command line, and reads what they cost.
pub struct Runner<'a> {
    pub arguments: &'a Arguments,
    pub watch: Arc<Watch>,
}

pub async fn run(runner: &Runner<'_>) -> anyhow::Result<Outcome> {
    match runner.arguments.scenario {
        Scenario::Browse => browse::run(runner).await,
        Scenario::Checkout => checkout::run(runner).await,
        Scenario::Flash => flash::run(runner).await,
        Scenario::Mixed => mixed::run(runner).await,
        Scenario::Overload => overload::run(runner).await,
    }
}

impl Runner<'_> {
    async fn phase<S: Script>(&self, name: &str, plan: &Plan, script: Arc<S>) -> anyhow::Result<Phase> {
        let watch = Arc::clone(&self.watch);
        let (measured, costs) = load::run_beside(name, script, plan, |window| watch.across(window)).await?;
        Ok(Phase { measured, costs })
    }
}
