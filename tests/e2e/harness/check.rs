//! `souk check`, as an operator calls it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;

use super::{NO_FILE, Shop};

/// What `souk check --json` said.
pub struct Checked {
    pub is_success: bool,
    pub report: Value,
}

impl Checked {
    /// Check and key of every fault.
    pub fn violations(&self) -> BTreeSet<(String, String)> {
        let text = |violation: &Value, field: &str| violation[field].as_str().unwrap().to_owned();
        let violations = self.report["violations"].as_array().unwrap();
        violations.iter().map(|violation| (text(violation, "check"), text(violation, "key"))).collect()
    }

    /// Why the books are not in order.
    fn disorder(&self) -> Option<String> {
        let checks = self.report["checks"].as_array().unwrap();
        assert!(checks.len() > 10, "{:#}", self.report);
        let odd: Vec<_> =
            checks.iter().filter(|check| check["failure"].is_string() || check["unsettled"] != 0).collect();
        let is_clean = self.is_success && odd.is_empty();
        (!is_clean).then(|| format!("{:#}\n{odd:#?}", self.report["violations"]))
    }
}

/// Runs `souk check --json` on the shop of a home.
fn run(home: &Path) -> Result<Checked, String> {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_souk"))
        .args(["check", "--json"])
        .env("SOUK_HOME", home)
        .env("SOUK_CONFIG", NO_FILE)
        .env_remove("NATS_URL")
        .env_remove("DATABASE_URL")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let report = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("souk check: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok(Checked { is_success: output.status.success(), report })
}

/// Why the books of a running shop are not in order, for a test that ends.
pub(super) fn disorder(home: &Path) -> Option<String> {
    match run(home) {
        Ok(checked) => checked.disorder(),
        Err(error) => Some(error),
    }
}

impl Shop {
    /// Runs `souk check --json` on the running shop.
    pub async fn check(&self) -> Checked {
        let home: PathBuf = self.stack().home;
        tokio::task::spawn_blocking(move || run(&home)).await.unwrap().unwrap()
    }

    /// The shop's books are in order. Every test ends with this, see [`Shop`]'s `Drop`.
    pub async fn check_clean(&self) {
        let disorder = self.check().await.disorder();
        assert!(disorder.is_none(), "{}", disorder.unwrap_or_default());
    }
}
