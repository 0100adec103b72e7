//! `souk`: one binary with a subcommand per role.
//!
//! To read first: `cli.rs` (the subcommands), `domains.rs` (the domains and their dependencies), `cli/node.rs`.

mod cli;
mod demo;
mod domains;
mod invariants;
mod metrics_server;
mod settings;
mod telemetry;
mod waiting;

use clap::Parser;

/// Faster than the C library's allocator; every message and row allocates.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let arguments = cli::Arguments::parse();
    server::raise_descriptor_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("souk: the async runtime could not start: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli::run(arguments)) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("souk: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
