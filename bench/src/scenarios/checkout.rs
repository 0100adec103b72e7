//! Checkout: logs in once, places orders over many variants, and waits until each is confirmed.

use super::preparation::prepare;
use super::{Outcome, Runner};

pub async fn run(runner: &Runner<'_>) -> anyhow::Result<Outcome> {
    let arguments = runner.arguments;
    let prepared = prepare(arguments, arguments.clients.len()).await?;
    let mut outcome = Outcome::default();
    for &clients in &arguments.clients {
        let (name, plan) = (format!("checkout/{clients}"), arguments.plan(clients));
        outcome.phases.push(runner.phase(&name, &plan, prepared.buying(prepared.variants.len())).await?);
    }
    outcome.checks.push(prepared.settle().await?);
    Ok(outcome)
}
