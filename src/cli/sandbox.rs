//! `souk sandbox`: a payment provider that misbehaves on demand.

use std::net::SocketAddr;

use anyhow::Result;
use clap::Args;

use crate::{
    metrics_server,
    settings::{LogFormat, Settings, sandbox},
    telemetry,
};

#[derive(Args)]
pub(crate) struct SandboxArguments {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:12111")]
    listen: SocketAddr,
    /// For tests: stop when standard input ends
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

pub(crate) async fn run(arguments: SandboxArguments) -> Result<()> {
    let settings = Settings::load()?;
    let _logs = telemetry::start(&settings, "warn", LogFormat::Text)?;
    let listener = metrics_server::bind(arguments.listen, "--listen")?;
    let config = sandbox(&settings).await?;
    println!("The sandbox listens on http://{}; stop with Ctrl-C", listener.local_addr()?);
    sandbox::serve(listener, config, super::stop(arguments.stop_with_stdin)).await
}
