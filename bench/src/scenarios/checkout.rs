//! Checkout: logs in once, places orders over many variants, and waits until each is confirmed.

use super::preparation::prepare;
use super::{Outcome, phase};
use crate::arguments::Arguments;

pub async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let prepared = prepare(arguments).await?;
    let phase = phase(arguments, "checkout", prepared.buying(prepared.variants.len())).await?;
    let check = prepared.settle().await?;
    Ok(Outcome { phases: vec![phase], comparison: None, checks: vec![check] })
}
