//! `souk admin`: creates the first admin of a shop, which no existing account could create.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use runtime::{Call, Client};
use subjects::{identity::CreateAccount, roles};

use crate::settings::{Servers, Settings};

#[derive(Args)]
pub(crate) struct AdminArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Create an account with the role admin; the password is read from SOUK_ADMIN_PASSWORD or standard input
    Create {
        /// The account's e-mail address
        #[arg(long)]
        email: String,
    },
}

pub(crate) async fn run(arguments: AdminArguments) -> Result<()> {
    let Action::Create { email } = arguments.action;
    let settings = Settings::load()?;
    let servers = Servers::find(&settings, &[])?;
    let password = match settings.admin_password()? {
        Some(password) => password,
        None => read_password()?,
    };
    let client = Client::new(runtime::connect(&servers.nats, "operator", "admin").await?).await?;
    let command = CreateAccount { email, password, role: roles::ADMIN.to_owned() };
    match client.send(&command, &Call::default()).await {
        Ok(done) => println!("admin {} has the id {}", done.reply.email, done.reply.id),
        Err(error) => {
            let details: Vec<String> =
                error.body("", "").details.iter().map(|d| format!("{}: {}", d.field, d.message)).collect();
            bail!("{error} {}", details.join("; "));
        }
    }
    Ok(())
}

fn read_password() -> Result<String> {
    eprint!("password: ");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("no password on standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
