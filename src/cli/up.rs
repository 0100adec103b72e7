//! `souk up`: the whole shop on this machine.

use std::{io::Write, sync::Arc, time::Instant};

use anyhow::Result;
use clap::Args;
use gateway::Local;
use runtime::Metrics;
use stack::Stack;
use subjects::DOMAINS;

use crate::{
    cli::node::gateway_config,
    demo, domains,
    invariants::Operations,
    metrics_server,
    settings::{CheckServers, LogFormat, Servers, Settings},
    telemetry,
};

#[derive(Args)]
pub(crate) struct Up {
    /// Start with an empty shop: no demo products, no demo accounts
    #[arg(long)]
    no_demo: bool,
    /// Start only the servers and their schema; nodes are started by hand
    #[arg(long)]
    servers_only: bool,
    /// For tests: stop when standard input ends, and remove the home with everything in it
    #[arg(long, hide = true)]
    throw_away: bool,
}

pub(crate) async fn run(up: Up) -> Result<()> {
    let began = Instant::now();
    let step = move |text: &str| say(&format!("[{:6.2} s] {text}\n", began.elapsed().as_secs_f64()));
    let settings = Settings::load()?;
    let _logs = telemetry::start(&settings, "warn,ractor=error", LogFormat::Text)?;
    // Bound before anything is started, so that a port in use fails early.
    let ports = if up.servers_only {
        None
    } else {
        let http = metrics_server::bind(settings.http, "SOUK_HTTP_ADDR")?;
        Some((http, metrics_server::bind(settings.metrics, "SOUK_METRICS_ADDR")?))
    };
    let stack = tokio::select! {
        stack = Stack::start(settings.stack(domains::nats_users())?, step) => stack?,
        () = super::stop_signal() => return Ok(()),
    };
    let result = serve(&up, &settings, &stack, ports, step).await;
    step("stopping the servers");
    if up.throw_away {
        stack.destroy().await?;
    } else {
        stack.stop().await?;
    }
    result
}

async fn serve(
    up: &Up,
    settings: &Settings,
    stack: &Stack,
    ports: Option<(tokio::net::TcpListener, tokio::net::TcpListener)>,
    step: impl Fn(&str),
) -> Result<()> {
    let servers = Servers::of_stack(stack.info(), &DOMAINS)?;
    domains::migrate(&servers, &DOMAINS, &step).await?;
    let Some((http, metrics_port)) = ports else {
        step("the servers are ready; stop with Ctrl-C");
        super::stop(up.throw_away).await;
        return Ok(());
    };
    step("starting the domains");
    let metrics = Metrics::install(gateway::METRICS)?;
    let (http_addr, metrics_addr) = (http.local_addr()?, metrics_port.local_addr()?);
    let (checks, sources) = Operations::new(&CheckServers::of_stack(stack.info(), &DOMAINS)).await?;
    let node = Arc::new(domains::start(settings, &servers, &DOMAINS, Some(checks)).await?);
    metrics_server::serve(metrics_port, metrics, Some(node.clone()), Arc::default());
    let mut config = gateway_config(settings, &servers).await?;
    let metrics_url = format!("http://{metrics_addr}");
    config.local = Local { metrics: Some(metrics_url.clone()), accounts: (!up.no_demo).then(demo::accounts) };
    if !up.no_demo {
        demo::seed(&servers, demo::PASSWORD, settings.shop.currency, &step).await?;
    }
    let scheme = if settings.http_tls.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{http_addr}");
    welcome(&address, &metrics_url, stack, !up.no_demo);
    gateway::serve(http, config, super::stop(up.throw_away)).await?;
    step("draining");
    node.drain().await;
    sources.close().await;
    Ok(())
}

/// Prints to standard output. A closed pipe must not stop the server.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _unread = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn welcome(http: &str, metrics: &str, stack: &Stack, has_demo: bool) {
    // In the format of the options of `nats`.
    let nats = match stack.info().ca() {
        Some(ca) => format!("{} --tlsca {}", stack.nats_url(), ca.display()),
        None => stack.nats_url(),
    };
    let keys = stack.nats_keys().display();
    let mut text = format!(
        "\nsouk is up.\n
  HTTP       {http}  API at {http}/api/v1  reader at {http}/api/v1/docs
  metrics    {metrics}/metrics  health at {http}/health
  NATS       {nats}
  operator   nats --server {nats} --nkey {keys}/operator.nk --inbox-prefix _INBOX_operator stream ls\n\n"
    );
    if has_demo {
        text += &format!("Accounts (local stack only), password {}:\n", demo::PASSWORD);
        for (email, role) in demo::ACCOUNTS {
            text += &format!("  {email:<22} {role}\n");
        }
    }
    text += &format!(
        "\nTry:
  curl -s '{http}/api/v1/products?limit=3'
  nats --server {nats} sub 'evt.>'
  nats --server {nats} micro ls\n\nStop with Ctrl-C.\n"
    );
    say(&text);
}
