//! What the README shows works as it stands there.

use std::time::Duration;

use tokio::process::Command;

use crate::harness::shared_shop;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// The shell block behind a mark.
fn block(mark: &str) -> String {
    let text = std::fs::read_to_string(README).expect("README.md is missing");
    let mark = format!("<!-- tested: {mark} -->\n```sh\n");
    let (_, rest) = text.split_once(&mark).unwrap_or_else(|| panic!("README.md has no block behind {mark:?}"));
    rest.split_once("\n```").expect("the block has no end").0.to_owned()
}

#[tokio::test]
async fn the_curl_session_of_the_readme_ends_with_a_confirmed_order() {
    let shop = &shared_shop().await;
    let session = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &block("curl session")])
        .env("SOUK", &shop.url)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), session).await.expect("the session hangs").unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{errors}", output.status);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    assert!(last.contains("confirmed"), "the last line is {last:?}\n{said}\n{errors}");
}
