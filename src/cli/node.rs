//! `souk node`: some domains of the shop, the gateway, or both.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use gateway::{GatewayConfig, Tls};
use runtime::Metrics;
use subjects::{DOMAINS, identity::GetKeys};

use crate::{
    invariants, operations,
    settings::{CheckServers, Servers, Settings},
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
    /// Answer admins who ask for the conservation checks; needs what `souk check` needs
    #[arg(long)]
    check: bool,
    /// For tests: stop when standard input ends
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

pub(crate) async fn run(arguments: NodeArguments) -> Result<()> {
    if arguments.domains.is_empty() && !arguments.gateway && !arguments.check {
        bail!("a node needs --domains, --gateway or --check; there are {}", DOMAINS.join(", "));
    }
    telemetry::start("info,ractor=warn,async_nats=warn", "json")?;
    let settings = Settings::from_env()?;
    let domains = shop::chosen(&arguments.domains)?;
    let servers = Servers::find(&settings, &domains)?;
    let metrics = Metrics::install()?;
    let operations = operations::bind(settings.metrics, "SOUK_METRICS_ADDR").await?;
    let metrics_addr = operations.local_addr()?;
    let http = match arguments.gateway {
        true => Some(operations::http(settings.http).await?),
        false => None,
    };
    // Two nodes that start at once take turns; a schema that is new enough costs a look.
    shop::migrate(&servers, &domains, |step| tracing::info!(step, "migrating")).await?;
    let node = Arc::new(shop::start(&settings, &servers, &domains).await?);
    operations::serve(operations, metrics, Some(node.clone()))?;
    let checks = match arguments.check {
        true => Some(invariants::serve(&CheckServers::find(&settings, &DOMAINS)?).await?),
        false => None,
    };
    let http_addr = http.as_ref().map(tokio::net::TcpListener::local_addr).transpose()?;
    // The ports that were bound, for they may have been left to the system.
    tracing::info!(?domains, http = http_addr.map(tracing::field::display), metrics = %metrics_addr, "the node is ready");
    let stop = super::stop(arguments.stop_with_stdin);
    match http {
        Some(listener) => {
            let config = gateway_config(&settings, &servers).await?;
            gateway::serve(listener, config, stop).await?;
        }
        None => stop.await,
    }
    tracing::info!("draining");
    if let Some(checks) = checks {
        checks.stop().await;
    }
    node.drain().await;
    Ok(())
}

/// The gateway's way into the system.
pub(crate) async fn gateway_config(settings: &Settings, servers: &Servers) -> Result<GatewayConfig> {
    let (client, verifier) = runtime::edge::<GetKeys>(&servers.nats, "gateway").await?;
    let mut config = GatewayConfig::new(client, verifier);
    config.cors_origins.clone_from(&settings.cors_origins);
    config.local_stack = servers.is_local;
    if let Some((certificate, key)) = &settings.http_tls {
        let tls = Tls::from_files(certificate, key);
        config.tls = Some(tls.context("SOUK_HTTP_TLS_CERT and SOUK_HTTP_TLS_KEY")?);
    }
    Ok(config)
}
