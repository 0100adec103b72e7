//! `souk node`: some domains of the shop, the gateway, or both.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use gateway::{GatewayConfig, Shutdown, Tls};
use runtime::Metrics;
use subjects::{
    DOMAINS,
    identity::{GetKeys, GetRevocations},
};

use crate::{
    domains,
    invariants::Operations,
    metrics_server,
    settings::{self, CheckServers, LogFormat, Servers, Settings},
    telemetry, waiting,
};

#[derive(Args)]
pub(crate) struct NodeArguments {
    /// The domains of this node, comma-separated
    #[arg(long, value_delimiter = ',')]
    domains: Vec<String>,
    /// Serve HTTP on SOUK_HTTP_ADDR
    #[arg(long)]
    gateway: bool,
    /// Serve the conservation checks to admins; requires the settings of `souk check`
    #[arg(long)]
    check: bool,
    /// For tests: stop when standard input ends
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

pub(crate) async fn run(arguments: NodeArguments) -> Result<()> {
    if arguments.domains.is_empty() && !arguments.gateway && !arguments.check {
        bail!("a node needs --domains, --gateway or --check; the domains are {}", DOMAINS.join(", "));
    }
    let settings = Settings::load()?;
    let _logs = telemetry::start(&settings, "info,ractor=warn,async_nats=warn", LogFormat::Json)?;
    let domains = domains::chosen(&arguments.domains)?;
    let servers = Servers::find(&settings, &domains)?;
    let metrics = Metrics::install(gateway::METRICS)?;
    let operations = metrics_server::bind(settings.metrics, "SOUK_METRICS_ADDR")?;
    let metrics_addr = operations.local_addr()?;
    let http = match arguments.gateway {
        true => Some(metrics_server::http(settings.http)?),
        false => None,
    };
    waiting::for_servers(&servers, &domains, settings.start_timeout).await?;
    // Concurrent nodes take turns; with an up-to-date schema this is a single query.
    domains::migrate(&servers, &domains, |step| tracing::info!(step, "migrating")).await?;
    let (checks, sources) = match arguments.check {
        true => {
            let (checks, sources) = Operations::new(&CheckServers::find(&settings, &DOMAINS)?).await?;
            (Some(checks), Some(sources))
        }
        false => (None, None),
    };
    let node = Arc::new(domains::start(&settings, &servers, &domains, checks).await?);
    let is_stopping = Arc::<AtomicBool>::default();
    metrics_server::serve(operations, metrics, Some(node.clone()), is_stopping.clone());
    let http = match http {
        Some(socket) => {
            let mut config = gateway_config(&settings, &servers).await?;
            if servers.is_local {
                config.local.metrics = Some(format!("http://{metrics_addr}"));
            }
            config.shutdown = shutdown_phases(settings.drain, socket.is_shared);
            Some((socket.listener, config))
        }
        None => None,
    };
    let http_addr = http.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?;
    // The bound ports, since the system may have chosen them.
    tracing::info!(?domains, http = http_addr.map(tracing::field::display), metrics = %metrics_addr, "node ready");
    let (stopped, when) = tokio::sync::oneshot::channel();
    let stop = async {
        super::stop(arguments.stop_with_stdin).await;
        is_stopping.store(true, Ordering::Relaxed);
        tracing::info!("draining");
        // Received below, after the gateway has ended.
        let _ = stopped.send(Instant::now());
    };
    match http {
        Some((listener, config)) => gateway::serve(listener, config, stop).await?,
        None => stop.await,
    }
    node.drain_by(when.await? + settings.drain).await;
    if let Some(sources) = sources {
        sources.close().await;
    }
    Ok(())
}

/// The gateway's share of the drain timeout. The rest is left to the domains of the same node, which keep answering
/// until the gateway has ended.
fn shutdown_phases(drain: Duration, is_shared: bool) -> Shutdown {
    Shutdown { accepting: if is_shared { Duration::ZERO } else { drain / 8 }, notice: drain / 4, timeout: drain / 2 }
}

/// The gateway's connection to the system.
pub(crate) async fn gateway_config(settings: &Settings, servers: &Servers) -> Result<GatewayConfig> {
    let (client, verifier) =
        runtime::edge::<GetKeys, GetRevocations>(&servers.nats, "gateway", settings.revocations).await?;
    let mut config = GatewayConfig::new(client, verifier);
    config.cors_origins.clone_from(&settings.cors_origins);
    config.trusted_proxies.clone_from(&settings.trusted_proxies);
    config.rates = settings::rates(settings, servers.is_local)?;
    config.local_stack = servers.is_local;
    if let Some((certificate, key)) = &settings.http_tls {
        let tls = Tls::from_files(certificate, key);
        config.tls = Some(tls.context("SOUK_HTTP_TLS_CERT and SOUK_HTTP_TLS_KEY")?);
    }
    Ok(config)
}
