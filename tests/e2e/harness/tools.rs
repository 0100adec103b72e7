//! The command line, as an operator uses it.

use std::process::{Command, Stdio};

use super::{NO_FILE, Shop};

impl Shop {
    /// Runs `souk ...` on the running shop; gives whether it succeeded and what it said.
    pub async fn souk(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
        command.args(arguments).env("SOUK_HOME", self.stack().home).stdin(Stdio::null());
        command.env_remove("NATS_URL").env_remove("DATABASE_URL").env("SOUK_CONFIG", NO_FILE);
        tokio::task::spawn_blocking(move || {
            let output = command.output().unwrap();
            (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
        })
        .await
        .unwrap()
    }
}
