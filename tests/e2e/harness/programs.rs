//! Third-party programs: named by a variable, else fetched by their script. In CI there is no test without
//! them.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// The nats CLI; `None`, with a message, where it is not available.
pub async fn nats_cli() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    find(&FOUND, "SOUK_NATS_CLI", "install-nats-cli").await
}

/// Schemathesis; `None`, with a message, where it is not available.
pub async fn schemathesis() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    find(&FOUND, "SOUK_SCHEMATHESIS", "install-schemathesis").await
}

/// localstripe; `None`, with a message, where it is not available.
pub async fn localstripe() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    find(&FOUND, "SOUK_LOCALSTRIPE", "install-localstripe").await
}

/// promtool; `None`, with a message, where it is not available.
pub async fn promtool() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    find(&FOUND, "SOUK_PROMTOOL", "install-promtool").await
}

async fn find(
    found: &'static OnceLock<Option<PathBuf>>,
    variable: &'static str,
    script: &'static str,
) -> Option<PathBuf> {
    tokio::task::spawn_blocking(move || found.get_or_init(|| look_up(variable, script)).clone()).await.unwrap()
}

fn look_up(variable: &str, script: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from) {
        assert!(path.exists(), "{variable} is {}, which is not there", path.display());
        return Some(path);
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
    // Standard error stays ours: a first installation takes a minute and says so.
    let output = Command::new(&script).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    if output.status.success() {
        return Some(PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end()));
    }
    let is_ci = std::env::var("CI").is_ok_and(|ci| !["", "0", "false"].contains(&ci.as_str()));
    assert!(!is_ci, "{} could not install its program, and CI skips nothing", script.display());
    // Past the capture of the test: a skipped test must be seen.
    let mut out = std::io::stderr();
    drop(writeln!(out, "\nSKIPPED: {} could not install its program; set {variable} to have one\n", script.display()));
    None
}
