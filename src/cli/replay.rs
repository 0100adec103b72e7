//! `souk replay`: republishes a domain's log to its stream for external readers, or rebuilds another domain's
//! projection.

use anyhow::{Result, bail};
use clap::Args;
use runtime::Client;
use subjects::DOMAINS;

use crate::settings::{Servers, Settings};

#[derive(Args)]
pub(crate) struct ReplayArguments {
    /// The domain whose events are told once more: into its stream, newest first, as far back as that reaches
    domain: String,
    /// Instead, a domain that forgets what it shows of them and hears all of them again. Refused where it acts on them
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
    let servers = Servers::find(&Settings::from_env()?, &DOMAINS)?;
    let client = Client::new(runtime::connect(&servers.nats, "operator", "replay").await?).await?;
    let Some(consumer) = into else {
        client.republish(&domain).await?;
        println!("{domain} publishes its log again; the metric stream_republished_commits_total tells how far it is");
        return Ok(());
    };
    let names = client.rebuild(&consumer, &domain).await?;
    println!(
        "{consumer} has forgotten {} of {domain} and hears it again from the log; once \
         catch_up_events_total{{domain=\"{consumer}\",source=\"{domain}\"}} stands still it has all of it",
        names.join(", ")
    );
    Ok(())
}
