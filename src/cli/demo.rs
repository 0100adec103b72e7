//! `souk demo`: the demo shop on a local stack whose nodes were started by hand.

use anyhow::{Result, ensure};

use crate::{
    demo,
    settings::{Servers, Settings},
    telemetry,
};

pub(crate) async fn run() -> Result<()> {
    telemetry::start("warn", "text")?;
    let servers = Servers::find(&Settings::from_env()?, &[])?;
    ensure!(
        servers.is_local,
        "the demo accounts have a published password: unset NATS_URL and DATABASE_URL to create them on the local stack"
    );
    demo::seed(&servers, |step| println!("{step}")).await
}
