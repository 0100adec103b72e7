//! `souk dead-letters`: lists and redrives events that could not be handled and effects that could not be performed.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use contract::{ErrorKind, PageRequest};
use runtime::{Call, Client, DeadLetter, DeadLetterKind, Replied};
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
    /// List dead-lettered events and effects with their reasons
    List,
    /// Redrive a dead letter: handles the event or runs the effect again
    Redrive {
        /// The domain of the dead letter
        domain: String,
        /// The id of the dead letter, as shown by `list`
        id: Uuid,
    },
}

pub(crate) async fn run(arguments: DeadLettersArguments) -> Result<()> {
    let servers = Servers::find(&Settings::load()?, &[])?;
    let client = Client::new(runtime::connect(&servers.nats, "operator", "dead-letters").await?).await?;
    match arguments.action {
        Action::List => list(&client).await,
        Action::Redrive { domain, id } => {
            if !DOMAINS.contains(&domain.as_str()) {
                bail!("there is no domain {domain:?}; there are {}", DOMAINS.join(", "));
            }
            match client.redrive(&domain, id, &Call::default()).await {
                Ok(Replied { reply: letter, .. }) => {
                    let done = match letter.kind {
                        DeadLetterKind::Event => "handled",
                        DeadLetterKind::Effect => "performed",
                    };
                    println!("{id} is {done} again; if that fails, `souk dead-letters list` shows it");
                }
                Err(error) if error.kind == ErrorKind::NotFound => bail!("{domain} has no dead letter {id}"),
                Err(error) => return Err(error.into()),
            }
            Ok(())
        }
    }
}

async fn list(client: &Client) -> Result<()> {
    let mut count = 0;
    for domain in DOMAINS {
        let mut request = PageRequest { limit: Some(100), ..PageRequest::default() };
        loop {
            let page = client.dead_letters(domain, &request, &Call::default()).await?;
            for DeadLetter { id, kind, source, name, entity, reason, attempts, dead_lettered_at } in page.data {
                count += 1;
                let kind = match kind {
                    DeadLetterKind::Event => "event",
                    DeadLetterKind::Effect => "effect",
                };
                let entity = entity.map_or_else(|| "-".to_owned(), |id| id.to_string());
                println!(
                    "{domain}  {id}  {kind}  {source}.{name}  {attempts} attempts  {dead_lettered_at}  {entity}  \
                     {reason}"
                );
            }
            match page.pagination.next_cursor {
                Some(cursor) => request.cursor = Some(cursor),
                None => break,
            }
        }
    }
    println!("{count} {}", if count == 1 { "dead letter" } else { "dead letters" });
    Ok(())
}
