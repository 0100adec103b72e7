//! `souk demo`: the demo shop, on servers whose nodes were started by other means than `souk up`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use contract::{ErrorKind, ServiceError};

use crate::{
    demo,
    settings::{LogFormat, Servers, Settings},
    telemetry, waiting,
};

/// The pause between two attempts while the domains start.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct DemoArguments {
    /// The address of the shop as its clients know it, printed at the end
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

pub(crate) async fn run(arguments: DemoArguments) -> Result<()> {
    let settings = Settings::load()?;
    let _logs = telemetry::start(&settings, "warn", LogFormat::Text)?;
    let servers = Servers::find(&settings, &[])?;
    let own = settings.demo_password()?;
    // The password of the local stack is public.
    let password = match (&own, servers.is_local) {
        (Some(password), _) => password.as_str(),
        (None, true) => demo::PASSWORD,
        (None, false) => None.context(
            "SOUK_DEMO_PASSWORD is not set: it is the password of the demo accounts on the servers that NATS_URL names",
        )?,
    };
    waiting::for_servers(&servers, &[], settings.start_timeout).await?;
    // Domains that are still starting are not available. Seeding is idempotent, so all of it is repeated.
    let until = Instant::now() + settings.start_timeout;
    let currency = settings.shop.currency;
    while let Err(error) = demo::seed(&servers, password, currency, |step| println!("{step}")).await {
        let kind = error.downcast_ref::<ServiceError>().map(|error| error.kind);
        let is_passing = matches!(kind, Some(ErrorKind::Unavailable | ErrorKind::Deadline));
        if !is_passing || Instant::now() + PAUSE > until {
            return Err(error);
        }
        println!("{error:#}; trying again");
        tokio::time::sleep(PAUSE).await;
    }
    if let Some(url) = arguments.url {
        println!("The shop serves at {url}, its API at {url}/api/v1, the reader of the API at {url}/api/v1/docs.");
        let accounts = demo::ACCOUNTS.map(|(email, _)| email).join(", ");
        let password = if own.is_some() { "the value of SOUK_DEMO_PASSWORD" } else { demo::PASSWORD };
        println!("Accounts: {accounts}; password: {password}.");
    }
    Ok(())
}
