//! `souk replay`: a domain's log into its stream once more, for readers outside whose stream has a hole.

use anyhow::{Result, bail};
use clap::Args;
use runtime::Client;
use subjects::DOMAINS;

use crate::settings::{Servers, Settings};

#[derive(Args)]
pub(crate) struct ReplayArguments {
    /// The domain whose events are published once more, newest first, as far back as its stream reaches
    domain: String,
}

pub(crate) async fn run(arguments: ReplayArguments) -> Result<()> {
    let ReplayArguments { domain } = arguments;
    if !DOMAINS.contains(&domain.as_str()) {
        bail!("there is no domain {domain:?}; there are {}", DOMAINS.join(", "));
    }
    let servers = Servers::find(&Settings::from_env()?, &DOMAINS)?;
    let client = Client::new(runtime::connect(&servers.nats, "operator", "replay").await?).await?;
    client.refill(&domain).await?;
    println!("{domain} publishes its log again; the metric stream_refilled_commits_total tells how far it is");
    Ok(())
}
