//! `souk migrate`: updates the schema ahead of a roll-out.

use anyhow::Result;
use subjects::DOMAINS;

use crate::{
    domains,
    settings::{LogFormat, Servers, Settings},
    telemetry, waiting,
};

pub(crate) async fn run() -> Result<()> {
    let settings = Settings::load()?;
    let _logs = telemetry::start(&settings, "info,sqlx=warn", LogFormat::Text)?;
    let servers = Servers::find(&settings, &DOMAINS)?;
    waiting::for_servers(&servers, &DOMAINS, settings.start_timeout).await?;
    domains::migrate(&servers, &DOMAINS, |step| println!("{step}")).await?;
    println!("every database has the newest schema");
    Ok(())
}
