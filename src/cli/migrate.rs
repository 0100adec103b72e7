//! `souk migrate`: updates the schema ahead of a roll-out.

use anyhow::Result;
use subjects::DOMAINS;

use crate::{
    domains,
    settings::{Servers, Settings},
};

pub(crate) async fn run() -> Result<()> {
    let servers = Servers::find(&Settings::from_env()?, &DOMAINS)?;
    domains::migrate(&servers, &DOMAINS, |step| println!("{step}")).await?;
    println!("every database has the newest schema");
    Ok(())
}
