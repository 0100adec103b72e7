//! The command line.

mod admin;
mod check;
mod config;
mod dead_letters;
mod demo;
mod health;
mod migrate;
mod node;
mod replay;
mod sandbox;
mod streams;
mod trim;
mod up;

use clap::{Parser, Subcommand};

/// The backend of a shop: supervised actors over NATS JetStream.
///
/// Settings come from the environment and souk.toml; docs/configuration.md lists them, `souk config check` prints those
/// that apply. Without NATS_URL and DATABASE_URL, every command finds the local stack that `souk up` runs in SOUK_HOME
/// (default .souk).
#[derive(Parser)]
#[command(version, after_help = "Start with `souk up`, then open http://127.0.0.1:8080/api/v1/docs")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole shop on this machine: servers, schema, demo data, all domains, gateway
    Up(up::Up),
    /// Run a node of a cluster: some domains, the gateway, or both
    Node(node::NodeArguments),
    /// Run a payment provider that misbehaves on demand, with a database of its own
    Sandbox(sandbox::SandboxArguments),
    /// Create the demo accounts and products, on the local stack or, with SOUK_DEMO_PASSWORD, on the servers of
    /// NATS_URL
    Demo(demo::DemoArguments),
    /// Migrate the databases of the domains to the newest schema
    Migrate,
    /// Exit 0 if the node on SOUK_METRICS_ADDR is ready; for the health check of a container
    Health,
    /// Compare the streams with their specification, or apply it
    Streams(streams::StreamsArguments),
    /// Check that all databases and streams agree; exit 1 and list the violations if not
    Check(check::CheckArguments),
    /// Manage the accounts of the shop's staff
    Admin(admin::AdminArguments),
    /// List and redrive events and effects that a domain could not handle
    DeadLetters(dead_letters::DeadLettersArguments),
    /// Republish the log of a domain, or rebuild a projection from it
    Replay(replay::ReplayArguments),
    /// Delete commits from the logs that every consumer has handled and that are older than SOUK_LOG_RETENTION (90d)
    Trim(trim::TrimArguments),
    /// Print and check the settings
    Config(config::ConfigArguments),
    /// Print the OpenAPI document of the HTTP API
    Openapi,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Up(up) => up::run(up).await,
        Command::Node(node) => node::run(node).await,
        Command::Sandbox(arguments) => sandbox::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Health => health::run().await,
        Command::Migrate => migrate::run().await,
        Command::Streams(streams) => streams::run(streams).await,
        Command::Check(arguments) => check::run(arguments).await,
        Command::Admin(admin) => admin::run(admin).await,
        Command::DeadLetters(arguments) => dead_letters::run(arguments).await,
        Command::Replay(arguments) => replay::run(arguments).await,
        Command::Trim(arguments) => trim::run(arguments).await,
        Command::Config(arguments) => config::run(&arguments),
        Command::Openapi => {
            println!("{}", gateway::openapi_document());
            Ok(())
        }
    }
}

/// Completes when the process receives a stop signal and, with `stdin`, also when standard input ends: the parent
/// process has ended then, for whatever reason.
pub(crate) async fn stop(stdin: bool) {
    if !stdin {
        return stop_signal().await;
    }
    // A separate thread, because a blocked read would keep the process from exiting.
    let (gone, parent_gone) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        // The receiver is gone if the process stops for another reason.
        let _unreceived = gone.send(());
    });
    tokio::select! {
        () = stop_signal() => {}
        _ = parent_gone => {}
    }
}

/// Completes on Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
