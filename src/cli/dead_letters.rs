//! `souk dead-letters`: events that a domain could not handle, and their second chance.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use runtime::Client;
use subjects::DOMAINS;
use uuid::Uuid;

use crate::settings::{Servers, Settings};

#[derive(Args)]
pub(crate) struct DeadLettersArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Every parked event, with its reason
    List,
    /// Handle a parked event once more; it is parked again where that fails
    Redrive {
        /// The domain that parked it
        domain: String,
        /// The event's id, as `list` shows it
        event_id: Uuid,
    },
}

pub(crate) async fn run(arguments: DeadLettersArguments) -> Result<()> {
    let servers = Servers::find(&Settings::from_env()?, &DOMAINS)?;
    let client = Client::new(runtime::connect(&servers.nats, "operator", "dead-letters").await?).await?;
    match arguments.action {
        Action::List => list(&client).await,
        Action::Redrive { domain, event_id } => {
            if !client.redrive(&domain, event_id).await? {
                bail!("{domain} has not parked {event_id}");
            }
            println!("{event_id} is handled again; `souk dead-letters list` shows it where that fails");
            Ok(())
        }
    }
}

async fn list(client: &Client) -> Result<()> {
    let mut count = 0;
    for domain in DOMAINS {
        for letter in client.dead_letters(domain, 1000).await? {
            count += 1;
            println!(
                "{domain}  {}  {}.{}  {} attempts  {}  {}",
                letter.event_id, letter.source, letter.name, letter.attempts, letter.parked_at, letter.reason
            );
        }
    }
    println!("{count} parked");
    Ok(())
}
