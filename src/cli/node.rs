//! `souk node`: some domains of the shop, the gateway, or both.

use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use gateway::GatewayConfig;
use runtime::Metrics;
use subjects::{DOMAINS, identity::GetKeys};

use crate::{
    operations,
    settings::{Servers, Settings},
    shop, telemetry,
};

#[derive(Args)]
pub(crate) struct NodeArguments {
    /// The domains of this node, comma-separated
    #[arg(long, value_delimiter = ',')]
    domains: Vec<String>,
    /// Serve HTTP on SOUK_HTTP_ADDR
    #[arg(long)]
    gateway: bool,
}

pub(crate) async fn run(arguments: NodeArguments) -> Result<()> {
    if arguments.domains.is_empty() && !arguments.gateway {
        bail!("a node needs --domains, --gateway or both; there are {}", DOMAINS.join(", "));
    }
    telemetry::start("info,ractor=warn,async_nats=warn", "json")?;
    let settings = Settings::from_env()?;
    let domains = shop::chosen(&arguments.domains)?;
    let servers = Servers::find(&settings, &domains)?;
    let metrics = Metrics::install()?;
    let operations = operations::bind(settings.metrics, "SOUK_METRICS_ADDR").await?;
    let http = match arguments.gateway {
        true => Some(operations::bind(settings.http, "SOUK_HTTP_ADDR").await?),
        false => None,
    };
    // Two nodes that start at once take turns; a schema that is new enough costs a look.
    shop::migrate(&servers, &domains, |step| tracing::info!(step, "migrating")).await?;
    let node = Arc::new(shop::start(&settings, &servers, &domains).await?);
    operations::serve(operations, metrics, Some(node.clone()))?;
    tracing::info!(?domains, gateway = arguments.gateway, "the node is ready");
    let stop = super::asked_to_stop();
    match http {
        Some(listener) => {
            let config = gateway_config(&settings, &servers).await?;
            gateway::serve(listener, config, stop).await?;
        }
        None => stop.await,
    }
    tracing::info!("draining");
    node.drain().await;
    Ok(())
}

/// The gateway's way into the system.
pub(crate) async fn gateway_config(settings: &Settings, servers: &Servers) -> Result<GatewayConfig> {
    let (client, verifier) = runtime::edge::<GetKeys>(&servers.nats, "gateway").await?;
    let mut config = GatewayConfig::new(client, verifier);
    config.cors_origins.clone_from(&settings.cors_origins);
    config.local_stack = servers.is_local;
    Ok(config)
}
