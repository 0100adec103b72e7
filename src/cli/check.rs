//! `souk check`: verifies that all databases and streams of the running shop agree.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use subjects::DOMAINS;

use crate::{
    invariants,
    settings::{CheckServers, Settings},
};

const HELP: &str = "\
Nothing is stopped and nothing is written: the databases are read as the role souk_check, the streams as the NATS user \
check. A suspect is inspected again until it is gone or has not changed for five seconds: then it is a violation. \
docs/reliability.md describes each check.

In production: NATS_URL, SOUK_NATS_KEYS with check's nkey, and SOUK_CHECK_URL (or DATABASE_URL with \
SOUK_DB_PASSWORD_SOUK_CHECK). Exit status 1 if an invariant is violated or could not be checked.";

/// Timeout of each statement: scanning a large log takes minutes.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Suspects that change for this long are given up: the shop is busy.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct CheckArguments {
    /// Print the whole report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: CheckArguments) -> Result<()> {
    let servers = CheckServers::find(&Settings::load()?, &DOMAINS)?;
    let report = check::run(&invariants::sources(&servers, LONGEST).await?, TIMEOUT).await;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    if !report.is_ok {
        bail!("invariants are violated, or could not all be checked");
    }
    Ok(())
}
