//! The limits of the machine when only the bare mechanism runs, measured in the same run as the figures beside them. If
//! a limit cannot be measured, the report gives the reason and the run continues.

mod apart;
mod bare_nats;
mod bare_poem;
mod batched_sql;
mod nats_server;

use std::future::Future;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::load::{Figures, Measured};

#[derive(Debug, Clone, Serialize)]
pub struct Limit {
    pub name: &'static str,
    pub what: &'static str,
    /// May be fewer than the shop has; see each limit.
    pub clients: u32,
    #[serde(flatten)]
    pub taken: Taken,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    Figures(Figures),
    Missing(String),
}

impl Limit {
    pub fn per_second(&self) -> Option<f64> {
        match &self.taken {
            Taken::Figures(figures) if figures.per_second > 0.0 => Some(figures.per_second),
            _ => None,
        }
    }
}

/// A limit whose seconds vary by more is a poor reference, which the report mentions.
const STEADY: f64 = 1.2;

impl Limit {
    /// The ratio of the fastest to the slowest second, if it is too high.
    pub fn unsteady(&self) -> Option<f64> {
        let Taken::Figures(figures) = &self.taken else { return None };
        let swing = figures.fastest_second as f64 / figures.slowest_second.max(1) as f64;
        (swing > STEADY).then_some(swing)
    }
}

/// Measures one limit after another: concurrently, each would get part of the machine.
pub async fn take(arguments: &Arguments) -> Vec<Limit> {
    if arguments.limit_seconds == 0 {
        return Vec::new();
    }
    vec![
        limit("bare poem", "request a fixed reply of 600 bytes", bare_poem::take(arguments)).await,
        limit("bare NATS", "send 200 bytes for a reply of 600", bare_nats::take(arguments)).await,
        limit("batched SQL", "write orders with 3 items, 128 a commit", batched_sql::take(arguments)).await,
    ]
}

async fn limit(
    name: &'static str,
    what: &'static str,
    measured: impl Future<Output = anyhow::Result<Measured>>,
) -> Limit {
    let measured = measured.await;
    let clients = measured.as_ref().map_or(0, |measured| measured.clients);
    let taken = match measured.and_then(only_figures) {
        Ok(figures) => Taken::Figures(figures),
        Err(error) => {
            eprintln!("{name}: this limit is missing: {error:#}");
            Taken::Missing(format!("{error:#}"))
        }
    };
    Limit { name, what, clients, taken }
}

/// Rejects a measurement with errors.
fn only_figures(measured: Measured) -> anyhow::Result<Figures> {
    if let Some((kind, count)) = measured.errors.iter().next() {
        anyhow::bail!("{count} times {kind}");
    }
    measured.figures.into_iter().next().ok_or_else(|| anyhow::anyhow!("nothing was measured"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_limit_that_cannot_be_taken_is_missing_with_its_reason() {
        let limit = limit("bare NATS", "", async { anyhow::bail!("no nats-server was found") }).await;
        assert_eq!(limit.per_second(), None);
        assert!(matches!(limit.taken, Taken::Missing(why) if why == "no nats-server was found"));
    }
}
