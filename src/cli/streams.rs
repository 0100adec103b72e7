//! `souk streams`: plans and applies stream configuration. Nodes create missing streams; only this command changes
//! existing ones.

use anyhow::{Context, Result, bail};
use async_nats::jetstream::{self, context::GetStreamErrorKind, stream::Config};
use clap::{Args, Subcommand};
use subjects::DOMAINS;

use crate::{
    domains,
    settings::{Servers, Settings},
};

#[derive(Args)]
pub(crate) struct StreamsArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, PartialEq, Eq, Clone, Copy)]
enum Action {
    /// Print the differences; exit 1 if there are any
    Plan,
    /// Apply the specification
    Apply,
}

pub(crate) async fn run(arguments: StreamsArguments) -> Result<()> {
    let settings = Settings::load()?;
    let servers = Servers::find(&settings, &[])?;
    let connection = runtime::connect(&servers.nats, "operator", "streams").await?;
    let jetstream = jetstream::new(connection);
    let mut open = 0;
    for domain in DOMAINS {
        let wanted = domains::stream_spec(&settings, domain)?.config(domain);
        let name = wanted.name.clone();
        let change = match jetstream.get_stream(&name).await {
            Ok(stream) => difference(&stream.cached_info().config, &wanted),
            Err(error) if matches!(error.kind(), GetStreamErrorKind::JetStream(_)) => Some("is missing".to_owned()),
            Err(error) => return Err(error).context(name),
        };
        match (change, arguments.action) {
            (None, _) => println!("{name}: as specified"),
            (Some(change), Action::Plan) => {
                open += 1;
                println!("{name}: {change}");
            }
            (Some(change), Action::Apply) => {
                jetstream.create_or_update_stream(wanted).await.with_context(|| name.clone())?;
                println!("{name}: {change}; done");
            }
        }
    }
    if open > 0 {
        bail!("{open} streams differ from their specification; `souk streams apply` changes them");
    }
    Ok(())
}

/// The differences in the properties that a specification names.
fn difference(is: &Config, wanted: &Config) -> Option<String> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, is: String, wanted: String| {
        if is != wanted {
            changes.push(format!("{what} {is} -> {wanted}"));
        }
    };
    compare("max_age", format!("{:?}", is.max_age), format!("{:?}", wanted.max_age));
    compare("max_bytes", is.max_bytes.to_string(), wanted.max_bytes.to_string());
    compare("replicas", is.num_replicas.to_string(), wanted.num_replicas.to_string());
    compare("duplicate_window", format!("{:?}", is.duplicate_window), format!("{:?}", wanted.duplicate_window));
    compare("subjects", is.subjects.join(","), wanted.subjects.join(","));
    (!changes.is_empty()).then(|| changes.join(", "))
}
