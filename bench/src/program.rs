//! The `souk` program that a command starts by itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// The named program, or the one beside this program. Under cargo that is built first, in the profile of this program,
/// so that it is never outdated.
pub async fn souk(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(program) = named {
        return program.canonicalize().with_context(|| format!("--souk {}", program.display()));
    }
    if let Some(cargo) = std::env::var_os("CARGO") {
        println!("building souk");
        let mut command = Command::new(cargo);
        command.args(["build", "--bin", "souk"]);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        ensure!(command.status().await?.success(), "souk could not be built");
    }
    let program = std::env::current_exe()?.with_file_name("souk");
    ensure!(program.exists(), "{} is missing: build it, or name one with --souk", program.display());
    Ok(program)
}
