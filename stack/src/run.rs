//! Runs installers and set-up tools to completion.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::Progress;

/// Runs a program and returns its output; an error includes the last lines of it.
pub(crate) async fn output(command: &mut Command) -> Result<String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} failed ({}):\n  {}", output.status, last_lines(&String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program can be run and succeeds.
pub(crate) async fn succeeds(program: &str, arguments: &[&str]) -> bool {
    output(Command::new(program).args(arguments)).await.is_ok()
}

/// Runs a long program, reports the lines that `interesting` selects, and reports in between that it is still running.
pub(crate) async fn with_progress(
    command: &mut Command,
    what: &str,
    progress: &Progress,
    interesting: fn(&str) -> bool,
) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{what}: cannot start"))?;
    let stdout = child.stdout.take().context("no output")?;
    let stderr = child.stderr.take().context("no error output")?;
    let errors = tokio::spawn(async move {
        let mut text = String::new();
        // Unreadable output is only missing from an error message.
        let _ = tokio::io::AsyncReadExt::read_to_string(&mut BufReader::new(stderr), &mut text).await;
        text
    });
    let mut lines = BufReader::new(stdout).lines();
    loop {
        match tokio::time::timeout(Duration::from_secs(5), lines.next_line()).await {
            Ok(Ok(Some(line))) if interesting(&line) => progress(&format!("{what}: {line}")),
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None) | Err(_)) => break,
            Err(_) => progress(&format!("{what}: still at work")),
        }
    }
    let status = child.wait().await?;
    if !status.success() {
        bail!("{what}: failed ({status}):\n  {}", last_lines(&errors.await.unwrap_or_default()));
    }
    Ok(())
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join("\n  ")
}
