//! `souk check`, as whoever runs the shop would call it.

use std::{collections::BTreeSet, path::PathBuf, process::Stdio};

use serde_json::Value;

use super::Shop;

/// What `souk check --json` said.
pub struct Checked {
    pub is_success: bool,
    pub report: Value,
}

impl Checked {
    /// Check and key of every fault.
    pub fn faults(&self) -> BTreeSet<(String, String)> {
        let text = |fault: &Value, field: &str| fault[field].as_str().unwrap().to_owned();
        let faults = self.report["faults"].as_array().unwrap();
        faults.iter().map(|fault| (text(fault, "check"), text(fault, "key"))).collect()
    }
}

impl Shop {
    /// Runs `souk check --json` on the running shop.
    pub async fn check(&self) -> Checked {
        let home: PathBuf = self.stack().home;
        tokio::task::spawn_blocking(move || {
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_souk"))
                .args(["check", "--json"])
                .env("SOUK_HOME", home)
                .env_remove("NATS_URL")
                .env_remove("DATABASE_URL")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let report = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("souk check: {}", String::from_utf8_lossy(&output.stderr)));
            Checked { is_success: output.status.success(), report }
        })
        .await
        .unwrap()
    }

    /// The shop's books are in order: for the end of every test that has a shop of its own.
    pub async fn check_clean(&self) {
        let Checked { is_success, report } = self.check().await;
        let odd: Vec<_> = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| check["failure"].is_string() || check["unsettled"] != 0)
            .collect();
        assert!(is_success && odd.is_empty(), "{:#}\n{odd:#?}", report["faults"]);
        assert!(report["checks"].as_array().unwrap().len() > 10, "{report:#}");
    }
}
