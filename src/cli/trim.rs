//! `souk trim`: deletes old commits that every consumer has handled from the logs, and trims the domains' history.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use contract::Position;
use runtime::Client;
use subjects::DOMAINS;

use crate::settings::{Servers, Settings};

#[derive(Args)]
pub(crate) struct TrimArguments {
    /// The domains whose logs are trimmed; all if none is named
    domains: Vec<String>,
    /// Also trim logs from which projections of other domains are rebuilt; these can no longer be rebuilt then
    #[arg(long)]
    without_rebuild: bool,
}

/// Whether and how far a log is trimmed.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    UpTo(Position),
    RebuiltFrom(Vec<String>),
    Unhandled(String),
}

pub(crate) async fn run(arguments: TrimArguments) -> Result<()> {
    if let Some(unknown) = arguments.domains.iter().find(|domain| !DOMAINS.contains(&domain.as_str())) {
        bail!("there is no domain {unknown:?}; there are {}", DOMAINS.join(", "));
    }
    let settings = Settings::load()?;
    let retention = settings.log_retention()?;
    let servers = Servers::find(&settings, &[])?;
    let client = Client::new(runtime::connect(&servers.nats, "operator", "trim").await?).await?;
    let named = |domain: &&&str| arguments.domains.is_empty() || arguments.domains.iter().any(|name| name == **domain);
    for domain in DOMAINS.iter().filter(named) {
        let mut consumers = Vec::with_capacity(DOMAINS.len());
        for consumer in DOMAINS {
            let consumed = client.consumed(consumer, domain).await;
            let consumed = consumed.with_context(|| {
                format!("{consumer} does not report how far it has handled {domain}'s events, so nothing is trimmed")
            })?;
            consumers.push((consumer, consumed));
        }
        let up_to = match plan(&consumers, arguments.without_rebuild) {
            Plan::UpTo(position) => position,
            Plan::RebuiltFrom(consumers) => {
                let consumers = consumers.join(", ");
                println!("{domain}: kept, {consumers} is rebuilt from it (--without-rebuild trims it anyway)");
                Position::START
            }
            Plan::Unhandled(consumer) => {
                println!("{domain}: kept, {consumer} has not handled any of it");
                Position::START
            }
        };
        trim(&client, domain, up_to, retention).await?;
    }
    Ok(())
}

fn plan(consumers: &[(&str, runtime::Consumed)], without_rebuild: bool) -> Plan {
    let rebuilt: Vec<String> =
        consumers.iter().filter(|(_, one)| one.is_rebuilt_from).map(|(name, _)| (*name).to_owned()).collect();
    if !rebuilt.is_empty() && !without_rebuild {
        return Plan::RebuiltFrom(rebuilt);
    }
    let lowest = consumers.iter().filter_map(|(name, one)| Some((one.up_to?, *name))).min();
    match lowest {
        Some((Position::START, consumer)) => Plan::Unhandled(consumer.to_owned()),
        Some((position, _)) => Plan::UpTo(position),
        // No domain handles its events: only the age decides.
        None => Plan::UpTo(Position { epoch: i64::MAX, xid: i64::MAX }),
    }
}

/// Trims a log up to a position, [`Position::START`] if it is kept, and the history of its domain.
async fn trim(client: &Client, domain: &str, up_to: Position, retention: Duration) -> Result<()> {
    let (mut commits, mut history) = (0, 0);
    loop {
        let trimmed = client.trim(domain, up_to, retention).await?;
        commits += trimmed.commits;
        history += trimmed.history;
        let so_far = if trimmed.is_done { "" } else { " so far" };
        if up_to != Position::START {
            println!("{domain}: {commits} commits deleted{so_far}");
        }
        if history > 0 {
            println!("{domain}: {history} rows of its history trimmed{so_far}");
        }
        if trimmed.is_done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use runtime::Consumed;

    use super::*;

    fn at(xid: i64) -> Consumed {
        Consumed { up_to: Some(Position { epoch: 1, xid }), is_rebuilt_from: false }
    }

    #[test]
    fn the_slowest_consumer_decides() {
        let up_to = |xid| Plan::UpTo(Position { epoch: 1, xid });
        assert_eq!(plan(&[("a", at(7)), ("b", at(5)), ("c", Consumed::default())], false), up_to(5));
        let behind = Consumed { up_to: Some(Position::START), is_rebuilt_from: false };
        assert_eq!(plan(&[("a", at(7)), ("b", behind)], false), Plan::Unhandled("b".into()));
    }

    #[test]
    fn a_log_that_a_projection_is_rebuilt_from_stays_by_default() {
        let shown = Consumed { is_rebuilt_from: true, ..at(7) };
        assert_eq!(plan(&[("a", shown), ("b", at(9))], false), Plan::RebuiltFrom(vec!["a".into()]));
        assert_eq!(plan(&[("a", shown), ("b", at(9))], true), Plan::UpTo(Position { epoch: 1, xid: 7 }));
    }
}
