//! Finds the server programs, and installs missing ones.

mod nats_server;
mod postgresql;

use std::path::Path;

use anyhow::{Result, bail};
use tokio::process::Command;

use crate::Progress;
use crate::run;

pub(crate) use nats_server::nats_server;
pub(crate) use postgresql::{PostgresBin, postgres};

/// Whether the current user is root.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Installs Debian or Ubuntu packages, as root or through passwordless sudo.
async fn apt_get(packages: &[&str], prepare: Option<&str>, progress: &Progress) -> Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if !Path::new("/usr/bin/apt-get").exists() {
        // Untested on other systems.
        bail!("missing: {}. This system has no apt-get: install them its own way and start again", packages.join(", "));
    }
    let sudo = if is_root() {
        false
    } else if run::succeeds("sudo", &["-n", "true"]).await {
        true
    } else {
        bail!("missing: {}. Install with `sudo {by_hand}` and start again", packages.join(", "));
    };
    let command = |script: &str| {
        let mut command = Command::new(if sudo { "sudo" } else { "sh" });
        if sudo {
            command.args(["-n", "sh"]);
        }
        command.args(["-c", script]);
        command
    };
    progress(&format!("installing from the system's packages: {}", packages.join(", ")));
    if let Some(script) = prepare {
        run::output(&mut command(script)).await?;
    }
    // DPkg::Options keeps existing configuration files without prompting.
    let script = format!(
        "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && exec apt-get install -q -y \
         --no-install-recommends -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold {}",
        packages.join(" ")
    );
    run::with_progress(&mut command(&script), "apt-get", progress, |line| {
        ["Get:", "Unpacking ", "Setting up "].iter().any(|start| line.starts_with(start))
    })
    .await
}

/// The first `major.minor` in the version output of a program.
fn version(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let mut parts = word.trim_start_matches('v').split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
        Some((parts.next()??, parts.next().flatten().unwrap_or(0)))
    })
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        assert_eq!(version("nats-server: v2.15.1"), Some((2, 15)));
        assert_eq!(version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some((15, 18)));
        assert_eq!(version("postgres (PostgreSQL) 19beta1"), Some((19, 0)));
        assert_eq!(version("nothing here"), None);
    }
}
