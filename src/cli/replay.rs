//! `souk replay`: republishes a domain's log to its stream for external readers, or rebuilds another domain's
//! projection.

use anyhow::{Result, bail};
use clap::Args;
use runtime::Client;
use subjects::DOMAINS;

use crate::settings::{Servers, Settings};

#[derive(Args)]
pub(crate) struct ReplayArguments {
    /// The domain whose log is republished into its stream, newest first, as far back as the stream's limits allow
    domain: String,
    /// Instead: rebuild the projection of these events in this domain. Rejected if it emits events or effects for them
    #[arg(long, value_name = "CONSUMER")]
    into: Option<String>,
}

pub(crate) async fn run(arguments: ReplayArguments) -> Result<()> {
    let ReplayArguments { domain, into } = arguments;
    for named in into.iter().chain([&domain]) {
        if !DOMAINS.contains(&named.as_str()) {
            bail!("there is no domain {named:?}; there are {}", DOMAINS.join(", "));
        }
    }
    let servers = Servers::find(&Settings::load()?, &[])?;
    let client = Client::new(runtime::connect(&servers.nats, "operator", "replay").await?).await?;
    let Some(consumer) = into else {
        client.republish(&domain).await?;
        println!("{domain} republishes its log; see the metric stream_republished_commits_total for its progress");
        return Ok(());
    };
    let names = client.rebuild(&consumer, &domain).await?;
    println!(
        "{consumer} has reset {} of {domain} and rebuilds it from the log; it is complete once \
         catch_up_events_total{{domain=\"{consumer}\",source=\"{domain}\"}} stops increasing",
        names.join(", ")
    );
    Ok(())
}
